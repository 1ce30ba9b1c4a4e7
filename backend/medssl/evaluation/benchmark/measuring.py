"""One run of a benchmark: train with few annotated cases, then score cases that nobody trained on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import medssl
from medssl.evaluation.benchmark.runs import CaseResult, Run, RunResult
from medssl.evaluation.benchmark.settings import Measure
from medssl.evaluation.metrics import score_case
from medssl.events import Event, Monitor, Progress
from medssl.exchange.dataset_names import LabelValues, match_values
from medssl.exchange.datasets import Dataset, DatasetCase
from medssl.imaging.labels import read_onto
from medssl.imaging.multichannel import read_channels
from medssl.inference.predictor import Predictor
from medssl.labels import BACKGROUND, UNANNOTATED, LabelSchema
from medssl.learning import pretraining, trainer
from medssl.learning.model import Model, load_model, read_card
from medssl.learning.pretraining import pretrain_project
from medssl.learning.settings import PretrainingSettings, TrainingSettings
from medssl.learning.threads import torch_threads
from medssl.learning.training import train_project
from medssl.project import DATABASE_NAME, Project

SCORING = "Scoring"
_SHOWN = (pretraining.STAGE, trainer.STAGE, SCORING)


class RunMonitor(Monitor):
    """Passes on what matters of a run's many events, with the run's name; it stops when the outer one does.

    Args:
        outer: of the whole benchmark.
        title: of the run.
    """

    def __init__(self, outer: Monitor, title: str) -> None:
        super().__init__(self._take)
        self._outer = outer
        self._title = title

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked the benchmark to stop."""
        return self._outer.cancelled

    def _take(self, event: Event) -> None:
        if isinstance(event, Progress) and event.stage in _SHOWN:
            self._outer.progress(f"{self._title}: {event.stage}", event.done, event.total, event.left_s)
        elif event.kind == "log" and event.level != "info":
            self._outer.log(f"{self._title}: {event.text}", event.level)


def divide(dataset: Dataset, measure: Measure) -> tuple[list[DatasetCase], list[DatasetCase]]:
    """The labelled cases for training, and those that are held out, both in the dataset's order.

    Held out are the last ones, or, where they shall be spread, the last of each of `held_out` equal parts: a
    dataset's order often is that in which scans came in, and its end need not be like the rest.
    """
    labelled = [case for case in dataset.cases if case.labels is not None]
    count = min(measure.held_out, len(labelled))
    step = len(labelled) / count if measure.spread and count else 1.0
    held_out = {len(labelled) - 1 - int(i * step) for i in range(count)}
    train = [case for index, case in enumerate(labelled) if index not in held_out]
    return train, [labelled[index] for index in sorted(held_out)]


def measure_run(dataset: Dataset, run: Run, folder: Path, monitor: Monitor) -> RunResult:
    """Do a run, or go on with it where an earlier call with the same folder stopped.

    Args:
        dataset: its cases are divided as `divide` says.
        run: what to measure.
        folder: the run's own; it gets a project with the cases, and checkpoints.
        monitor: told of progress, asked whether to stop.

    Raises:
        DataError: the labels of a case do not fit.
        Cancelled: the person asked to stop; a checkpoint is kept.
    """
    train, test = divide(dataset, run.measure)
    schema = _schema(dataset, run.measure.largest_component)
    values = match_values(dataset, schema)
    with torch_threads(run.measure.threads):
        with _project(folder / "project", dataset, schema) as project:
            _fill(project, train, run.annotated, values, monitor)
            learned = _learn(project, run, folder, monitor)
        predictor = Predictor(learned.model, run.measure.device)
        cases = _score_all(predictor, test, schema, values, monitor)
        unannotated = train[run.annotated :][: run.measure.proposals]
        proposals = _score_all(predictor, unannotated, schema, values, monitor)
    return RunResult(
        run=run,
        segments=schema.names,
        cases=cases,
        proposals=proposals,
        pretraining_steps=learned.pretraining_steps,
        steps=learned.model.card.steps,
        seconds=round(learned.seconds, 1),
        medssl_version=medssl.__version__,
    )


