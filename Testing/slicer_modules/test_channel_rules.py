"""The rules by which the DICOM series of a study become a model's channels, seen and changed in Apply."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from learning import register_model
from medssl.client import ModelChannels, Project
from medssl.inference.channels import channel_rules_of
from medssl.project import Project as OpenProject
from medssl.storage import write_text
from MedSSLLib.channel_rules import Line, lines_of, rules_of
from MedSSLLib.problems import Problem
from panels import OpenPanel

CHANNELS = ("T1", "FLAIR")


@pytest.fixture
def model(panel: OpenPanel, tmp_path: Path) -> Path:
    """The folder of a model of two channels, in the project that the section Apply shows."""
    panel.ready()
    client = panel.session.client
    made = client.create_project("Brains", {1: "Tumor"}, folder=tmp_path / "brains", channel_names=CHANNELS)
    folder = model_folder(made)
    panel.session.set_project(client.project(made.key))
    panel.widget.panel.open("apply")
    panel.wait_until(lambda: panel.find("applyModelBox").count > 0)
    return folder


def model_folder(project: Project) -> Path:
    model_id = register_model(project)
    with OpenProject.open(Path(project.folder)) as opened:
        folder = opened.model(model_id).folder
    write_text(folder / "plan.json", json.dumps({"channel_names": CHANNELS}))
    return folder


def test_rules_are_edited_saved_and_forgotten(panel: OpenPanel, model: Path) -> None:
    assert panel.find("channelRulesButton").isVisibleTo(panel.find("folderPage"))  # its tab is behind
    panel.click("channelRulesButton")
    view = panel.widget.panel.views["apply"].rules_view
    panel.wait_until(lambda: view.ui.rulesTable.rowCount == 4)
    assert "usual rules" in view.ui.rulesStateLabel.text
    table = view.ui.rulesTable
    assert [table.item(row, 0).text() for row in range(4)] == ["T1", "T1", "FLAIR", "FLAIR"]
    table.setCurrentCell(1, 0)
    view.ui.removeRuleButton.click()
    assert table.rowCount == 3
    table.setCurrentCell(0, 0)
    assert not view.ui.removeRuleButton.enabled  # the last one of its channel
    table.item(0, 1).setText("mprage")
    table.cellWidget(0, 7).currentIndex = 2
    view.ui.addRuleButton.click()
    table.item(1, 3).setText("t1 protocol")
    view.ui.saveRulesButton.click()
    panel.wait_until(lambda: channel_rules_of(model) is not None)
    rules = channel_rules_of(model)
    assert rules is not None
    assert rules.model_dump(exclude_none=True)["T1"] == (
        {"description": "mprage", "contrast": False},
        {"protocol": "t1 protocol"},
    )
    panel.wait_until(lambda: "own rules" in view.ui.rulesStateLabel.text)
    view.ui.usualRulesButton.click()
    panel.wait_until(lambda: channel_rules_of(model) is None)


def test_a_rule_that_is_no_expression_is_told_and_changes_nothing(panel: OpenPanel, model: Path) -> None:
    panel.click("channelRulesButton")
    view = panel.widget.panel.views["apply"].rules_view
    panel.wait_until(lambda: view.ui.rulesTable.rowCount == 4)
    view.ui.rulesTable.item(0, 1).setText("t1(")
    view.ui.saveRulesButton.click()
    panel.wait_until(lambda: "'t1(' cannot be looked for" in view.ui.rulesProblemLabel.text)
    assert channel_rules_of(model) is None


def test_lines_become_the_rules_that_they_came_from() -> None:
    rules = {
        "T1": [{"description": "t1", "contrast": True}, {"modality": "MR"}],
        "FLAIR": [{"sequence": "IR"}],
    }
    assert rules_of(lines_of(ModelChannels(CHANNELS, rules, True)), CHANNELS) == rules
    with pytest.raises(Problem, match="channel FLAIR"):
        rules_of([Line("T1", ("t1", "", "", "", "", "")), Line("FLAIR")], CHANNELS)
