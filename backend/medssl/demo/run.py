"""The demo, step by step: what a person would do with the command line or the panel."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from medssl.access import is_file, is_folder
from medssl.demo.material import Material, copy_new_scans, divide, make_own_dataset
from medssl.demo.outcome import DemoOutcome
from medssl.demo.settings import DemoSettings
from medssl.errors import StorageError, UsageError
from medssl.evaluation.metrics import score_case
from medssl.evaluation.ranking import spearman
from medssl.evaluation.summary import mean_dice
from medssl.events import Monitor
from medssl.imaging.labels import read_onto
from medssl.imaging.reading import read_grid
from medssl.jobs import (
    EvaluateRequest,
    EvaluateResult,
    ImportRequest,
    PredictRequest,
    ProposeRequest,
    TrainRequest,
    TrainResult,
    run_job,
    settings_for,
)
from medssl.project import CaseSummary, Project
from medssl.storage import storage_error
from medssl.words import counted

REVIEWER = "demo (known truth)"


def run_demo(settings: DemoSettings, monitor: Monitor, heading: Callable[[str], None]) -> DemoOutcome:
    """Do the whole job and return what came out.

    Args:
        settings: which scans, where to, how long.
        monitor: hears the events of all jobs.
        heading: told of each step before it begins.

    Raises:
        UsageError: the folder for the results is not empty.
        MedSSLError: see the jobs.
    """
    began = time.monotonic()
    out = _output_folder(settings)
    if settings.data is None:
        heading("1 of 8  Make 18 scans of kidneys that nobody has")
        data = make_own_dataset(out / "data", settings.seed)
    else:
        heading(f"1 of 8  Look at {settings.data}")
        data = settings.data.absolute()
    material = divide(data, settings)
    copy_new_scans(material, out / "new-scans", out / "truth")
    dataset = material.dataset
    with Project.create(out / "project", material.schema, dataset.channel_names, dataset.name) as project:
        outcome = _Demo(settings, out, material, project, monitor, heading).run(began)
    if not settings.keep:
        shutil.rmtree(out / "project", ignore_errors=True)
    return outcome


class _Demo:
    """One run of the demo over an open project."""

    def __init__(
        self,
        settings: DemoSettings,
        out: Path,
        material: Material,
        project: Project,
        monitor: Monitor,
        heading: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._out = out
        self._material = material
        self._project = project
        self._monitor = monitor
        self._heading = heading

    def run(self, began: float) -> DemoOutcome:
        """Do the steps in their order."""
        project, material = self._project, self._material
        self._heading(
            f"2 of 8  Import {counted(len(material.truth), 'case')}, {self._settings.annotated} annotated"
        )
        self._import()
        self._heading(f"3 of 8  Train with the method {self._settings.method}")
        first = self._train(start_from=None).model_id
        self._heading("4 of 8  Propose a segmentation for every other case, and rank them")
        run_job(project, ProposeRequest(model=first, device=self._settings.device), self._monitor)
        queue = project.review_queue()
        ranking = self._ranking(queue)
        self._heading("5 of 8  Review: accept the surer half, correct the least sure")
        accepted, corrected = self._review(queue)
        self._heading("6 of 8  Refine the model with what was accepted and corrected")
        refined = self._train(start_from=first).model_id
        self._heading(
            f"7 of 8  Segment the folder of {counted(len(material.new), 'new scan')} with both models"
        )
        self._segment(first, self._out / "segmentations-first-model")
        segmentations = self._segment(refined, self._out / "segmentations")
        self._heading("8 of 8  Score both against the truth, and write the reports")
        before = self._score(self._out / "segmentations-first-model", self._out / "scores-first-model")
        after = self._score(segmentations, self._out / "scores")
        return DemoOutcome(
            folder=self._out,
            project=project.folder if self._settings.keep else None,
            first_model=first,
            refined_model=refined,
            proposals=len(queue),
            ranking=ranking,
            accepted=accepted,
            corrected=corrected,
            new_scans=len(material.new),
            before=before,
            after=after,
            segmentations=segmentations,
            seconds=time.monotonic() - began,
        )

    def _import(self) -> None:
        request = ImportRequest(
            folder=self._material.dataset.folder,
            annotated=self._settings.annotated,
            leave_out=self._material.leave_out,
        )
        run_job(self._project, request, self._monitor)

    def _train(self, start_from: str | None) -> TrainResult:
        chosen, refine = self._settings, start_from is not None
        steps, seconds = chosen.budget
        settings = settings_for(
            "quick",
            method=chosen.method,
            refine=refine,
            seed=chosen.seed,
            device=chosen.device,
            steps=steps if steps is None or not refine else max(1, steps // 2),
            seconds=seconds if seconds is None or not refine else seconds / 2,
        )
        name = "refined" if refine else "first"
        request = TrainRequest(settings=settings, start_from=start_from, name=name)
        result = run_job(self._project, request, self._monitor).result
        assert isinstance(result, TrainResult)
        return result

    def _ranking(self, queue: list[CaseSummary]) -> float | None:
        """Compare the uncertainty with the truth, which only the demo knows."""
        scores, truths = [], []
        schema = self._project.schema
        for summary in queue:
            case = self._project.case(summary.id)
            path = self._material.truth[case.name]
            assert case.pseudo_label is not None
            grid = read_grid(case.channels[0])
            with self._material.values.as_file(path) as (file, _):
                truth = read_onto(file, schema, grid).array
            proposal = self._project.read_pseudo_label(case.pseudo_label)
            dice = mean_dice(score_case(proposal, truth, grid, schema, distances=False))
            if dice is not None:
                scores.append(case.pseudo_label.score)
                truths.append(dice)
        return spearman(scores, truths)

    def _review(self, queue: list[CaseSummary]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Accept the surer half as a hurried person would, and correct a few of the others from the truth."""
        worst = [case.name for case in queue[: min(self._settings.corrections, len(queue))]]
        surer = [case.name for case in queue[(len(queue) + 1) // 2 :] if case.name not in worst]
        for name in surer:
            self._monitor.check()
            self._project.accept(name, author=REVIEWER)
        for name in worst:
            self._monitor.check()
            with self._material.values.as_file(self._material.truth[name]) as (file, _):
                self._project.correct(name, file, author=REVIEWER)
        return tuple(surer), tuple(worst)

    def _segment(self, model: str, output: Path) -> Path:
        scans = (self._out / "new-scans",)
        request = PredictRequest(inputs=scans, output=output, model=model, device=self._settings.device)
        run_job(self._project, request, self._monitor)
        return output

    def _score(self, predictions: Path, output: Path) -> EvaluateResult:
        request = EvaluateRequest(
            output=output,
            predictions=predictions,
            references=self._out / "truth",
            scans=self._out / "new-scans",
        )
        result = run_job(self._project, request, self._monitor).result
        assert isinstance(result, EvaluateResult)
        return result


def _output_folder(settings: DemoSettings) -> Path:
    """The folder for everything: as asked for, or the first free 'medssl-demo', 'medssl-demo-2', ..."""
    if settings.out is not None:
        out = settings.out.absolute()
        if is_file(out, StorageError) or (is_folder(out, StorageError) and any(out.iterdir())):
            raise UsageError(f"{out} is not empty.", "Choose a new or an empty folder for the demo.")
    else:
        out, number = Path.cwd() / "medssl-demo", 2
        while out.exists():
            out, number = Path.cwd() / f"medssl-demo-{number}", number + 1
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, out) from error
    return out
