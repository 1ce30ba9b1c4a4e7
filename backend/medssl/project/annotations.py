"""Saving annotations as immutable versions, and reading them."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select, true, update
from sqlalchemy.orm import Session

from medssl.errors import DataError, GridError, LabelError, NotFoundError, ProjectError, UsageError
from medssl.imaging.labels import read_onto, read_values_on, write_labels
from medssl.imaging.reading import read_grid
from medssl.imaging.volume import Grid
from medssl.labels import UNANNOTATED, LabelSchema, count_values
from medssl.project import tables
from medssl.project.lookup import annotations_of, load_case
from medssl.project.records import Annotation, Case, CaseRef, DecisionKind, Seen
from medssl.project.schema import read_schema
from medssl.project.store import Store, next_number, now
from medssl.storage import give_name, make_durable, remove_partial_files, staging_folder, storage_error


@dataclass(frozen=True)
class Provenance:
    """How an annotation or a rejection came about: what was done, with which proposal, by whom, how long."""

    kind: DecisionKind
    author: str
    seconds: float | None
    pseudo_label_id: int | None = None

    def __post_init__(self) -> None:
        if self.seconds is not None and not (math.isfinite(self.seconds) and self.seconds >= 0):
            raise UsageError(
                f"The time spent cannot be {self.seconds} seconds.", "Give 0 or more, or leave it out."
            )


def save_annotation(
    store: Store,
    case_ref: CaseRef,
    values: NDArray[np.uint8] | Path,
    author: str,
    seconds: float | None,
    seen_version: Seen,
) -> Annotation:
    """Save what a person drew; see `Project.save_annotation`."""
    provenance = Provenance("drawn", author, seconds)
    with store.database.reading() as session:
        case, schema = load_case(store, session, case_ref), read_schema(session)
    drawn, grid, notes = labels_on_case(case, values, schema)
    with staged_labels(store, case) as staged:
        write_labels(staged, drawn, grid, schema)
        make_durable(staged)
        with store.database.writing() as session:
            check_seen(load_case(store, session, case.id), seen_version)
            made = add_version(store, session, case, staged, values_in(drawn), provenance)
            return replace(made, notes=notes)


def check_seen(case: Case, seen_version: Seen) -> None:
    """Refuse what would take the place of a version that the person has not seen; for a session that writes.

    Args:
        case: as it is now.
        seen_version: see `Project.save_annotation`.

    Raises:
        ProjectError: another version counts.
    """
    counts = 0 if case.annotation is None else case.annotation.version
    if seen_version is not None and counts != seen_version:
        now = f"version {counts} counts" if counts else "no version counts"
        raise ProjectError(
            f"The annotation of case '{case.name}' is another than the one that was seen: {now} now.",
            "Look at it first.",
        )


def restore_annotation(
    store: Store, case_ref: CaseRef, version: int, author: str, seconds: float | None
) -> Annotation:
    """Let an older version count again, as a new one; see `Project.restore_annotation`."""
    provenance = Provenance("drawn", author, seconds)
    with store.database.reading() as session:
        case = load_case(store, session, case_ref)
        of_case = tables.Annotation.case_id == case.id
        row = session.scalar(select(tables.Annotation).where(of_case, tables.Annotation.version == version))
        if row is None:
            raise NotFoundError(
                f"The case '{case.name}' has no annotation with version {version}.", "List the versions."
            )
        present, path = row.label_values, store.to_path(row.path)
    with staged_labels(store, case) as staged:
        copy_labels(path, staged, "Restore another version, or draw it again.")
        make_durable(staged)
        with store.database.writing() as session:
            return add_version(store, session, case, staged, present, provenance, version)


def copy_labels(source: Path, target: Path, remedy: str) -> None:
    """Copy a label map; `remedy` says what to do when somebody took it away.

    Raises:
        ProjectError: it is not there.
        StorageError: the disk is full.
    """
    try:
        shutil.copyfile(source, target)
    except FileNotFoundError as error:
        raise ProjectError(f"The label map {source} is no longer there.", remedy) from error
    except OSError as error:
        raise storage_error(error, target) from error


def check_trainable(store: Store) -> None:
    """Refuse to train where nobody drew anything, or not every segment; see `Project.check_trainable`."""
    counting = (tables.Annotation.current == true(), tables.Case.role == "training")
    with store.database.reading() as session:
        schema = read_schema(session)
        drawn = session.scalars(
            select(tables.Annotation.label_values)
            .join(tables.Case, tables.Annotation.case_id == tables.Case.id)
            .where(*counting)
        ).all()
    if not drawn:
        raise DataError(
            f"No case of the project {store.folder} is annotated, so there is nothing to learn from.",
            "Annotate at least one case with the role 'training'.",
        )
    missing = [s.name for s in schema.segments if not any(s.value in values for values in drawn)]
    if missing:
        raise DataError(
            f"No annotation of the project {store.folder} shows {' and '.join(missing)}.",
            "Draw it in one annotated case, or take it out of the label schema (medssl project schema).",
        )


@contextmanager
def staged_labels(store: Store, case: Case) -> Iterator[Path]:
    """Give a path to write a new version of a case's annotation to, for `add_version`."""
    folder = store.folder / "labels" / case.folder
    with staging_folder(folder) as staging:
        remove_partial_files(folder)
        yield staging / "labels.seg.nrrd"


