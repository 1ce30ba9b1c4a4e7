"""The section Models: what there is, how models compare, and what leaves and enters the project."""

from __future__ import annotations

from pathlib import Path

import pytest
from learning import ActedEngine, new_project, register_model
from medssl.client import Client, Project
from panels import OpenPanel, person_answers


@pytest.fixture
def project(engine: Client, small_dataset: Path) -> Project:
    """A project with two models that segment and a pretrained one."""
    project = new_project(engine, small_dataset)
    register_model(project, name="First", validation_dice={"Kidney": 0.9, "Renal pelvis": 0.7})
    register_model(project, name="Second", steps=20)
    register_model(project, name="Encoder", method="rotation", heads=())
    return project


@pytest.fixture
def opened(panel: OpenPanel, project: Project) -> OpenPanel:
    panel.ready()
    panel.session.set_project(project)
    panel.widget.panel.open("models")
    panel.wait_until(lambda: panel.find("modelsTable").rowCount == 3)
    return panel


def rows(panel: OpenPanel) -> dict[str, list[str]]:
    table = panel.find("modelsTable")
    texts = [[table.item(row, n).text() for n in range(4)] for row in range(table.rowCount)]
    return {line[0].partition(",")[0]: line[1:] for line in texts}


def choose(panel: OpenPanel, *names: str) -> None:
    """Select models by name, as clicks with Ctrl do."""
    from MedSSLLib import table_rows

    models = {model.name: model.id for model in panel.session.models.models}
    table_rows.choose(panel.find("modelsTable"), [models[name] for name in names])


def test_models_are_listed_with_what_they_are_worth(opened: OpenPanel) -> None:
    assert rows(opened)["First"][:2] == ["Supervised", "0.800"]
    assert rows(opened)["Second"][:2] == ["Supervised", "–"]
    assert rows(opened)["Encoder"][:2] == ["Rotation (pretrained)", ""]
    assert opened.find("modelsLabel").text.startswith("3 models, ")


def test_two_models_are_laid_side_by_side(opened: OpenPanel) -> None:
    choose(opened, "First", "Second")
    facts = opened.find("factsTable")
    opened.wait_until(lambda: facts.rowCount > 0)
    told = {facts.item(row, 0).text(): facts.item(row, 1).text() for row in range(facts.rowCount)}
    assert "≠ Steps" in told
    assert "Seed" in told
    assert not opened.find("exportModelButton").enabled


def test_a_model_is_deleted_after_a_question(
    opened: OpenPanel, engine: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(opened, "First")
    with person_answers(monkeypatch, "Keep") as told:
        opened.click("deleteModelButton")
    assert "Delete the model 'First, " in told[0]
    opened.wait_until(lambda: not opened.session.background._pending)
    assert len(engine.models(project.key)) == 3

    with person_answers(monkeypatch, "Delete"):
        opened.click("deleteModelButton")
    opened.wait_until(lambda: opened.find("modelsTable").rowCount == 2)
    assert {model.name for model in engine.models(project.key)} == {"Second", "Encoder"}


def test_a_model_is_exported_and_imported_by_jobs(
    opened: OpenPanel, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from MedSSLLib import asking

    asked: list[dict[str, str]] = []
    monkeypatch.setattr(opened.session.jobs, "submit", lambda request, *calls: asked.append(request))
    monkeypatch.setattr(asking, "new_file", lambda title, name: str(tmp_path / name))
    monkeypatch.setattr(asking, "file", lambda title, kinds: str(tmp_path / "other.zip"))
    choose(opened, "First")
    opened.click("exportModelButton")
    opened.click("importModelButton")
    assert asked[0]["kind"] == "export_model"
    assert asked[0]["output"] == str(tmp_path / "First.zip")
    assert asked[1] == {"kind": "import_model", "path": str(tmp_path / "other.zip")}


def test_a_damaged_model_says_so_and_harms_no_other(
    panel: OpenPanel, engine: Client, project: Project
) -> None:
    broken = next(model for model in engine.models(project.key) if model.name == "Second")
    (Path(broken.folder) / "card.json").write_text("{", encoding="utf-8")
    panel.ready()
    panel.session.set_project(project)
    panel.wait_until(lambda: panel.find("modelsTable").rowCount == 3)
    choose(panel, "Second")
    panel.wait_until(lambda: "card.json" in panel.find("modelProblemLabel").text)
    assert not panel.find("exportModelButton").enabled
    choose(panel, "First")
    panel.wait_until(lambda: panel.find("factsTable").rowCount > 0)


def test_what_is_submitted_is_what_the_engine_knows(
    opened: OpenPanel, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acted = ActedEngine(monkeypatch, project)
    opened.session.models.export("latest", str(tmp_path / "a.zip"), "zip")
    opened.wait_until(lambda: acted.jobs)
    assert acted.asked[0]["format"] == "zip"
    acted.jobs[0].end(kind="export_model", model_id="m", output=tmp_path / "a.zip")
    opened.wait_until(lambda: opened.message == f"The model is in {tmp_path / 'a.zip'}.")


def test_an_export_that_fails_says_why(
    opened: OpenPanel, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acted = ActedEngine(monkeypatch, project)
    opened.session.models.export("latest", str(tmp_path / "a.onnx"), "onnx")
    opened.wait_until(lambda: acted.jobs)
    acted.jobs[0].end("failed", "This model cannot segment.", "Train it first.")
    opened.wait_until(lambda: opened.message == "This model cannot segment. Train it first.")


def test_before_a_model_is_selected_there_is_no_empty_table(opened: OpenPanel) -> None:
    assert not opened.shows("factsTable")
