"""An open project: everything that can be asked of it and done with it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medssl.events import JobState
from medssl.imaging.labels import read_values
from medssl.imaging.reading import read_volume
from medssl.imaging.same_scan import is_same_scan
from medssl.labels import LabelSchema
from medssl.project import cases, jobs, lookup, lost, models, opening, review, schema, tables
from medssl.project.annotations import check_trainable, restore_annotation, save_annotation
from medssl.project.models import LATEST
from medssl.project.records import (
    Annotation,
    Beside,
    Case,
    CaseRef,
    CaseState,
    CaseSummary,
    JobRow,
    ModelRecord,
    PseudoLabel,
    Region,
    Role,
    Seen,
    SortKey,
    Suggestion,
    UncertainRegion,
)
from medssl.project.suggestion import suggest


class Project:
    """An open project.

    Several programs may have one project open; what one of them writes, the others see at once. A method that
    returns has its result on the disk. Threads may share an open project; processes open it themselves.

    Attributes:
        folder: absolute path of the project.
        name: for people.
        channel_names: what each image of a case is, in order.
    """

    def __init__(self, opened: opening.Opened) -> None:
        """Use `create` or `open` instead."""
        self._store = opened.store
        self.folder = opened.store.folder
        self.name = opened.name
        self.channel_names = opened.channel_names

    @classmethod
    def create(
        cls, folder: Path, schema: LabelSchema, channel_names: Sequence[str] = ("image",), name: str = ""
    ) -> Project:
        """Make a new project in a folder that does not exist or is empty, and open it.

        Args:
            folder: where; folders above it are made.
            schema: the segments.
            channel_names: one name for each image of a case, such as ("T1", "T2").
            name: for people; the folder's name when empty.

        Raises:
            ProjectError: there is a project in the folder, or something else.
            StorageError: the folder may not be written, the disk is full.
            UsageError, LabelError: names that are empty or not unique.
        """
        return cls(opening.create(folder, schema, channel_names, name))

    @classmethod
    def open(cls, folder: Path) -> Project:
        """Open a project, and bring one of an older version of MedSSL to this one.

        Raises:
            ProjectError: there is no project, a newer version of MedSSL made it, it is damaged or busy.
            StorageError: the folder may not be written.
        """
        return cls(opening.open_existing(folder))

    def close(self) -> None:
        """Close the database. Leaving a `with` block does the same."""
        self._store.database.close()

    def __enter__(self) -> Project:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def schema(self) -> LabelSchema:
        """The label schema as it is now; another program may have changed it."""
        with self._store.database.reading() as session:
            return schema.read_schema(session)

    def set_schema(self, changed: LabelSchema, *, seen: LabelSchema | None = None) -> None:
        """Change the label schema: add segments, rename them, change colours and codes.

        Raises:
            LabelError: a segment that was drawn would vanish or get another value; names that files mix up.
            ProjectError: the schema is another by now than `seen`; None when that does not matter.
        """
        schema.set_schema(self._store, changed, seen)

    def add_case(
        self,
        name: str,
        channels: Sequence[Path],
        copy: bool = False,
        role: Role = "training",
        must_be_scan: bool = False,
    ) -> Case:
        """Add one subject's scan. Every image is read once, so that a damaged file is told now.

        Args:
            name: unique in the project. A case of it whose files are gone gets these, if they are its scan.
            channels: one image for each of `channel_names`, all on one grid: a file, or a folder with one
                DICOM series. One file may hold all channels; each is then copied, as a file of its own.
            copy: copy the images into the project; otherwise the project points at them.
            role: what the case is for.
            must_be_scan: refuse what holds labels; for files that were found and that nobody named.

        Returns:
            The case, with `notes` on how its images were read.

        Raises:
            ImageError: an image cannot be read; a `NoIntensitiesError` for what must be a scan and is none.
            GridError: the images do not lie on one grid.
            ProjectError: the name is taken, also by a case whose files are gone and hold another scan.
            UsageError: a wrong number of images, or no usable name.
        """
        return cases.add_case(self._store, name, channels, self.channel_names, copy, role, must_be_scan)

    def cases(
        self,
        *,
        state: CaseState | None = None,
        role: Role | None = None,
        text: str = "",
        sort: SortKey = "name",
        descending: bool = False,
        offset: int = 0,
        limit: int | None = None,
    ) -> list[CaseSummary]:
        """List cases.

        Args:
            state, role: only these.
            text: only cases whose name contains it, in any case of letters.
            sort: by name ('case 9' before 'case 10'), by the newest proposal's uncertainty (cases without one
                last), by state (most to do first), or in the order they were added.
            descending: turn the order around.
            offset, limit: how many to leave out at the start, and how many to return at most.
        """
        page = cases.Page(sort, descending, offset, limit)
        return cases.list_cases(self._store, state=state, role=role, text=text, page=page)

    def count_cases(self, *, state: CaseState | None = None, role: Role | None = None, text: str = "") -> int:
        """Return how many cases `cases` would list without a limit."""
        return cases.count_cases(self._store, state=state, role=role, text=text)

    def case(self, case: CaseRef) -> Case:
        """Return everything about a case, as it is now, or raise a `ProjectError` where there is none."""
        with self._store.database.reading() as session:
            return lookup.load_case(self._store, session, case)

    def is_scan_of(self, case: CaseRef, channels: Sequence[Path]) -> bool:
        """Whether a case is the scan that files hold; see `is_same_scan`."""
        return is_same_scan(self.case(case).channels, channels)

    def is_lost(self, case: CaseRef) -> bool:
        """Whether a file of a case is gone; adding its scan again by the case's name gives it back."""
        return lost.is_lost(self.case(case))

    def whole_cases(self, *roles: Role) -> list[Case]:
        """Return everything about all cases of these roles, by name, at once however many there are."""
        with self._store.database.reading() as session:
            return lookup.load_cases(self._store, session, tables.Case.role.in_(roles))

    def set_role(self, case: CaseRef, role: Role) -> None:
        """Use a case for training or validation, or exclude it."""
        cases.set_role(self._store, case, role)

    def save_annotation(
        self,
        case: CaseRef,
        values: NDArray[np.uint8] | Path,
        *,
        author: str = "",
        seconds: float | None = None,
        seen_version: Seen = None,
    ) -> Annotation:
        """Save what a person drew as a new version, with `notes` on how its file was read; older ones stay.

        Args:
            case: the case.
            values: (z, y, x) label values on the grid of the case, 255 where nobody looked; or a file, which
                is brought onto that grid and whose segments are matched by name.
            author, seconds: who drew it, and how long it took.
            seen_version: that counted when the person last looked, 0 for none; None when it does not matter.

        Raises:
            LabelError: values or segments that the schema does not know; nothing annotated.
            GridError: the label map does not lie on the scan.
            ProjectError: another version counts by now than the one that was seen.
        """
        return save_annotation(self._store, case, values, author, seconds, seen_version)

    def annotations(self, case: CaseRef) -> list[Annotation]:
        """Return all versions of a case's annotation, the oldest first, those taken back too."""
        with self._store.database.reading() as session:
            case_id = lookup.find_case(session, case).id
            return lookup.annotations_of(self._store, session, case_id)

    def restore_annotation(
        self, case: CaseRef, version: int, *, author: str = "", seconds: float | None = None
    ) -> Annotation:
        """Let an older version of a case's annotation count again: as a new version with the same labels.

        Raises:
            NotFoundError: there is no such version.
            LabelError: it holds segments that the schema has no more.
        """
        return restore_annotation(self._store, case, version, author, seconds)

    def check_trainable(self) -> None:
        """Say now what a training could only say after it has read all scans.

        Raises:
            DataError: no training case is annotated, or a segment that no annotation shows.
        """
        check_trainable(self._store)

    def read_annotation(self, annotation: Annotation) -> NDArray[np.uint8]:
        """Read the label values (z, y, x) of an annotation, on the grid that its scan had then."""
        return read_values(annotation.path).array

    def add_pseudo_label(
        self,
        case: CaseRef,
        values: NDArray[np.uint8],
        uncertainty: NDArray[np.float32],
        *,
        score: float,
        model_id: str,
        worst_slice: int,
        worst_region: Region | None = None,
        regions: Sequence[UncertainRegion] = (),
    ) -> PseudoLabel:
        """Keep what a model proposes for a case; it replaces an older proposal in the review.

        Args:
            case: the case.
            values: (z, y, x) label values on the grid of the case.
            uncertainty: (z, y, x), 0 certain .. 1 uncertain; kept in steps of 1/256.
            score: uncertainty of the whole proposal, 0 certain .. 1 uncertain.
            model_id: who proposes.
            worst_slice: index along z of the most uncertain slice.
            worst_region: first voxel and the voxel after the last, each (z, y, x).
            regions: where a person should look, the most uncertain first.

        Raises:
            LabelError, GridError, UsageError: see `save_annotation`; numbers out of their range.
        """
        return review.add_pseudo_label(
            self._store,
            case,
            values,
            uncertainty,
            score=score,
            model_id=model_id,
            worst_slice=worst_slice,
            worst_region=worst_region,
            regions=regions,
        )

    def read_pseudo_label(self, pseudo_label: PseudoLabel) -> NDArray[np.uint8]:
        """Read the label values (z, y, x) of a proposal, on the grid of its case."""
        return read_values(pseudo_label.path).array

    def read_uncertainty(self, pseudo_label: PseudoLabel) -> NDArray[np.float32]:
        """Read the uncertainty (z, y, x) of a proposal, 0 certain .. 1 uncertain."""
        return np.asarray(read_volume(pseudo_label.uncertainty_path).array, dtype=np.float32)

    def suggest(self) -> Suggestion:
        """Suggest which case to work on next, with a reason for a person.

        The most uncertain proposal comes first. Without proposals, it is the scan to annotate next: the most
        typical one, then the one that stands best for those unlike the annotated ones.
        """
        return suggest(self._store)

    def review_queue(self) -> list[CaseSummary]:
        """Return the cases whose proposal waits for a decision, the most uncertain first."""
        waiting = self.cases(state="proposed", sort="uncertainty", descending=True)
        return [case for case in waiting if case.role != "excluded"]

    def accept(
        self, case: CaseRef, *, author: str = "", seconds: float | None = None, seen_version: Seen = None
    ) -> Annotation:
        """Make the newest proposal for a case an annotation, as it is; `seen_version` as `save_annotation`.

        Raises:
            ProjectError: there is none, it was decided on already, or it is not the one of the record `case`.
        """
        return review.accept(self._store, case, author, seconds, seen_version)

    def correct(
        self,
        case: CaseRef,
        values: NDArray[np.uint8] | Path,
        *,
        author: str = "",
        seconds: float | None = None,
        seen_version: Seen = None,
    ) -> Annotation:
        """Make a corrected proposal an annotation; see `save_annotation` for values, `accept` for errors."""
        return review.correct(self._store, case, values, author, seconds, seen_version)

    def reject(
        self, case: CaseRef, *, author: str = "", seconds: float | None = None, seen_version: Seen = None
    ) -> None:
        """Turn the newest proposal for a case down; see `accept` for errors."""
        review.reject(self._store, case, author, seconds, seen_version)

    def undo(self, case: CaseRef, *, seen_version: Seen = None) -> Case:
        """Take back the last annotation or decision of a case, or raise a `ProjectError`. All files stay."""
        review.undo(self._store, case, seen_version)
        return self.case(case if isinstance(case, int | str) else case.id)

    def new_model_folder(self) -> tuple[str, Path]:
        """Make an empty folder for a model, and return the model's id and the folder."""
        return models.new_model_folder(self._store)

    def register_model(
        self, model_id: str, *, name: str = "", method: str = "", can_segment: bool = True
    ) -> ModelRecord:
        """Let the project know a model, once everything is in its folder `models/<model_id>`.

        Args:
            model_id: see `new_model_folder`.
            name: for people; the id when empty.
            method: that it was trained by.
            can_segment: False for one that was only pretrained.

        Raises:
            UsageError: the id cannot be the name of a folder.
            ProjectError: the folder is missing, or the id is taken.
        """
        return models.register_model(self._store, model_id, name, method, can_segment)

    def models(self) -> list[ModelRecord]:
        """Return all models, the newest first."""
        return models.list_models(self._store)

    def model(self, model_id: str = LATEST) -> ModelRecord:
        """Return one model, for 'latest' the newest that can segment, or raise a `ProjectError`."""
        return models.find_model(self._store, model_id)

    def delete_model(self, model_id: str) -> None:
        """Delete a model and its files. What it proposed stays, and keeps its id as provenance."""
        models.delete_model(self._store, model_id)

    def new_job(self, kind: str, request_json: str) -> JobRow:
        """Make a job that is queued, with an empty folder for its files."""
        return jobs.new_job(self._store, kind, request_json)

    def set_job_state(self, job_id: str, state: JobState, *, error: str = "", remedy: str = "") -> JobRow:
        """Write down that a job entered a state; for 'running', also which process runs it: this one."""
        return jobs.set_job_state(self._store, job_id, state, error, remedy)

    def advance_job(
        self, seen: JobRow, state: JobState, *, error: str = "", remedy: str = "", beside: Beside = None
    ) -> JobRow | None:
        """Do as `set_job_state`, but only if the job still is as it was seen: one program succeeds, not two.

        None when it is not. `beside` sees each job that runs at that moment; if it raises, nothing changes.
        """
        return jobs.advance_job(self._store, seen, state, error, remedy, beside)

    def jobs(
        self, states: Collection[JobState] = (), *, offset: int = 0, limit: int | None = None
    ) -> list[JobRow]:
        """Return a page of the jobs, all by default, the newest first; `states`: only those in these."""
        return jobs.list_jobs(self._store, states, offset, limit)

    def count_jobs(self) -> int:
        """Return how many jobs there are."""
        return jobs.count_jobs(self._store)

    def job(self, job_id: str) -> JobRow:
        """Return one job, or raise a `ProjectError` that there is none."""
        return jobs.find_job(self._store, job_id)
