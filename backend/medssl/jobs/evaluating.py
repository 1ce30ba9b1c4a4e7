"""Scoring segmentations against what a person drew, with a table and a report."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medssl.errors import DataError, ImageError
from medssl.evaluation.metrics import score_case
from medssl.evaluation.summary import Spread, summarise
from medssl.evaluation.tables import CaseScores, write_scores
from medssl.events import Monitor
from medssl.imaging.fitting import grown
from medssl.imaging.labels import bring_onto, read_labels
from medssl.imaging.multichannel import look_inside, read_channels
from medssl.imaging.reading import read_volume
from medssl.imaging.volume import Grid, Volume
from medssl.inference.predictor import Predictor
from medssl.jobs.failures import Failed, attempt
from medssl.jobs.pairs import Pair, find_pairs
from medssl.jobs.references import Reference
from medssl.jobs.reporting import (
    SCORES_FILE,
    card_facts,
    history,
    model_facts,
    names_of,
    publish_report,
    put,
    scale_for,
    settings_facts,
)
from medssl.jobs.requests import EvaluateRequest
from medssl.jobs.results import EvaluateResult, SegmentScore
from medssl.jobs.segments import check_segments
from medssl.labels import LabelSchema
from medssl.learning.ancestry import line_of
from medssl.learning.lessons import lessons_of
from medssl.learning.model import Model, load_model
from medssl.pace import Pace
from medssl.project import Case, Project, read_drawn
from medssl.reports.model import Fact, Preview, Problem, Report, ReportRow, Stack
from medssl.reports.previews import make_previews
from medssl.reports.scene import Scene
from medssl.reports.stacks import make_stack, share_of
from medssl.words import accepted_note, none_of, seen_note


@dataclass(frozen=True)
class _Task:
    """One case to score: its files, and how to get what is compared."""

    name: str
    files: tuple[Path, ...]
    make: Callable[[], _Scored]
    reference: str = ""  # how it came about, where that is known


@dataclass(frozen=True)
class _Found:
    """What became of the cases; a failed one is a problem of the report too."""

    scores: list[CaseScores] = field(default_factory=list)
    rows: list[ReportRow] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Scored:
    """One case, segmented by a model or read from a file, and its reference on the same grid."""

    name: str
    source: Path
    image: Volume | None
    values: NDArray[np.uint8]
    reference: NDArray[np.uint8]
    grid: Grid
    uncertainty: float | None = None
    worst_slice: int | None = None
    note: str = ""


def evaluate(project: Project, request: EvaluateRequest, monitor: Monitor) -> EvaluateResult:
    """Score every case, then write `scores.csv` and `report.html` into the request's output folder.

    A case that cannot be read or segmented is listed with its reason and stops nothing. One whose reference
    the model has proposed itself, or was trained with, is left out.

    Raises:
        DataError: there is nothing to score, or no case could be scored.
        ModelError: the model is from elsewhere and finds other segments.
    """
    schema, model, left_out, seen = project.schema, None, dict[str, str](), frozenset[str]()
    if request.predictions is not None and request.references is not None:
        pairs = find_pairs(request.predictions, request.references, request.scans)
        tasks = _of_folders(pairs, schema, len(project.channel_names))
    else:
        record = project.model(request.model)
        model = load_model(record.folder)
        check_segments(schema, model)
        line = line_of(project, model.card)
        lessons = lessons_of(project, line if request.role == "validation" else ())
        cases, left_out = _fair(project, _annotated(project, request), line, lessons.with_annotation)
        seen = frozenset(case.name for case, _ in cases if case.id in lessons.without)
        tasks = _of_model(cases, Predictor(model, request.device), monitor)
    found = _score(tasks, schema, monitor)
    accepted = tuple(score.case for score in found.scores if score.reference == "accepted")
    shown = tuple(score.case for score in found.scores if score.case in seen)
    unfair = [Problem(name, reason, "left out") for name, reason in left_out.items()]
    table = put(request.output, SCORES_FILE, lambda path: write_scores(path, found.scores))
    notes = [*([accepted_note(accepted)] if accepted else ()), *([seen_note(shown)] if shown else ())]
    report = _report(project, request, model, found.rows, [*unfair, *found.problems], notes)
    return EvaluateResult(
        model_id=None if model is None else model.card.id,
        cases=len(found.scores),
        segments=_summary(found.scores),
        failed=found.failed,
        left_out=left_out,
        accepted=accepted,
        seen=shown,
        table=table,
        report=publish_report(request.output, report),
    )


def _score(tasks: Sequence[_Task], schema: LabelSchema, monitor: Monitor) -> _Found:
    """Score one case after the other; one that fails is told of.

    Raises:
        DataError: all failed.
    """
    found, total, pace = _Found(), len(tasks), Pace()
    monitor.progress("evaluate", 0, total)
    for number, task in enumerate(tasks, start=1):
        monitor.check()
        done = attempt(task.name, partial(_score_one, task, schema, share_of(total)), monitor)
        if isinstance(done, Failed):
            found.failed[task.name] = done.reason
            found.problems.append(Problem(task.name, _told(done.reason, task)))
        else:
            found.scores.append(done[0])
            found.rows.append(done[1])
        pace.count()
        monitor.progress("evaluate", number, total, pace.seconds_for(total - number))
    if not found.scores:
        first = next(iter(found.failed.values()))
        raise DataError(f"{none_of(total, 'case')} could be scored. The first: {first}")
    return found


def _score_one(task: _Task, schema: LabelSchema, most_bytes: int) -> tuple[CaseScores, ReportRow]:
    case = task.make()
    agreement = score_case(case.values, case.reference, case.grid, schema)
    scores = CaseScores(case.name, agreement, case.uncertainty, task.reference)
    return scores, _row(case, scores, schema, most_bytes, _told(case.note, task))


def _annotated(project: Project, request: EvaluateRequest) -> list[str]:
    names = [case.name for case in project.cases(role=request.role, state="annotated")]
    if not names:
        raise DataError(
            f"No annotated case of {project.folder} has the role '{request.role}': nothing to score.",
            "Annotate cases and give them that role, or compare two folders.",
        )
    return names


def _fair(
    project: Project, names: Sequence[str], line: Collection[str], learned: Collection[int]
) -> tuple[list[tuple[Case, Reference]], dict[str, str]]:
    """Sort cases into those that say something about a model, and the others with the reason.

    A reference that the model itself has proposed agrees with it whatever it does, and one that it was
    trained with it knows: a mean over such cases measures nothing, and looks better than any other.

    Raises:
        DataError: there are only others.
    """
    found = [(case, Reference.of(project, case, line, learned)) for case in map(project.case, names)]
    left_out = {case.name: reference.refusal for case, reference in found if reference.refusal is not None}
    if len(left_out) == len(found):
        first = next(iter(left_out.values()))
        raise DataError(f"{none_of(len(found), 'case')} can be scored. The first: {first}")
    return [each for each in found if each[0].name not in left_out], left_out


def _of_model(cases: Sequence[tuple[Case, Reference]], predictor: Predictor, monitor: Monitor) -> list[_Task]:
    """Cases to segment one after the other, so that only one is in memory."""
    tasks = []
    for case, reference in cases:
        assert case.annotation is not None
        files = (*case.channels, case.annotation.path)
        make = partial(_segmented, case, predictor, monitor)
        tasks.append(_Task(case.name, files, make, reference.kind))
    return tasks


def _segmented(case: Case, predictor: Predictor, monitor: Monitor) -> _Scored:
    channels = [read_volume(path) for path in case.channels]
    prediction = predictor.predict(channels, monitor.check)
    return _Scored(
        name=case.name,
        source=case.channels[0],
        image=channels[0],
        values=prediction.values,
        reference=read_drawn(case),
        grid=channels[0].grid,
        uncertainty=prediction.score,
        worst_slice=prediction.worst_slice,
    )


def _of_folders(pairs: Sequence[Pair], schema: LabelSchema, channels: int) -> list[_Task]:
    return [
        _Task(
            pair.name,
            tuple(path for path in (pair.prediction, pair.reference, pair.scan) if path is not None),
            partial(_compared, pair, schema, channels),
        )
        for pair in pairs
    ]


def _compared(pair: Pair, schema: LabelSchema, channels: int) -> _Scored:
    true, predicted = read_labels(pair.reference), read_labels(pair.prediction)
    image, unseen = None, list[str]()
    try:
        image = None if pair.scan is None else _first_channel(pair.scan, channels)
    except ImageError as error:  # what is compared is there
        unseen.append(f"There is no picture: {error}")
    if image is not None and grown(image.grid, true.volume.grid) is image.grid:
        grid, target = image.grid, "scan"
    else:
        grid, target = _grid_of_both(true.volume.grid, predicted.volume.grid), "reference"
    reference = bring_onto(true, pair.reference, schema, grid, target)
    prediction = bring_onto(predicted, pair.prediction, schema, grid, target)
    if image is not None and not image.grid.agrees_with(grid):
        image = None
    return _Scored(
        name=pair.name,
        source=pair.prediction,
        image=image,
        values=prediction.array,
        reference=reference.array,
        grid=grid,
        note=" ".join([*reference.notes, *prediction.notes, *unseen]),
    )


def _grid_of_both(reference: Grid, prediction: Grid) -> Grid:
    """Choose where two label maps are compared: on the reference's voxels, which are never resampled.

    3D Slicer and DICOM keep the box of what was drawn alone, and what was segmented beyond it is wrong too.
    A prediction of as many voxels in another place is no such matter: `fit_to_grid` finds its origin lost,
    or tells of it.
    """
    if prediction.size == reference.size:
        return reference
    return grown(reference, prediction) or reference


def _first_channel(scan: Path, channels: int) -> Volume:
    """Read what is shown of a scan: its own file, or a part of the file of all channels."""
    inside = look_inside(scan)
    return read_volume(scan) if inside is None else read_channels([scan], channels)[0]


def _told(text: str, task: _Task) -> str:
    """A text without the folders of the files: a report is handed on, and whole paths tell names."""
    for path in task.files:
        text = text.replace(str(path), path.name)
    return text


def _row(case: _Scored, found: CaseScores, schema: LabelSchema, most_bytes: int, note: str) -> ReportRow:
    previews: tuple[Preview, ...] = ()
    stack: Stack | None = None
    if case.image is not None:
        scene = Scene.of(case.image, case.values, case.reference)
        previews = make_previews(scene, schema.segments, case.worst_slice)
        stack = make_stack(scene, schema.segments, case.worst_slice, most_bytes)
    return ReportRow(
        name=case.name,
        source=case.source.name,  # a report is handed on, and whole paths tell names
        volumes_ml=tuple(score.volume_ml for score in found.scores),
        scores=found.scores,
        uncertainty=case.uncertainty,
        previews=previews,
        stack=stack,
        note=note,
    )


def _summary(cases: Sequence[CaseScores]) -> tuple[SegmentScore, ...]:
    def mean(spread: Spread | None) -> float | None:
        return None if spread is None else spread.mean

    return tuple(
        SegmentScore(
            name=segment.name,
            dice=mean(segment.dice),
            dice_spread=None if segment.dice is None else segment.dice.std,
            jaccard=mean(segment.jaccard),
            hd95_mm=mean(segment.hd95_mm),
            asd_mm=mean(segment.asd_mm),
            missed=segment.missed,
        )
        for segment in summarise([case.scores for case in cases])
    )


def _report(
    project: Project,
    request: EvaluateRequest,
    model: Model | None,
    rows: Sequence[ReportRow],
    problems: Sequence[Problem],
    notes: Sequence[str],
) -> Report:
    card = None if model is None else model.card
    if card is not None and request.role == "training":
        trained = "These cases were trained on: the scores say how well they were learned, not more."
        notes = [*notes, trained]
    what, compared = f"on the {request.role} cases", list[Fact]()
    if request.predictions is not None and request.references is not None:
        what = f"of {names_of([request.predictions])}"
        compared = [
            Fact("Segmentations", str(request.predictions)),
            Fact("Reference", str(request.references)),
        ]
    return Report(
        title=f"Evaluation {what}",
        created=datetime.now().astimezone(),
        segments=project.schema.segments,
        rows=tuple(sorted(rows, key=lambda row: row.mean_dice if row.mean_dice is not None else 2.0)),
        facts=() if card is None else model_facts(card),
        card=() if model is None else card_facts(model.card, model.plan),
        settings=(*compared, *settings_facts(card, request.device)),
        history=history(project) if card is not None else (),
        problems=tuple(problems),
        notes=tuple(notes),
        scale=None if card is None else scale_for(project, card.id, rows),
    )