@dataclass(frozen=True)
class _Learned:
    """The model of a run, and what it and the pretraining before it took."""

    model: Model
    pretraining_steps: int
    seconds: float


def _schema(dataset: Dataset, largest: bool) -> LabelSchema:
    segments = tuple(s.model_copy(update={"largest_component": largest}) for s in dataset.schema.segments)
    return dataset.schema.model_copy(update={"segments": segments})


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _project(folder: Path, dataset: Dataset, schema: LabelSchema) -> Project:
    if (folder / DATABASE_NAME).exists():
        return Project.open(folder)
    return Project.create(folder, schema, dataset.channel_names)


def _fill(
    project: Project, cases: Sequence[DatasetCase], annotated: int, values: LabelValues, monitor: Monitor
) -> None:
    """Add the cases that are not there yet, the first ones with their labels."""
    there = {case.name: case for case in project.cases()}
    for index, case in enumerate(cases):
        monitor.check()
        if case.name not in there:
            project.add_case(case.name, case.channels)
        if index < annotated and case.labels is not None and project.case(case.name).annotation is None:
            with values.as_file(case.labels) as (file, _):
                project.save_annotation(case.name, file)


def _learn(project: Project, run: Run, folder: Path, monitor: Monitor) -> _Learned:
    """Pretrain, where the run asks for it, and train; what was finished before is not done again."""
    measure, start, clock = run.measure, run.arm.start, _clock(run.measure)
    pretrained, steps, seconds = None, 0, 0.0
    if start.task is not None:
        pretext = PretrainingSettings(
            method=start.task,
            steps=_steps(measure, start.share),
            seconds=_seconds(measure, start.share),
            seed=run.seed,
            device=measure.device,
        )
        pretrained = _finished(project, can_segment=False) or pretrain_project(
            project, pretext, _made(folder / "pretraining"), monitor, clock=clock
        )
        card = read_card(project.model(pretrained).folder)
        steps, seconds = card.steps, card.seconds
    settings = TrainingSettings(
        method=run.arm.method,
        steps=_steps(measure, 1 - start.share),
        seconds=_seconds(measure, 1 - start.share),
        seed=run.seed,
        device=measure.device,
    )
    trained = _finished(project, can_segment=True) or train_project(
        project, settings, _made(folder / "training"), monitor, start_from=pretrained, clock=clock
    )
    model = load_model(project.model(trained).folder)
    return _Learned(model, steps, seconds + model.card.seconds)


def _finished(project: Project, *, can_segment: bool) -> str | None:
    return next((model.id for model in project.models() if model.can_segment == can_segment), None)


def _steps(measure: Measure, share: float) -> int | None:
    return None if measure.steps is None else max(1, round(share * measure.steps))


def _seconds(measure: Measure, share: float) -> float | None:
    given = measure.seconds if measure.seconds is not None else measure.core_seconds
    return None if given is None else share * given


def _clock(measure: Measure) -> Callable[[], float]:
    return time.monotonic if measure.core_seconds is None else time.process_time


def _score_all(
    predictor: Predictor,
    cases: Sequence[DatasetCase],
    schema: LabelSchema,
    values: LabelValues,
    monitor: Monitor,
) -> tuple[CaseResult, ...]:
    scored = []
    for done, case in enumerate(cases, start=1):
        monitor.check()
        scored.append(_score(predictor, case, schema, values))
        monitor.progress(SCORING, done, len(cases))
    return tuple(scored)


def _score(predictor: Predictor, case: DatasetCase, schema: LabelSchema, values: LabelValues) -> CaseResult:
    assert case.labels is not None
    channels = read_channels(case.channels, predictor.channel_count)
    with values.as_file(case.labels) as (file, _):
        truth = read_onto(file, schema, channels[0].grid).array
    found = predictor.predict(channels)
    known = truth != UNANNOTATED
    ours, theirs = (found.values != BACKGROUND) & known, (truth != BACKGROUND) & known
    total = int(ours.sum()) + int(theirs.sum())
    return CaseResult(
        name=case.name,
        dice=tuple(
            score.dice for score in score_case(found.values, truth, channels[0].grid, schema, distances=False)
        ),
        whole=2 * int((ours & theirs).sum()) / total if total else None,
        uncertainty=found.score,
    )
