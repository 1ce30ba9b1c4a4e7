"""Bringing the cases of a folder into the project: a data set, or simply scans."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from medssl.access import is_file, is_folder
from medssl.errors import (
    DataError,
    ImageError,
    LabelError,
    MedSSLError,
    MissingPackageError,
    ProjectError,
    UsageError,
)
from medssl.events import Monitor
from medssl.exchange.dataset_names import ChannelOrder, LabelValues, match_channels, match_values
from medssl.exchange.datasets import DESCRIPTION, DatasetCase, read_dataset
from medssl.exchange.task_list import read_task_list
from medssl.imaging.few_values import NoIntensitiesError, has_few_values, no_intensities
from medssl.imaging.multichannel import look_inside
from medssl.imaging.scans import Scan, find_scans
from medssl.imaging.writing import write_volume
from medssl.jobs.failures import unexpected
from medssl.jobs.requests import ImportRequest
from medssl.jobs.results import ImportResult
from medssl.labels import LabelSchema
from medssl.pace import Pace
from medssl.project import Annotation, Case, CaseSummary, Role, kept_name
from medssl.words import counted

_SAME_NAME = (
    "{} has the name of another scan of the folder, but for spaces around it or the way its letters are "
    "written. Rename one of them."
)
_Became: TypeAlias = Literal["added", "found again", "already there", "refused", "passed over"]
_Labelled: TypeAlias = Literal["annotated", "unread", "of another scan"]


class Receiver(Protocol):
    """The part of a `Project` that cases come into; the project may also be on another computer."""

    @property
    def channel_names(self) -> Sequence[str]:
        """See `Project`."""

    @property
    def schema(self) -> LabelSchema:
        """See `Project`."""

    def cases(self) -> list[CaseSummary]:
        """See `Project`."""

    def case(self, case: str) -> Case:
        """See `Project`."""

    def add_case(
        self,
        name: str,
        channels: Sequence[Path],
        copy: bool = False,
        role: Role = "training",
        must_be_scan: bool = False,
    ) -> Case:
        """See `Project`."""

    def is_lost(self, case: str) -> bool:
        """See `Project`."""

    def is_scan_of(self, case: str, channels: Sequence[Path]) -> bool:
        """See `Project`."""

    def save_annotation(self, case: str, values: Path, *, author: str = "") -> Annotation:
        """See `Project`."""


def import_folder(project: Receiver, request: ImportRequest, monitor: Monitor) -> ImportResult:
    """Add the cases of a data set or of a MITK task list, or every scan of a folder that is neither.

    A case that is there already stays as it is, so that a second run finishes what a first one began. It gets
    its files, if they are gone, and its labels, if nobody has annotated it, and never those of another scan
    of its name.

    Raises:
        DataError: the folder may not be read, holds no scan, or less than the request divides among roles; a
            data set's names and label values contradict those of the project.
    """
    if request.folder.suffix.lower() == ".json":
        name, cases = read_task_list(request.folder)
        return _import_cases(project, request, _divide(cases, request), _Source(name), monitor)
    if is_file(request.folder / DESCRIPTION, DataError) or not is_folder(request.folder, DataError):
        dataset = read_dataset(request.folder)
        wanted = _divide(dataset.cases, request)
        labelled = any(case.labels and with_labels for case, _, with_labels in wanted)
        source = _Source(
            author=dataset.name,
            channels=match_channels(dataset, project.channel_names),
            values=match_values(dataset, project.schema) if labelled else LabelValues(),
        )
        return _import_cases(project, request, wanted, source, monitor)
    return _import_scans(project, request, monitor)


def _import_scans(project: Receiver, request: ImportRequest, monitor: Monitor) -> ImportResult:
    """Add one case a scan; one that cannot be a case is told of with its reason and stops nothing."""
    if request.annotated is not None or request.validation or request.leave_out:
        raise UsageError(
            f"{request.folder} has no {DESCRIPTION}, so nothing tells which of its cases have labels.",
            "Add its scans without dividing them, and annotate or assign roles case by case.",
        )
    scans, channels = find_scans(request.folder), len(project.channel_names)
    if channels > 1 and not any(_holds_several(scan) for scan in scans):
        raise UsageError(
            f"A case of this project has {channels} channels, and nothing tells which files of "
            f"{request.folder} belong together.",
            "Add the cases one by one, lay the folder out as a Decathlon or nnU-Net dataset, or put all "
            "channels of a case into one file.",
        )
    if all(scan.unfit for scan in scans):
        raise DataError(f"{request.folder} holds no scan.", "Choose a folder with NIfTI, NRRD, MHA or DICOM.")
    names = [kept_name(scan.name) for scan in scans]
    there = _roles_there(project, [(name, request.role) for name in names], monitor)
    shared = _folders_of_several(scans)
    became: Counter[_Became] = Counter()
    seen = set[str]()
    pace = Pace()
    for number, (scan, name) in enumerate(zip(scans, names, strict=True), start=1):
        monitor.check()
        if name in seen:
            monitor.log(f"{scan.name} was not added. {_SAME_NAME.format(scan.source)}", "warning")
            became["refused"] += 1
        elif name in there and not project.is_lost(name):
            became["already there"] += 1
        else:
            alone = scan.series is not None and scan.problem is None and scan.source in shared
            came = _add_found(project, scan, request, alone, monitor)
            became["found again" if came == "added" and name in there else came] += 1
        seen.add(name)
        pace.count()
        monitor.progress("import", number, len(scans), pace.seconds_for(len(scans) - number))
    return ImportResult(
        cases=became["added"],
        annotated=0,
        already_there=became["already there"] + became["found again"],
        found_again=became["found again"],
        refused=became["refused"],
        passed_over=became["passed over"],
    )


def _add_found(
    project: Receiver, scan: Scan, request: ImportRequest, alone: bool, monitor: Monitor
) -> _Became:
    """Add one scan of a folder, `alone` when it is one of several series there, or tell why not."""
    if scan.unfit is not None:
        monitor.log(f"{scan.name} was passed over. {scan.unfit}", "warning")
        return "passed over"

    def add() -> None:
        scan.check()
        if alone:
            _add_alone(project, scan, request.role, monitor)
            return
        case = project.add_case(
            scan.name, [scan.source], copy=request.copy_files, role=request.role, must_be_scan=True
        )
        _tell(case.name, case.notes, monitor)

    try:
        return "added" if _is_added(scan.name, add, monitor) else "refused"
    except NoIntensitiesError as error:
        monitor.log(f"{scan.name} was passed over. {error} If it is a scan, add it by itself.", "warning")
        return "passed over"


def _is_added(name: str, add: Callable[[], None], monitor: Monitor) -> bool:
    """Add one case of many; when it cannot be one, that is told with its reason, and the others go on."""
    try:
        add()
    except NoIntensitiesError:
        raise  # it is no scan, and nothing to refuse
    except (ImageError, ProjectError, UsageError, MissingPackageError) as error:
        monitor.log(f"{name} was not added. {error}", "warning")
        return False
    except (MedSSLError, MemoryError):
        raise  # about all scans
    except Exception as error:  # noqa: BLE001 - whatever is wrong with a scan, the others go on
        monitor.log(f"{name} was not added. {unexpected(error, monitor)}", "warning")
        return False
    return True


def _holds_several(scan: Scan) -> bool:
    try:
        return scan.series is None and look_inside(scan.source) is not None
    except Exception:  # noqa: BLE001 - one bad scan stops no others, and adding it will tell why
        return False


def _folders_of_several(scans: Sequence[Scan]) -> set[Path]:
    """The folders that hold several DICOM series, in themselves and below: a path to one names no series."""
    sources = [scan.source for scan in scans if scan.series is not None and scan.problem is None]
    held = Counter(folder for source in sources for folder in (source, *source.parents))
    return {folder for folder, count in held.items() if count > 1}


def _add_alone(project: Receiver, scan: Scan, role: Role, monitor: Monitor) -> None:
    """Add one of the series of a folder: its voxels go into the project, as nothing else tells it apart."""
    volume = scan.read()
    if has_few_values(volume):
        raise no_intensities(scan.name)
    _tell(scan.name, volume.notes, monitor)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scan.nrrd"
        write_volume(file, volume)
        _tell(scan.name, project.add_case(scan.name, [file], copy=True, role=role).notes, monitor)


@dataclass(frozen=True)
class _Source:
    """Who stands behind cases that somebody described, and what their channels and label values are here."""

    author: str
    channels: ChannelOrder = field(default_factory=ChannelOrder)
    values: LabelValues = field(default_factory=LabelValues)

    def add(self, project: Receiver, case: DatasetCase, role: Role, copy: bool) -> tuple[str, ...]:
        """Add a case and say how it was read."""
        with self.channels.as_files(case.channels) as (files, notes):
            return (*notes, *project.add_case(case.name, files, copy=copy, role=role).notes)

    def is_of(self, project: Receiver, case: DatasetCase) -> bool:
        """Whether the project's case of that name is this scan."""
        with self.channels.as_files(case.channels) as (files, _):
            return project.is_scan_of(case.name, files)

    def save(self, project: Receiver, case: str, path: Path) -> tuple[str, ...]:
        """Save the labels of a file and say how it was read."""
        with self.values.as_file(path) as (file, notes):
            found = project.save_annotation(case, file, author=self.author).notes
        return (*notes, *(note.replace(str(file), str(path)) for note in found))


