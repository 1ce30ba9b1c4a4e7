"""Refining begins in the section Review, and goes on with how the last model was trained."""

from __future__ import annotations

from pathlib import Path

import pytest
from learning import ActedEngine, ActedJob, project_with_proposals, register_model
from medssl.client import Client, Project
from panels import OpenPanel


@pytest.fixture
def project(engine: Client, small_dataset: Path) -> Project:
    return project_with_proposals(engine, small_dataset, "small_3", "small_2", "small_4")


@pytest.fixture
def opened(panel: OpenPanel, project: Project) -> OpenPanel:
    """The panel with a proposal on the screen."""
    panel.ready()
    panel.session.set_project(project)
    panel.widget.panel.open("review")
    panel.wait_until(lambda: panel.find("queueTable").rowCount == 3)
    panel.click("nextButton")
    panel.wait_until(lambda: panel.find("acceptButton").enabled, 30)
    return panel


def test_refining_goes_on_from_the_last_model_with_what_was_decided(
    opened: OpenPanel, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not opened.find("refineButton").enabled
    register_model(project, annotated=1)
    opened.session.models_changed.emit()
    opened.wait_until(lambda: "model: 0; 3 are enough" in opened.find("refineLabel").text)
    opened.click("acceptButton")
    opened.wait_until(lambda: "model: 1; 3 are enough" in opened.find("refineLabel").text)
    opened.wait_until(lambda: opened.session.models.last is not None)
    acted = ActedEngine(monkeypatch, project)
    opened.wait_until(lambda: opened.find("refineButton").enabled)
    opened.click("refineButton")
    opened.wait_until(lambda: acted.jobs)
    assert acted.asked[0]["start_from"] == opened.session.models.last.id
    assert acted.asked[0]["settings"]["method"] == "supervised"
    assert acted.asked[0]["settings"]["seconds"] == 300.0
    acted.jobs[0].end("cancelled")


def test_refining_goes_on_with_the_method_and_effort_of_the_last_training_and_says_so(
    opened: OpenPanel, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = register_model(project, annotated=1, name="Contrastive")
    settings = {"method": "local_contrastive", "seconds": 3600.0, "device": "cpu"}
    made = ActedJob(project, {"kind": "train", "settings": settings})
    made.end(kind="train", model_id=model, steps=8, seconds=3600.0, validation_dice=None)
    opened.session.jobs.refresh()
    opened.session.models_changed.emit()
    told = "Refining goes on with Contrastive self-training, Thorough (30 min)."
    opened.wait_until(lambda: opened.find("refineLabel").text.endswith(told))
    opened.click("acceptButton")
    acted = ActedEngine(monkeypatch, project)
    opened.wait_until(lambda: opened.find("refineButton").enabled)
    opened.click("refineButton")
    opened.wait_until(lambda: acted.jobs)
    chosen = acted.asked[0]["settings"]
    assert (chosen["method"], chosen["seconds"], chosen["device"]) == ("local_contrastive", 1800.0, "cpu")
    acted.jobs[0].end("cancelled")
