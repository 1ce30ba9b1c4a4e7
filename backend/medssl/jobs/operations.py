"""From a request to the work it asks for: the one place that knows every kind of job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medssl.errors import ModelError
from medssl.events import Monitor
from medssl.jobs.placement import task_of
from medssl.jobs.requests import (
    BenchmarkRequest,
    EvaluateRequest,
    ExportModelRequest,
    ExportProjectRequest,
    ImportModelRequest,
    ImportRequest,
    PredictRequest,
    PretrainRequest,
    ProposeRequest,
    Request,
    SampleRequest,
    TrainRequest,
)
from medssl.jobs.results import Result

if TYPE_CHECKING:
    from medssl.project import Project


def perform(project: Project, request: Request, folder: Path, monitor: Monitor) -> Result:
    """Do what is asked, in this process; torch is imported only for the kinds that need it.

    Args:
        project: where the cases and models are.
        request: what to do.
        folder: the job's own, for checkpoints; what it holds from an earlier run is gone on from.
        monitor: hears what happens and says when to stop.
    """
    if task_of(request, gpu=False).place == "disk":
        return _perform(project, request, folder, monitor)
    from medssl.learning.threads import threads_of_share

    with threads_of_share():
        return _perform(project, request, folder, monitor)


def _perform(project: Project, request: Request, folder: Path, monitor: Monitor) -> Result:
    match request:
        case ImportRequest():
            from medssl.jobs.importing import import_folder

            return import_folder(project, request, monitor)
        case SampleRequest():
            from medssl.jobs.sampling import make_cases

            return make_cases(project, request, monitor)
        case TrainRequest():
            from medssl.jobs.training import train

            return train(project, request, folder, monitor)
        case PretrainRequest():
            from medssl.jobs.training import pretrain

            return pretrain(project, request, folder, monitor)
        case ProposeRequest():
            from medssl.jobs.proposing import propose

            return propose(project, request, monitor)
        case PredictRequest():
            from medssl.jobs.predicting import predict

            return predict(project, request, monitor)
        case EvaluateRequest():
            from medssl.jobs.evaluating import evaluate

            return evaluate(project, request, monitor)
        case BenchmarkRequest():
            from medssl.jobs.benchmarking import benchmark

            return benchmark(request, monitor)
        case ExportModelRequest() | ImportModelRequest() | ExportProjectRequest():
            return _exchange(project, request, monitor)


def _exchange(
    project: Project,
    request: ExportModelRequest | ImportModelRequest | ExportProjectRequest,
    monitor: Monitor,
) -> Result:
    from medssl.jobs import exchanging

    match request:
        case ExportModelRequest():
            return exchanging.export_model(project, request, monitor)
        case ImportModelRequest():
            return exchanging.import_model(project, request, monitor)
        case ExportProjectRequest():
            return exchanging.export_project(project, request, monitor)


def pin_model(project: Project, request: Request) -> Request:
    """Replace 'latest' by the model it means now, so that a job resumed later goes on with the same one.

    Raises:
        NotFoundError: the project has no such model.
        ModelError: it is to segment, and was only pretrained.
    """
    if isinstance(request, TrainRequest):
        if request.start_from is None:
            return request
        return request.model_copy(update={"start_from": project.model(request.start_from).id})
    if isinstance(
        request,
        ImportRequest
        | SampleRequest
        | PretrainRequest
        | BenchmarkRequest
        | ImportModelRequest
        | ExportProjectRequest,
    ):
        return request
    if isinstance(request, ExportModelRequest):  # what is pretrained can travel too
        return request.model_copy(update={"model": project.model(request.model).id})
    if isinstance(request, EvaluateRequest) and request.predictions is not None:
        return request
    model = project.model(request.model)
    if not model.can_segment:
        raise ModelError(
            f"The model {model.name} ({model.id}) is pretrained and cannot segment yet.",
            f"Train a model that begins with it (medssl train --from {model.id}), and use that one.",
        )
    return request.model_copy(update={"model": model.id})
