"""Models and projects out of the project folder, and models into it."""

from __future__ import annotations

from safetensors.torch import save

from medssl.events import Monitor
from medssl.exchange.dataset_writing import CaseFiles, write_dataset
from medssl.exchange.models import Statement, read_model_file
from medssl.exchange.models import export_model as write_model
from medssl.inference.channels import write_channel_rules
from medssl.jobs.requests import ExportModelRequest, ExportProjectRequest, ImportModelRequest
from medssl.jobs.results import ExportModelResult, ExportProjectResult, ImportModelResult
from medssl.learning.ancestry import line_of
from medssl.learning.model import CARD, PLAN, WEIGHTS
from medssl.learning.planner import write_plan
from medssl.pace import Pace
from medssl.project import Project
from medssl.storage import write_bytes, write_text


def export_model(project: Project, request: ExportModelRequest, monitor: Monitor) -> ExportModelResult:
    """Write a model for others; see `medssl.exchange.models.export_model`."""
    model = project.model(request.model)
    monitor.progress("export", 0, 1)
    statement = Statement(request.licence, request.intended_use, request.limits)
    write_model(model.folder, request.output, request.format, statement)
    monitor.progress("export", 1, 1)
    return ExportModelResult(model_id=model.id, output=request.output)


def import_model(project: Project, request: ImportModelRequest, monitor: Monitor) -> ImportModelResult:
    """Check a model and make it one of the project's, with an id of its own here.

    It may know other segments than the project: it can then segment folders and begin trainings. A person
    hears of it.

    Raises:
        ModelError: it was not exported by MedSSL, is damaged, or does not fit together.
    """
    monitor.progress("import", 0, 1)
    found = read_model_file(request.path)
    name = request.name or found.card.name
    monitor.check()
    model_id, folder = project.new_model_folder()
    origin = {"imported_from": found.card.id, "begun_from": line_of(project, found.card)}
    card = found.card.model_copy(update={"id": model_id, "name": name, **origin})
    write_bytes(folder / WEIGHTS, save(found.tensors))
    write_plan(folder / PLAN, found.plan)
    if found.rules is not None:
        write_channel_rules(folder, found.rules)
    write_text(folder / CARD, card.model_dump_json(indent=2) + "\n")
    segments, own = found.plan.label_schema, project.schema
    if dict(zip(segments.values, segments.names, strict=True)) != dict(
        zip(own.values, own.names, strict=True)
    ):
        monitor.log(
            f"The model finds {', '.join(segments.names)}, the project has {', '.join(own.names)}: use it "
            "for folders and to begin trainings, not for proposals and scores.",
            "warning",
        )
    record = project.register_model(model_id, name=name, method=card.method, can_segment=bool(card.heads))
    monitor.progress("import", 1, 1)
    return ImportModelResult(
        model_id=record.id, name=record.name, segments=segments.names, can_segment=record.can_segment
    )


def export_project(project: Project, request: ExportProjectRequest, monitor: Monitor) -> ExportProjectResult:
    """Write every case that is not excluded as a data set; see `medssl.exchange.dataset_writing`."""
    summaries = [summary for summary in project.cases() if summary.role != "excluded"]
    cases = []
    for summary in summaries:
        case = project.case(summary.id)
        labels = case.annotation.path if case.annotation is not None else None
        cases.append(CaseFiles(case.name, case.channels, labels, case.role == "validation"))
    pace = Pace()

    def progress(done: int) -> None:
        pace.count()
        monitor.progress("export", done, len(cases), pace.seconds_for(len(cases) - done))
        monitor.check()

    notes = write_dataset(
        request.output, project.name, project.schema, project.channel_names, cases, request.format, progress
    )
    for note in notes:
        monitor.log(note, "warning")
    annotated = sum(case.labels is not None for case in cases)
    return ExportProjectResult(output=request.output, annotated=annotated, unannotated=len(cases) - annotated)