def _import_cases(
    project: Receiver,
    request: ImportRequest,
    wanted: Sequence[tuple[DatasetCase, Role, bool]],
    source: _Source,
    monitor: Monitor,
) -> ImportResult:
    """Add cases that somebody described, each in its role and with or without its labels, as annotations.

    What cannot be read is told of and stops nothing; a case whose labels cannot be is added without them.
    """
    for note in (*source.channels.notes, *source.values.notes):
        monitor.log(note, "warning")
    there = _roles_there(project, [(case.name, role) for case, role, _ in wanted], monitor)
    added = found_again = refused = 0
    labelled: Counter[_Labelled] = Counter()
    pace = Pace()
    for number, (case, role, with_labels) in enumerate(wanted, start=1):
        monitor.check()
        new = kept_name(case.name) not in there
        lost = not new and project.is_lost(case.name)
        is_there = not (new or lost) or _add_described(
            project, source, case, role, request.copy_files, monitor
        )
        added += new and is_there
        found_again += lost and is_there
        refused += not is_there
        if case.labels and with_labels and is_there and project.case(case.name).annotation is None:
            labelled[_annotate(project, request, case, case.labels, source, new, monitor)] += 1
        pace.count()
        monitor.progress("import", number, len(wanted), pace.seconds_for(len(wanted) - number))
    refused += labelled["of another scan"]
    return ImportResult(
        cases=added,
        annotated=labelled["annotated"],
        already_there=len(wanted) - added - refused,
        found_again=found_again,
        refused=refused,
        labels_refused=labelled["unread"],
    )


