"""Letting a model propose segmentations for cases that nobody annotated."""

from __future__ import annotations

from functools import partial

from medssl.errors import DataError
from medssl.events import Monitor, Row
from medssl.imaging.reading import read_volume
from medssl.inference.predictor import Prediction, Predictor
from medssl.jobs.failures import Failed, attempt
from medssl.jobs.requests import ProposeRequest
from medssl.jobs.results import Proposal, ProposeResult
from medssl.jobs.segments import check_segments
from medssl.learning.model import load_model
from medssl.pace import Pace
from medssl.project import Case, Project


def propose(project: Project, request: ProposeRequest, monitor: Monitor) -> ProposeResult:
    """Segment the cases and keep the result as pseudo-labels; cases this model did already are left alone.

    A case that cannot be segmented is listed with its reason and stops nothing.

    Raises:
        DataError: there is no case to propose for, or none could be segmented.
        ModelError: the model is from elsewhere and finds other segments.
    """
    record = project.model(request.model)
    cases = _cases(project, request)
    todo = [case for case in cases if case.pseudo_label is None or case.pseudo_label.model_id != record.id]
    model = load_model(record.folder)
    check_segments(project.schema, model)
    predictor = Predictor(model, request.device)
    proposals, failed = [], {}
    pace = Pace()
    monitor.progress("propose", 0, len(todo))
    for number, case in enumerate(todo, start=1):
        monitor.check()
        found = attempt(case.name, partial(_predicted, predictor, case, monitor), monitor)
        if isinstance(found, Failed):
            failed[case.name] = found.reason
        else:
            _keep(project, case, found, record.id)
            proposals.append(Proposal(case=case.name, score=found.score, volumes_ml=found.volumes_ml))
            monitor.emit(_row(case, found))
        pace.count()
        monitor.progress("propose", number, len(todo), pace.seconds_for(len(todo) - number))
    if failed and not proposals:
        first = next(iter(failed.values()))
        raise DataError(f"No case could be segmented. The first: {first}")
    proposals.sort(key=lambda proposal: -proposal.score)
    return ProposeResult(model_id=record.id, proposals=tuple(proposals), failed=failed)


def _predicted(predictor: Predictor, case: Case, monitor: Monitor) -> Prediction:
    return predictor.predict([read_volume(path) for path in case.channels], monitor.check)


def _cases(project: Project, request: ProposeRequest) -> list[Case]:
    if request.cases:
        return [project.case(name) for name in request.cases]
    cases = project.whole_cases("training", "validation")
    waiting = [case for case in cases if case.state != "annotated"]
    if not waiting:
        raise DataError(
            f"Every case of {project.folder} is annotated or excluded; there is nothing to propose.",
            "Add cases, or name the ones to propose for.",
        )
    return waiting


def _row(case: Case, prediction: Prediction) -> Row:
    return Row(
        name=case.name,
        state="done",
        volumes_ml=prediction.volumes_ml,
        uncertainty=prediction.score,
        worst_slice=prediction.worst_slice,
    )


def _keep(project: Project, case: Case, prediction: Prediction, model_id: str) -> None:
    assert prediction.uncertainty is not None
    project.add_pseudo_label(
        case,
        prediction.values,
        prediction.uncertainty,
        score=prediction.score,
        model_id=model_id,
        worst_slice=prediction.worst_slice,
        worst_region=prediction.regions[0].box if prediction.regions else None,
        regions=prediction.regions,
    )
