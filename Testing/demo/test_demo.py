"""The demo does the whole job and leaves what it says it leaves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from medssl.demo import DemoSettings, run_demo
from medssl.errors import DataError, UsageError
from medssl.evaluation.metrics import score_case
from medssl.evaluation.summary import mean_dice
from medssl.events import Monitor
from medssl.imaging.labels import read_labels
from medssl.inference.ledger import Ledger
from medssl.learning.card import read_card
from medssl.project import Project
from scipy.stats import spearmanr


def test_the_demo_goes_from_two_annotated_scans_to_scores_of_new_ones(
    small_dataset: Path, tmp_path: Path
) -> None:
    headings: list[str] = []
    settings = DemoSettings(data=small_dataset, out=tmp_path / "demo", steps=2, device="cpu", corrections=1)

    outcome = run_demo(settings, Monitor(), headings.append)

    assert len(headings) == 8
    assert (outcome.proposals, len(outcome.accepted), len(outcome.corrected)) == (4, 2, 1)
    assert outcome.new_scans == outcome.after.cases == outcome.before.cases == 2
    assert outcome.after.report.is_file()
    assert outcome.after.table.is_file()
    assert len(list(outcome.segmentations.glob("*.seg.nrrd"))) == 2
    assert outcome.project is not None
    with Project.open(outcome.project) as project:
        assert project.count_cases(state="annotated") == 2 + 2 + 1
        assert [model.name for model in project.models()] == ["refined", "first"]
        assert [model.id for model in project.models()] == [outcome.refined_model, outcome.first_model]
        assert read_card(project.model(outcome.refined_model).folder).started_from == outcome.first_model
        for names, kind in ((outcome.accepted, "accepted"), (outcome.corrected, "corrected")):
            assert {project.annotations(name)[-1].kind for name in names} == {kind}
        names, scores, dice = zip(*proposals(project, small_dataset), strict=True)
    assert (outcome.corrected, set(outcome.accepted)) == (names[:1], set(names[2:]))
    assert outcome.ranking == pytest.approx(spearmanr(scores, dice).statistic)
    for scored, name, model in (
        (outcome.before, "segmentations-first-model", outcome.first_model),
        (outcome.after, outcome.segmentations.name, outcome.refined_model),
    ):
        folder = tmp_path / "demo" / name
        assert [row.model_id for row in Ledger(folder).segmentations()] == [model, model]
        report = json.loads((scored.report.parent / "report.json").read_text(encoding="utf-8"))
        assert report["settings"]["Segmentations"] == str(folder)


def test_what_nobody_annotated_in_a_dataset_counts_nowhere_in_the_demo(
    partly_annotated_dataset: Path, tmp_path: Path
) -> None:
    settings = DemoSettings(
        data=partly_annotated_dataset, out=tmp_path / "demo", steps=1, device="cpu", corrections=1
    )

    outcome = run_demo(settings, Monitor(), lambda _: None)

    assert outcome.after.cases == outcome.before.cases == 2
    truths = [read_labels(path).volume.array for path in (tmp_path / "demo" / "truth").iterdir()]
    assert [np.unique(truth[:4]).tolist() for truth in truths] == [[255], [255]]
    assert outcome.project is not None
    with Project.open(outcome.project) as project:
        for case in (*outcome.corrected, "small_1", "small_2"):
            annotation = project.case(case).annotation
            assert annotation is not None
            assert np.unique(project.read_annotation(annotation)[:4]).tolist() == [255]


def proposals(project: Project, dataset: Path) -> list[tuple[str, float, float]]:
    """Name, uncertainty and true Dice of every proposal, decided or not, the least sure first."""
    found = []
    for case in map(project.case, project.cases()):
        if case.pseudo_label is not None:
            truth = read_labels(dataset / "labelsTr" / f"{case.name}.nii.gz").volume
            proposal = project.read_pseudo_label(case.pseudo_label)
            dice = mean_dice(score_case(proposal, truth.array, truth.grid, project.schema, distances=False))
            assert dice is not None
            found.append((case.name, case.pseudo_label.score, dice))
    return sorted(found, key=lambda each: -each[1])


def test_the_demo_writes_into_no_folder_that_holds_something(small_dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")

    with pytest.raises(UsageError, match="not empty"):
        run_demo(DemoSettings(data=small_dataset, out=tmp_path), Monitor(), lambda _: None)

    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_too_few_labelled_cases_are_told_before_anything_is_trained(
    small_dataset: Path, tmp_path: Path
) -> None:
    settings = DemoSettings(data=small_dataset, out=tmp_path / "demo", annotated=6)

    with pytest.raises(DataError, match="6 labelled cases"):
        run_demo(settings, Monitor(), lambda _: None)


def test_a_slow_computer_shows_on_made_up_scans_what_a_fast_one_does() -> None:
    steps, seconds = DemoSettings().budget
    assert (steps is not None, seconds) == (True, None)
    assert DemoSettings(data=Path("scans")).budget == (None, 420.0)
    assert DemoSettings(seconds=5).budget == (None, 5.0)
    assert DemoSettings(data=Path("scans"), steps=2).budget == (2, None)