def _annotate(
    project: Receiver,
    request: ImportRequest,
    case: DatasetCase,
    drawn: Path,
    source: _Source,
    new: bool,
    monitor: Monitor,
) -> _Labelled:
    """Save the labels of a case; of one that is not new, only if it is the scan that they were drawn on."""
    try:
        if not new and not source.is_of(project, case):
            monitor.log(
                f"{case.name} was not added, nor were its labels: the project has another scan of that name. "
                f"Give it another name in {request.folder}.",
                "warning",
            )
            return "of another scan"
        notes = source.save(project, case.name, drawn)
    except (ImageError, LabelError, MissingPackageError) as error:
        monitor.log(f"The labels of {case.name} were not added. {error}", "warning")
        return "unread"
    _tell(case.name, notes, monitor)
    return "annotated"


def _add_described(
    project: Receiver, source: _Source, case: DatasetCase, role: Role, copy: bool, monitor: Monitor
) -> bool:
    """Add a case of a data set; whether it could be added."""

    def add() -> None:
        _tell(kept_name(case.name), source.add(project, case, role, copy), monitor)

    return _is_added(case.name, add, monitor)


def _roles_there(project: Receiver, wanted: Sequence[tuple[str, Role]], monitor: Monitor) -> dict[str, Role]:
    """The cases that are there, with their roles; those that were not to be for training are told of."""
    there = {case.name: case.role for case in project.cases()}
    others = [name for name, role in wanted if role != "training" and there.get(name, role) != role]
    if others:
        monitor.log(
            f"{counted(len(others), 'case was', 'cases were')} there already and kept another role than was "
            f"asked for, '{others[0]}' among them; 'medssl case role' changes it.",
            "warning",
        )
    return there


def _tell(name: str, notes: Sequence[str], monitor: Monitor) -> None:
    """Pass on what is notable about a scan that became a case, or about its labels."""
    for note in notes:
        monitor.log(f"{name}: {note}", "warning")


def _divide(cases: Sequence[DatasetCase], request: ImportRequest) -> list[tuple[DatasetCase, Role, bool]]:
    """Say for each case that comes in its role and whether its labels come with it."""
    labelled = [case for case in cases if case.labels is not None and not case.test]
    unlabelled = [case for case in cases if case.labels is None and not case.test]
    kept = len(labelled) - request.leave_out
    training = kept - request.validation
    annotated = training if request.annotated is None else request.annotated
    if training < annotated or kept < 0:
        raise DataError(
            f"{request.folder} has {counted(len(labelled), 'labelled case')}; {annotated} annotated, "
            f"{request.validation} for validation and {request.leave_out} left out are more than that.",
            "Ask for fewer.",
        )
    plan: list[tuple[DatasetCase, Role, bool]] = []
    for index, case in enumerate(labelled[:kept]):
        plan.append(
            (case, request.role, index < annotated) if index < training else (case, "validation", True)
        )
    plan.extend((case, request.role, False) for case in unlabelled)
    return plan
