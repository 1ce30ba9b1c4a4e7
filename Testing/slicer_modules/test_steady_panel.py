"""The panel fits into a narrow dock, nothing moves under the mouse, and one line says what comes next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import qt
import slicer
from learning import ActedJob, new_project, propose, register_model
from medssl.client import Client, Project
from panels import OpenPanel

NARROW = 380  # pixels; Slicer's dock is often no wider
_AROUND = 30  # pixels, of the frames and margins around what a section holds


@pytest.fixture
def project(engine: Client, small_dataset: Path) -> Project:
    """Three proposals of a model, the one for small_3 the most uncertain."""
    project = new_project(engine, small_dataset)
    register_model(project, annotated=1)
    propose(project, "small_3", "small_2", "small_4")
    return engine.project(project.key)


@pytest.fixture
def opened(panel: OpenPanel, project: Project) -> OpenPanel:
    """The panel with the project open, and every section unfolded."""
    panel.ready()
    panel.session.set_project(project)
    for button in panel.widget.panel.buttons.values():
        button.collapsed = False
    panel.wait_until(lambda: panel.find("queueTable").rowCount == 3)
    return panel


def least_widths(panel: OpenPanel) -> dict[str, int]:
    """The least widths of the panel with the sections that need more than a narrow dock has."""
    views = panel.widget.panel.views.items()
    widths = {name: view.widget.minimumSizeHint.width() + _AROUND for name, view in views}
    return {name: width for name, width in widths.items() if width > NARROW}


def top(panel: OpenPanel, name: str) -> int:
    """Where a widget is in the panel, from above."""
    for _turn in range(3):
        panel.widget.parent.resize(NARROW, panel.widget.parent.sizeHint.height())
        slicer.app.processEvents()
    return int(panel.find(name).mapTo(panel.widget.parent, qt.QPoint(0, 0)).y())


def logic(panel: OpenPanel, section: str) -> Any:
    return panel.widget.panel.views[section].logic


def begin(panel: OpenPanel) -> None:
    """Have the first proposal on the screen."""
    panel.click("nextButton")
    panel.wait_until(
        lambda: logic(panel, "review").desk.case is not None and panel.find("acceptButton").enabled, 60
    )


def test_every_section_fits_into_a_narrow_panel_while_one_works_with_it(opened: OpenPanel) -> None:
    assert least_widths(opened) == {}
    begin(opened)
    opened.find("correctButton").checked = True
    logic(opened, "review").desk.touch()
    assert "Save correction" in opened.find("acceptButton").text
    assert least_widths(opened) == {}
    logic(opened, "review").desk.discard()
    opened.click("nextCaseButton") if opened.find("nextCaseButton").enabled else None
    opened.find("addButton").checked = True
    opened.find("newButton").click()
    assert least_widths(opened) == {}


def test_the_decisions_stay_where_they_are_while_the_queue_becomes_shorter(opened: OpenPanel) -> None:
    begin(opened)
    before = {
        name: top(opened, name) for name in ("acceptButton", "rejectButton", "nextButton", "worstSliceButton")
    }
    opened.click("acceptButton")
    while_saving = {name: top(opened, name) for name in before}
    opened.wait_until(
        lambda: opened.find("queueTable").rowCount == 2 and opened.find("acceptButton").enabled, 60
    )
    assert while_saving == before
    assert {name: top(opened, name) for name in before} == before


def test_a_message_comes_and_goes_without_moving_anything(opened: OpenPanel) -> None:
    opened.widget.panel.message.clear()
    before = top(opened, "acceptButton")
    opened.session.say("It worked.")
    assert top(opened, "acceptButton") == before
    assert opened.shows("messageCloseButton")
    opened.click("messageCloseButton")
    assert top(opened, "acceptButton") == before
    assert not opened.shows("messageCloseButton")


def test_where_nothing_is_told_one_line_says_what_comes_next(opened: OpenPanel, project: Project) -> None:
    line = opened.find("messageLabel")
    opened.widget.panel.message.clear()
    assert "Next: review 3 proposals, in the section Review." in line.text
    job = ActedJob(project, {"kind": "train", "settings": {"method": "supervised", "steps": 100}})
    job.learn([10])
    opened.session.jobs.refresh()
    opened.wait_until(
        lambda: "Training: step 10 / 100, 90 s left" not in line.text and "Training: " in line.text, 30
    )
    opened.session.say("Something was saved.")
    assert "Something was saved." in line.text
    assert "Training" not in line.text
    opened.click("messageCloseButton")
    assert "Training: " in line.text
    job.end("cancelled")
    opened.wait_until(lambda: "Next: review" in line.text, 30)
    opened.session.set_project(None)
    assert "Next: make a project" in line.text


def test_a_training_that_fails_is_told_also_while_its_section_is_folded(
    opened: OpenPanel, project: Project
) -> None:
    opened.widget.panel.buttons["train"].collapsed = True
    job = ActedJob(project, {"kind": "train", "settings": {"method": "supervised", "steps": 100}})
    opened.session.jobs.refresh()
    opened.wait_until(lambda: opened.session.jobs.active)
    job.end("failed", error="The disk of /data is full.", remedy="Free some space.")
    opened.wait_until(
        lambda: "Training failed: The disk of /data is full. Free some space." in opened.message, 30
    )


def test_while_a_training_starts_its_bar_moves_without_a_figure(opened: OpenPanel, project: Project) -> None:
    job = ActedJob(project, {"kind": "train", "settings": {"method": "supervised", "steps": 100}})
    opened.session.jobs.refresh()
    opened.wait_until(lambda: "getting ready" in opened.find("trainingTitleLabel").text, 30)
    assert opened.find("trainingBar").maximum == 0
    assert "A training runs: getting ready" in opened.find("refineLabel").text
    job.learn([20])
    opened.wait_until(lambda: opened.find("trainingBar").value == 200, 30)
    assert opened.find("trainingBar").maximum == 1000
    job.end("cancelled")


def test_a_newer_proposal_for_the_case_on_the_screen_is_shown_unless_something_is_drawn(
    opened: OpenPanel, project: Project, engine: Client
) -> None:
    begin(opened)
    desk = logic(opened, "review").desk
    seen = desk.case.pseudo_label.id
    desk.touch()
    propose(project, "small_3")
    opened.session.cases_changed.emit()
    opened.wait_until(lambda: not opened.session.background._pending, 30)
    assert desk.case.pseudo_label.id == seen
    desk.discard()
    propose(project, "small_4", "small_3")  # with another score, as another model gives
    opened.session.cases_changed.emit()
    opened.wait_until(lambda: not desk.busy and desk.case.pseudo_label.id != seen, 60)
    assert "newer proposal for small_3" in opened.message
    opened.click("acceptButton")
    opened.wait_until(lambda: engine.case(project.key, "small_3").state == "annotated", 60)


def test_the_end_of_the_queue_says_where_rejected_scans_are_drawn(
    opened: OpenPanel, project: Project
) -> None:
    propose(project, "small_5")
    opened.session.cases_changed.emit()
    opened.wait_until(lambda: opened.find("queueTable").rowCount == 4, 30)
    begin(opened)
    for left in (3, 2, 1, 0):
        opened.click("rejectButton")
        opened.wait_until(
            lambda left=left: (
                opened.find("queueTable").rowCount == left and not logic(opened, "review").desk.busy
            ),
            60,
        )
    told = "Draw the rejected scans, 4, in the section Annotate"
    opened.wait_until(lambda: told in opened.find("queueLabel").text, 30)
    assert "since the last model: 0; 3 are enough" in opened.find("refineLabel").text
    assert not opened.find("refineButton").enabled
