"""Bringing the cases of a data set into the project."""

from __future__ import annotations

from medssl.errors import DataError
from medssl.events import Monitor
from medssl.exchange.datasets import Dataset, DatasetCase, read_dataset
from medssl.jobs.requests import ImportRequest
from medssl.jobs.results import ImportResult
from medssl.pace import Pace
from medssl.project import Project, Role


def import_dataset(project: Project, request: ImportRequest, monitor: Monitor) -> ImportResult:
    """Add the cases of a data set, and the labels that the request asks for, as annotations.

    A case that is there already stays as it is, so that a second run finishes what a first one began.

    Raises:
        DataError: the data set has fewer labelled cases than the request divides among roles.
    """
    dataset = read_dataset(request.dataset)
    wanted = _divide(dataset, request)
    there = {case.name for case in project.cases()}
    added = annotated = 0
    pace = Pace()
    for number, (case, role, with_labels) in enumerate(wanted, start=1):
        monitor.check()
        if case.name not in there:
            project.add_case(case.name, case.channels, copy=request.copy_files, role=role)
            added += 1
        if with_labels and case.labels is not None and project.case(case.name).annotation is None:
            project.save_annotation(case.name, case.labels, author=dataset.name)
            annotated += 1
        pace.count()
        monitor.progress("import", number, len(wanted), pace.seconds_for(len(wanted) - number))
    return ImportResult(cases=added, annotated=annotated, already_there=len(wanted) - added)


def _divide(dataset: Dataset, request: ImportRequest) -> list[tuple[DatasetCase, Role, bool]]:
    """Say for each case that comes in its role and whether its labels come with it."""
    labelled = [case for case in dataset.cases if case.labels is not None and not case.test]
    unlabelled = [case for case in dataset.cases if case.labels is None and not case.test]
    kept = len(labelled) - request.leave_out
    training = kept - request.validation
    annotated = training if request.annotated is None else request.annotated
    if training < annotated or kept < 0:
        raise DataError(
            f"{dataset.folder} has {len(labelled)} labelled cases; {annotated} annotated, "
            f"{request.validation} for validation and {request.leave_out} left out are more than that.",
            "Ask for fewer.",
        )
    plan: list[tuple[DatasetCase, Role, bool]] = []
    for index, case in enumerate(labelled[:kept]):
        plan.append((case, "training", index < annotated) if index < training else (case, "validation", True))
    plan.extend((case, "training", False) for case in unlabelled)
    return plan
