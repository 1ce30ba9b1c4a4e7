"""What a job learns from, kept in its folder: it goes on with the same after an interruption.

People go on reviewing while a training is interrupted, and files come to folders. A training that went on
with other cases, or other versions of their annotations, would not be the one that began.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from medssl.errors import NotFoundError, StorageError
from medssl.events import Monitor
from medssl.imaging.scans import Scan
from medssl.project import Case, Project, Role
from medssl.storage import write_text

CASES = "cases.json"


@dataclass(frozen=True)
class JobCases:
    """Cases of a project that a job learns from and is judged on.

    Attributes:
        training: with the annotation that the job learns from; None in the others, which count as
            unannotated.
        validation: all of them annotated.
    """

    training: Sequence[Case]
    validation: Sequence[Case]

    @property
    def annotated(self) -> list[Case]:
        """Training cases with an annotation."""
        return [case for case in self.training if case.annotation is not None]

    @property
    def unannotated(self) -> list[Case]:
        """Training cases without one."""
        return [case for case in self.training if case.annotation is None]

    def only(self, names: Collection[str]) -> JobCases:
        """Those cases of the training that have these names, in their order; validation as it is."""
        return replace(self, training=[case for case in self.training if case.name in names])

    @property
    def scans_alone(self) -> JobCases:
        """The training cases, of a job that learns from no annotation and is judged by none."""
        return JobCases([replace(case, annotation=None) for case in self.training], validation=[])


class _KeptCase(BaseModel):
    model_config = ConfigDict(frozen=True)

    case: int
    name: str
    annotation: int | None  # its version


class _KeptCases(BaseModel):
    model_config = ConfigDict(frozen=True)

    format: Literal[1] = 1
    training: tuple[_KeptCase, ...]
    validation: tuple[_KeptCase, ...]


class _KeptScan(BaseModel):
    model_config = ConfigDict(frozen=True)

    name: str
    source: str  # in the folder that is searched, with forward slashes
    series: str | None  # UID of a DICOM series


class _KeptScans(BaseModel):
    model_config = ConfigDict(frozen=True)

    format: Literal[1] = 1
    scans: tuple[_KeptScan, ...]


def cases_now(project: Project) -> JobCases:
    """The cases of a project as they are now; rejected and proposed ones count as unannotated."""
    validation = [case for case in project.whole_cases("validation") if case.annotation is not None]
    return JobCases(project.whole_cases("training"), validation)


def keep_cases(folder: Path, cases: JobCases) -> None:
    """Write into the folder of a job which cases it uses, and with which versions of their annotations."""
    kept = _KeptCases(training=_kept(cases.training), validation=_kept(cases.validation))
    write_text(folder / CASES, kept.model_dump_json(indent=2) + "\n")


def kept_cases(project: Project, folder: Path, monitor: Monitor) -> JobCases | None:
    """The cases that a job used before it was interrupted, with the annotations of then.

    A case that is no longer there, or has another role by now, is left out, and `monitor` told.

    Returns:
        None where nothing was kept, by a version of MedSSL that did not.

    Raises:
        StorageError: what was kept is damaged.
    """
    kept = _read(folder / CASES, _KeptCases)
    if kept is None:
        return None
    return JobCases(
        training=_as_then(project, kept.training, "training", monitor),
        validation=_as_then(project, kept.validation, "validation", monitor),
    )


def in_random_order(scans: Sequence[Scan]) -> list[Scan]:
    """Shuffle scans, always alike, so that those which memory holds are of all kinds."""
    order = list(scans)
    random.Random(0).shuffle(order)
    return order


def keep_scans(folder: Path, scans: Sequence[Scan], searched: Path) -> None:
    """Write into the folder of a job which scans it uses, of the folder that was searched for them."""
    kept = []
    for scan in scans:
        source, series = _where(scan, searched)
        kept.append(_KeptScan(name=scan.name, source=source, series=series))
    write_text(folder / CASES, _KeptScans(scans=tuple(kept)).model_dump_json(indent=2) + "\n")


def kept_scans(found: Sequence[Scan], searched: Path, folder: Path, monitor: Monitor) -> list[Scan] | None:
    """Those of the scans that were found which a job used before it was interrupted, in its order.

    One that is no longer there is left out, and `monitor` told; see `kept_cases` for the rest.
    """
    kept = _read(folder / CASES, _KeptScans)
    if kept is None:
        return None
    there = {_where(scan, searched): scan for scan in found}
    scans = []
    for each in kept.scans:
        scan = there.get((each.source, each.series))
        if scan is None:
            monitor.log(_gone(f"The scan {each.name}", "is no longer there"), "warning")
        else:
            scans.append(scan)
    return scans


def _kept(cases: Sequence[Case]) -> tuple[_KeptCase, ...]:
    return tuple(
        _KeptCase(
            case=case.id,
            name=case.name,
            annotation=None if case.annotation is None else case.annotation.version,
        )
        for case in cases
    )


def _as_then(project: Project, kept: Sequence[_KeptCase], role: Role, monitor: Monitor) -> list[Case]:
    cases = []
    for each in kept:
        found = _case_as_then(project, each, role)
        if isinstance(found, str):
            monitor.log(_gone(f"The case {each.name}", found), "warning")
        else:
            cases.append(found)
    return cases


def _case_as_then(project: Project, kept: _KeptCase, role: Role) -> Case | str:
    """The case with the annotation of then, also where that was taken back since; or why it is not used."""
    try:
        case = project.case(kept.case)
    except NotFoundError:
        return "is no longer in the project"
    if case.role != role:
        return f"has the role '{case.role}' now"
    if kept.annotation is None:
        return replace(case, annotation=None)
    for annotation in project.annotations(case):
        if annotation.version == kept.annotation:
            return replace(case, annotation=annotation)
    return f"has no version {kept.annotation} of its annotation any more"


def _gone(what: str, why: str) -> str:
    return f"{what} {why}, so the job goes on without it."


def _where(scan: Scan, searched: Path) -> tuple[str, str | None]:
    """Tells a scan from all others of a folder, also when others come to it."""
    inside = scan.source.relative_to(searched) if scan.source.is_relative_to(searched) else scan.source
    return inside.as_posix(), None if scan.series is None else scan.series.header.uid


KeptT = TypeVar("KeptT", bound=BaseModel)


def _read(path: Path, kind: type[KeptT]) -> KeptT | None:
    try:
        return kind.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise StorageError(
            f"The list of what was learned from, {path}, cannot be read.",
            "Start the job anew; nothing else is affected.",
        ) from error
