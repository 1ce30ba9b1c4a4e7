"""The section Models scores a model on what people drew; table and report go where a person wants them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from learning import ActedEngine, new_project, register_model
from medssl.client import Client, Project
from medssl.events import Progress
from panels import OpenPanel

KIDNEY = {
    "name": "Kidney",
    "dice": 0.9126,
    "dice_spread": 0.02,
    "jaccard": 0.84,
    "hd95_mm": 2.31,
    "missed": 0,
}
PELVIS = {
    "name": "Renal pelvis",
    "dice": 0.5,
    "dice_spread": 0.5,
    "jaccard": 0.4,
    "hd95_mm": None,
    "missed": 1,
}
SEGMENTS = ({**KIDNEY, "asd_mm": 0.456}, {**PELVIS, "asd_mm": None})


@pytest.fixture
def project(engine: Client, small_dataset: Path) -> Project:
    """A project with a scan for validation, two models that segment and a pretrained one."""
    project = new_project(engine, small_dataset)
    register_model(project, name="First")
    register_model(project, name="Second")
    register_model(project, name="Encoder", method="rotation", heads=())
    return project


@pytest.fixture
def opened(panel: OpenPanel, project: Project) -> OpenPanel:
    panel.ready()
    panel.session.set_project(project)
    panel.widget.panel.open("models")
    panel.wait_until(lambda: panel.find("modelsTable").rowCount == 3)
    return panel


def choose(panel: OpenPanel, *names: str) -> None:
    """Select models by name, as clicks with Ctrl do."""
    from MedSSLLib import table_rows

    models = {model.name: model.id for model in panel.session.models.models}
    table_rows.choose(panel.find("modelsTable"), [models[name] for name in names])


def scores(panel: OpenPanel) -> list[list[str]]:
    table = panel.find("scoresTable")
    return [[table.item(row, column).text() for column in range(4)] for row in range(table.rowCount)]


def end(job: Any, folder: Path, **more: Any) -> None:
    """Let a job be finished that scored two scans."""
    table, report = folder / "scores.csv", folder / "report.html"
    job.end(kind="evaluate", cases=2, segments=SEGMENTS, table=table, report=report, **more)


def test_a_model_is_scored_into_a_folder_that_a_person_chooses(
    opened: OpenPanel, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from MedSSLLib import asking, engine_reports

    acted, shown = ActedEngine(monkeypatch, project), list[str]()
    monkeypatch.setattr(asking, "folder", lambda title: str(tmp_path))
    monkeypatch.setattr(engine_reports, "_open_file", shown.append)
    assert not opened.shows("scoreFrame")
    choose(opened, "First")
    opened.click("scoreModelButton")
    opened.wait_until(lambda: acted.jobs)
    model = next(each.id for each in opened.session.models.models if each.name == "First")
    assert acted.asked == [{"kind": "evaluate", "model": model, "output": str(tmp_path)}]
    acted.jobs[0].report(Progress(stage="evaluate", done=1, total=2, left_s=30.0))
    opened.wait_until(lambda: opened.find("scoreLabel").text.endswith(": Scoring 1 / 2, 30 s left"))
    assert opened.find("scoreBar").value == 500
    assert opened.shows("cancelScoreButton")
    assert not opened.shows("scoreReportButton")
    assert not opened.find("scoreModelButton").enabled  # one at a time
    (tmp_path / "report.html").write_text("<p>report</p>", encoding="utf-8")
    end(acted.jobs[0], tmp_path, model_id=model, failed={"a": "b"}, left_out={"c": "d"}, seen=["e"])
    opened.wait_until(
        lambda: opened.message.startswith("2 scans are scored. The table and the report are in ")
    )
    assert scores(opened) == [["Kidney", "0.913", "2.3", "0.46"], ["Renal pelvis", "0.500", "–", "–"]]
    assert opened.find("scoresTable").item(1, 0).toolTip() == "Not found at all in one scan"
    told = opened.find("scoreLabel").text
    assert told.startswith("First, ")
    assert told.endswith(
        ", on 2 scans for validation, 1 of them seen in training without annotation, 1 not scored, "
        "1 left out (the report says why)"
    )
    assert not opened.shows("scoreBar")
    assert not opened.shows("cancelScoreButton")
    assert opened.find("scoreModelButton").enabled
    opened.click("scoreReportButton")
    opened.wait_until(lambda: shown == [str(tmp_path / "report.html")])


def test_one_usable_model_at_a_time_can_be_scored(opened: OpenPanel) -> None:
    for names, possible in ((("First",), True), (("First", "Second"), False), (("Encoder",), False)):
        choose(opened, *names)
        assert opened.find("scoreModelButton").enabled == possible


def test_nothing_to_score_on_is_said_before_a_folder_is_asked_for(
    opened: OpenPanel, engine: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from MedSSLLib import asking

    asked: list[str] = []
    monkeypatch.setattr(asking, "folder", asked.append)
    for case in engine.cases(project.key, role="validation").cases:
        engine.set_role(project.key, case.id, "training")
    choose(opened, "First")
    opened.click("scoreModelButton")
    opened.wait_until(lambda: opened.message.startswith("No scan for validation is annotated"))
    assert "in the section Project" in opened.message
    assert not asked


def test_while_a_folder_is_chosen_the_engines_answers_still_come(
    opened: OpenPanel, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from MedSSLLib import asking

    acted, answers = ActedEngine(monkeypatch, project), list[Project]()

    def look_for_one(_title: str) -> str:
        choose(opened, "Second")
        opened.session.ask(lambda client: client.project(project.key), answers.append)
        opened.wait_until(lambda: answers, 3)  # turns of the event loop, as in a window that is open
        return str(tmp_path)

    monkeypatch.setattr(asking, "folder", look_for_one)
    choose(opened, "First")
    opened.click("scoreModelButton")
    opened.click("scoreModelButton")  # with an engine far away there is time for that
    opened.wait_until(lambda: acted.jobs)
    assert [each["model"] for each in acted.asked] == [
        each.id for each in opened.session.models.models if each.name == "First"
    ]
    assert len(answers) == 1


def test_scoring_that_fails_or_is_cancelled_says_so(
    opened: OpenPanel, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acted = ActedEngine(monkeypatch, project)
    logic = opened.widget.panel.views["models"].scoring.logic
    logic.start("latest", str(tmp_path))
    opened.wait_until(lambda: acted.jobs)
    opened.wait_until(lambda: opened.find("scoreLabel").text == "The newest model: getting ready")
    acted.jobs[0].end("failed", "The weights are gone.", "Train again.")
    opened.wait_until(lambda: opened.message == "The weights are gone. Train again.")
    assert opened.find("scoreLabel").text.endswith(": failed. The weights are gone. Train again.")
    assert not opened.shows("scoresTable")
    logic.start("latest", str(tmp_path))
    opened.wait_until(lambda: len(acted.jobs) == 2 and opened.shows("cancelScoreButton"))
    opened.click("cancelScoreButton")
    opened.wait_until(lambda: (acted.jobs[1].folder / "cancel").exists())
    acted.jobs[1].end("cancelled")
    opened.wait_until(lambda: opened.find("scoreLabel").text.endswith(": cancelled."))


def test_scores_of_segmentations_that_somebody_gave_are_not_shown_as_a_models(
    opened: OpenPanel, engine: Client, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acted = ActedEngine(monkeypatch, project)
    folders = {"predictions": str(tmp_path / "a"), "references": str(tmp_path / "b")}
    engine.submit(project.key, {"kind": "evaluate", "output": str(tmp_path), **folders})
    end(acted.jobs[0], tmp_path, model_id=None)
    opened.session.jobs.attend()
    opened.wait_until(lambda: [track.job.kind for track in opened.session.jobs.tracks] == ["evaluate"])
    assert not opened.shows("scoreFrame")
