"""Bringing made-up scans into a project, so that everything can be tried out without any data."""

from __future__ import annotations

from medssl.errors import DataError
from medssl.events import Monitor
from medssl.imaging.writing import write_volume
from medssl.jobs.requests import SampleRequest
from medssl.jobs.results import ImportResult
from medssl.pace import Pace
from medssl.phantom import SCHEMA, make_phantom
from medssl.project import Project, Role
from medssl.storage import staging_folder

_AUTHOR = "MedSSL phantoms"
_FAR_APART = 100_003  # so that two sets of neighbouring seeds have no scan in common


def make_cases(project: Project, request: SampleRequest, monitor: Monitor) -> ImportResult:
    """Make scans and add them; those that are there already stay as they are.

    Raises:
        DataError: the project has other segments or several channels.
    """
    wanted = {(s.value, s.name) for s in SCHEMA.segments}
    if not wanted <= {(s.value, s.name) for s in project.schema.segments} or len(project.channel_names) > 1:
        raise DataError(
            "Made-up scans have one image and the segments Kidney (1) and Renal pelvis (2), and this project "
            "has others.",
            "Make a project with the template made-up-kidney for them.",
        )
    there = {case.name for case in project.cases()}
    added = annotated = 0
    pace = Pace()
    for number in range(request.cases):
        monitor.check()
        name = f"made-up {request.seed * request.cases + number + 1:03d}"
        validates = number >= request.cases - request.validation
        if name not in there:
            drawn = validates or number < request.annotated
            role: Role = "validation" if validates else "training"
            _add(project, name, request.seed * _FAR_APART + number, role, drawn)
            added += 1
            annotated += int(drawn)
        pace.count()
        left = request.cases - number - 1
        monitor.progress("sample", number + 1, request.cases, pace.seconds_for(left))
    return ImportResult(cases=added, annotated=annotated, already_there=request.cases - added)


def _add(project: Project, name: str, seed: int, role: Role, drawn: bool) -> None:
    phantom = make_phantom(seed)
    with staging_folder(project.folder / "cache") as folder:
        path = folder / "scan.nii.gz"
        write_volume(path, phantom.image)
        project.add_case(name, [path], copy=True, role=role)
    if drawn:
        project.save_annotation(name, phantom.labels.array, author=_AUTHOR)