def labels_on_case(
    case: Case, values: NDArray[np.uint8] | Path, schema: LabelSchema
) -> tuple[NDArray[np.uint8], Grid, tuple[str, ...]]:
    """Bring a label map onto the grid of its case, and check it.

    Args:
        case: the case.
        values: (z, y, x) label values on the grid of the case, or a file to read.
        schema: the project's segments.

    Returns:
        The label values, the grid of the case, and what a person should know about how the file was read.

    Raises:
        LabelError: values or segments that the schema does not know, or nothing but 'not annotated'.
        GridError: the labels do not lie on the scan.
        ImageError: the file, or the scan of the case, cannot be read.
    """
    grid = read_grid(case.channels[0])
    notes: tuple[str, ...] = ()
    if isinstance(values, Path):
        where = str(values)
        found = read_onto(values, schema, grid)
        fitted, notes = found.array, found.notes
    else:
        where = f"The label map for case '{case.name}'"
        if values.shape != grid.shape:
            raise GridError(
                f"{where} has the shape {values.shape}, but {case.channels[0]} has {grid.shape} (z, y, x).",
                "Give a label map with one value for each voxel of the scan.",
            )
        if values.dtype.kind not in "bui":
            raise LabelError(
                f"{where} holds {values.dtype} numbers.",
                "Give whole numbers: the label values of the schema.",
            )
        schema.check(np.unique(values), where)
        fitted = values.astype(np.uint8, copy=False)
    if values_in(fitted) == [UNANNOTATED]:
        raise LabelError(f"{where} marks every voxel as not annotated.", "Annotate one slice at least.")
    return fitted, grid, notes


def values_in(labels: NDArray[np.uint8]) -> list[int]:
    """Return the label values that occur, in order."""
    return [int(value) for value in np.flatnonzero(count_values(labels))]


def add_version(
    store: Store,
    session: Session,
    case: Case,
    staged: Path,
    label_values: list[int],
    provenance: Provenance,
    restored_from: int | None = None,
) -> Annotation:
    """Make a durable file the next version of a case's annotation, in the caller's writing transaction.

    The file gets its name before the transaction ends: a kill in between leaves a file that nobody knows and
    whose number is never used again, and never a row without its file.
    """
    # Another process may have changed the schema since the labels were checked.
    read_schema(session).check(label_values, f"The label map for case '{case.name}'")
    of_case = tables.Annotation.case_id == case.id
    highest = session.scalar(select(func.max(tables.Annotation.version)).where(of_case))
    folder = store.folder / "labels" / case.folder
    version = next_number(folder, "v", highest or 0)
    target = folder / f"v{version:04d}.seg.nrrd"
    session.execute(
        update(tables.Annotation).where(of_case, tables.Annotation.current == true()).values(current=False)
    )
    annotation = tables.Annotation(
        case_id=case.id,
        version=version,
        path=store.to_stored(target),
        label_values=label_values,
        created=now(),
        current=True,
        restored_from=restored_from,
    )
    session.add(annotation)
    session.flush()
    add_decision(session, case.id, provenance, annotation.id)
    give_name(staged, target)
    return annotations_of(store, session, case.id)[-1]


def add_decision(
    session: Session, case_id: int, provenance: Provenance, annotation_id: int | None = None
) -> None:
    """Write down what a person did, in the caller's writing transaction."""
    session.add(
        tables.Decision(
            case_id=case_id,
            kind=provenance.kind,
            annotation_id=annotation_id,
            pseudo_label_id=provenance.pseudo_label_id,
            author=provenance.author.strip(),
            seconds=provenance.seconds,
            decided=now(),
            undone=None,
        )
    )
    session.flush()


def read_drawn(case: Case) -> NDArray[np.uint8]:
    """Read what is drawn on a case: label values (z, y, x) on the grid that its scan has now.

    Raises:
        DataError: the case is not annotated.
        GridError, ImageError: see `read_values_on`.
    """
    if case.annotation is None:
        raise DataError(f"The case {case.name} is not annotated.", "Annotate it first.")
    return read_values_on(case.annotation.path, case.channels[0]).array
