"""What the panel says of a single thing."""

from __future__ import annotations

from pathlib import Path

import pytest
from learning import new_project, propose, register_model
from medssl.client import Client, Model, Project
from MedSSLLib.pretrain_logic import facts_of
from panels import OpenPanel


@pytest.fixture
def project(engine: Client, small_dataset: Path) -> Project:
    """One proposal of one model."""
    project = new_project(engine, small_dataset)
    register_model(project, annotated=1)
    propose(project, "small_3")
    return engine.project(project.key)


def test_one_proposal_is_told_as_one(panel: OpenPanel, project: Project) -> None:
    panel.ready()
    panel.session.set_project(project)
    panel.widget.panel.open("review")
    panel.wait_until(lambda: panel.find("queueTable").rowCount == 1)
    panel.widget.panel.message.clear()
    panel.wait_until(lambda: panel.find("queueLabel").text == "1 proposal waits.")
    assert "Next: review 1 proposal, in the section Review." in panel.find("messageLabel").text


def test_an_encoder_of_one_scan_has_seen_one(panel: OpenPanel) -> None:
    card = {"unannotated_cases": 1, "seconds": 60.0}
    model = Model("m", "Rotation", "rotation", "2026-01-01", "/models/m", False, 1, card)
    assert facts_of(model).startswith("1 scan, ")
