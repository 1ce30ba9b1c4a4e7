"""Segmenting scans outside the project, with a table and a report beside them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from statistics import median

from medssl.errors import DataError, MedSSLError
from medssl.events import Monitor
from medssl.imaging.labels import read_onto
from medssl.inference.channels import channel_rules_of
from medssl.inference.folder import segment_folder
from medssl.inference.rows import FolderResult, FolderRow
from medssl.inference.settings import FolderSettings
from medssl.inference.source import Source
from medssl.jobs.reporting import (
    card_facts,
    model_facts,
    names_of,
    publish_report,
    scale_for,
    settings_facts,
)
from medssl.jobs.requests import PredictRequest
from medssl.jobs.results import PredictResult
from medssl.learning.model import Model, load_model
from medssl.project import Project
from medssl.reports.model import Fact, Preview, Problem, Report, ReportRow, Stack
from medssl.reports.previews import make_previews
from medssl.reports.scene import Scene
from medssl.reports.stacks import make_stack, share_of
from medssl.words import none_of

_HIDDEN = "Writing is burnt into its pictures and may name the patient, so they are not shown here."


def predict(project: Project, request: PredictRequest, monitor: Monitor) -> PredictResult:
    """Segment every scan of the inputs, then write the report.

    Raises:
        DataError: there is no scan, or none could be segmented.
    """
    folder = project.model(request.model).folder
    model = load_model(folder)
    settings = FolderSettings(
        format=request.format,
        recursive=request.recursive,
        skip_done=request.skip_done,
        device=request.device,
        names=request.names,
        any_series=request.any_series,
        channels=request.channels or channel_rules_of(folder),
        fractional=request.fractional,
        measurements=request.measurements,
    )
    result = segment_folder(model, request.inputs, request.output, settings, monitor)
    report = publish_report(request.output, _report(project, model, request, result, monitor))
    if len(result.failed) + len(result.unfit) == len(result.rows):
        first = next(iter((result.failed or result.unfit).values()))
        raise DataError(f"{none_of(len(result.rows), 'scan')} could be segmented. The first: {first}")
    return PredictResult(
        model_id=model.card.id,
        done=result.count("done"),
        skipped=result.count("skipped"),
        failed=result.failed,
        unfit=result.unfit,
        output=request.output,
        table=result.table,
        report=report,
    )


def _report(
    project: Project, model: Model, request: PredictRequest, result: FolderResult, monitor: Monitor
) -> Report:
    rows = []
    segmented = [row for row in result.rows if row.output is not None]
    for number, row in enumerate(segmented, start=1):
        monitor.check()
        rows.append(
            _row(
                model,
                replace(row, note=_told(row.note, request)),
                result.sources[row.scan],
                _shown(row, request.inputs),
                share_of(len(segmented)),
            )
        )
        monitor.progress("report", number, len(segmented))
    return Report(
        title=_title(request, result),
        created=datetime.now().astimezone(),
        segments=model.plan.label_schema.segments,
        rows=tuple(sorted(rows, key=lambda row: -(row.uncertainty or 0.0))),
        facts=model_facts(model.card),
        card=card_facts(model.card, model.plan),
        settings=(
            *_inputs(request, result),
            *settings_facts(model.card, request.device),
            *_times(segmented),
            *_channel_shown(model),
        ),
        problems=(
            *(Problem(name, _told(reason, request)) for name, reason in result.failed.items()),
            *(Problem(name, _told(reason, request), "left out") for name, reason in result.unfit.items()),
        ),
        scale=scale_for(project, model.card.id, rows),
    )


def _title(request: PredictRequest, result: FolderResult) -> str:
    """The page's headline."""
    if _is_private(result):
        from_dicom = all(source.is_private for source in result.sources.values())
        return f"Segmentation of {len(result.rows)} {'DICOM series' if from_dicom else 'scans'}"
    return f"Segmentation of {names_of(request.inputs)}"


def _inputs(request: PredictRequest, result: FolderResult) -> tuple[Fact, ...]:
    if _is_private(result):
        return ()
    return (Fact("Scans from", ", ".join(map(str, request.inputs))),)


def _times(rows: Sequence[FolderRow]) -> tuple[Fact, ...]:
    seconds = [row.measured.seconds for row in rows if row.measured is not None]
    if not seconds:
        return ()
    told = f"{median(seconds):.1f} s from reading to writing (median), {max(seconds):.1f} s at most"
    return (Fact("Time a scan", told),)


def _channel_shown(model: Model) -> tuple[Fact, ...]:
    first, *others = model.plan.channel_names
    return (Fact("Pictures show", f"{first}, the first of {len(others) + 1} channels"),) if others else ()


def _is_private(result: FolderResult) -> bool:
    """Whether names of folders may tell of a patient."""
    return any(source.is_private for source in result.sources.values())


def _shown(row: FolderRow, inputs: Sequence[Path]) -> str:
    """Where the scan lies inside the input folders: a report is handed on, and whole paths tell names."""
    inside = (row.source.relative_to(path) for path in inputs if row.source.is_relative_to(path))
    place = next((part.as_posix() for part in inside if part.parts), row.source.name)
    return place if row.shown == str(row.source) else row.shown


def _told(note: str, request: PredictRequest) -> str:
    """What a note says, without the folders that the files of the run lie in; see `_shown`."""
    for path in (*request.inputs, request.output):
        if not path.is_absolute() or not path.name:
            continue
        note = note.replace(f"{path}{os.sep}", "").replace(str(path), path.name)
    return note


def _row(model: Model, row: FolderRow, source: Source, shown: str, most_bytes: int) -> ReportRow:
    """One scan of the report; a preview that cannot be drawn any more is left out."""
    schema, measured = model.plan.label_schema, row.measured
    assert measured is not None
    assert row.output is not None
    previews, stack = _pictures(model, row.output, source, measured.worst_slice, most_bytes)
    hidden = _HIDDEN if source.hides_pictures else ""
    state = "segmented" if row.state == "done" else "done before"
    return ReportRow(
        name=row.scan,
        source=shown,
        state=state,
        volumes_ml=tuple(measured.volumes_ml.get(name) for name in schema.names),
        uncertainty=measured.score,
        previews=previews,
        stack=stack,
        note=f"{row.note} {hidden}".strip(),
    )


def _pictures(
    model: Model, output: Path, source: Source, worst_slice: int, most_bytes: int
) -> tuple[tuple[Preview, ...], Stack | None]:
    """Draw a segmentation; nothing where a file was moved or changed since, or shows too much."""
    if source.hides_pictures:
        return (), None
    segments = model.plan.label_schema.segments
    try:
        image = source.read_first()
        values = read_onto(output, model.plan.label_schema, image.grid).array
        scene = Scene.of(image, values)
        return make_previews(scene, segments, worst_slice), make_stack(
            scene, segments, worst_slice, most_bytes
        )
    except MedSSLError:
        return (), None
