"""An answer that comes when another project is open: the ids in it mean other cases there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from shutil import copyfile
from typing import Any

import pytest
from desks import draw, logic, show
from learning import project_with_proposals
from medssl.client import Client, Project
from MedSSLLib import asking
from MedSSLLib.drawings import author_name
from panels import OpenPanel

SAVE, DISCARD = range(2)
NAMES = ("small_3", "small_2", "small_4")


@pytest.fixture
def project(engine: Client, small_dataset: Path) -> Project:
    """'small_1' is annotated, and a model proposed something for three others."""
    return project_with_proposals(engine, small_dataset, *NAMES)


@pytest.fixture
def other(engine: Client, small_dataset: Path) -> Project:
    """A project whose cases have the same ids and names."""
    return project_with_proposals(engine, small_dataset, *NAMES)


@pytest.fixture
def opened(panel: OpenPanel, project: Project) -> OpenPanel:
    panel.ready()
    panel.session.set_project(project)
    panel.wait_until(lambda: panel.find("queueTable").rowCount == len(NAMES))
    return panel


def settled(panel: OpenPanel) -> None:
    panel.wait_until(lambda: not panel.session.background._pending and not panel.session.safety.unsaved, 60)


def states(client: Client, project: Project) -> list[str]:
    return [client.case(project.key, name).state for name in NAMES]


@pytest.mark.parametrize(("button", "state"), [("acceptButton", "annotated"), ("rejectButton", "rejected")])
def test_a_decision_that_is_answered_late_is_none_of_the_project_that_is_open_by_then(
    opened: OpenPanel, project: Project, other: Project, button: str, state: str
) -> None:
    client, review = opened.session.client, show(opened, "review", "small_3")
    opened.click(button)
    opened.session.set_project(other)  # before a turn of the event loop can bring the answer
    settled(opened)
    assert states(client, project) == [state, "proposed", "proposed"]
    assert "What you decided about small_3 is saved" in opened.message
    assert review.desk.case is None
    assert not review.can_undo
    assert not opened.find("undoButton").enabled
    opened.click("nextButton")
    opened.wait_until(lambda: review.desk.case is not None and not review.desk.busy, 60)
    assert states(client, other) == ["proposed"] * 3


def test_a_case_of_a_decision_that_is_taken_back_is_not_shown_in_another_project(
    opened: OpenPanel, project: Project, other: Project
) -> None:
    client, review = opened.session.client, show(opened, "review", "small_3")
    review.accept()
    opened.wait_until(lambda: review.desk.case.name == "small_2" and not review.desk.busy, 60)
    settled(opened)
    review.undo()
    opened.session.set_project(other)
    settled(opened)
    assert states(client, project) == ["proposed"] * 3
    assert review.desk.case is None
    assert not review.desk.busy


def _next(panel: OpenPanel) -> None:
    logic(panel, "review").next()


def _annotate_another(panel: OpenPanel) -> None:
    logic(panel, "annotate").open(panel.session.client.case(panel.session.project.key, "small_5").id)


@pytest.mark.parametrize(
    ("section", "name", "go_on"),
    [("annotate", "small_1", _annotate_another), ("review", "small_3", _next)],
)
def test_what_was_asked_for_before_a_drawing_was_saved_is_not_shown_in_another_project(
    opened: OpenPanel,
    project: Project,
    other: Project,
    section: str,
    name: str,
    go_on: Callable[[OpenPanel], None],
) -> None:
    client = opened.session.client
    before = len(client.annotations(project.key, client.case(project.key, name).id))
    draw(show(opened, section, name).desk)
    go_on(opened)  # asks whether to save; under testing it does
    opened.session.set_project(other)
    settled(opened)
    assert len(client.annotations(project.key, client.case(project.key, name).id)) == before + 1
    assert all(logic(opened, each).desk.case is None for each in ("annotate", "review"))


def arrives_while_asked(
    monkeypatch: pytest.MonkeyPatch, panel: OpenPanel, project: Project, place: int
) -> None:
    """Every question is answered in the same way, and the first one when another project has come."""
    coming = [project]

    def choose(*_: object, **_more: object) -> int:
        if coming:
            panel.session.set_project(coming.pop())
        return place

    monkeypatch.setattr(asking, "choose", choose)


@pytest.mark.parametrize("place", [SAVE, DISCARD])
def test_a_case_that_was_asked_for_is_not_shown_in_a_project_that_came_while_the_question_was_open(
    opened: OpenPanel, project: Project, other: Project, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    client, desk = opened.session.client, show(opened, "review", "small_3").desk
    draw(desk)
    arrives_while_asked(monkeypatch, opened, other, place)
    _next(opened)
    settled(opened)
    assert desk.case is None
    assert states(client, project)[0] == ("annotated" if place == SAVE else "proposed")
    assert states(client, other) == ["proposed"] * 3


@pytest.mark.parametrize(("place", "versions"), [(SAVE, 2), (DISCARD, 1)])
def test_a_case_takes_no_place_in_a_project_that_came_while_the_drawing_there_was_asked_about(
    opened: OpenPanel,
    project: Project,
    other: Project,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    place: int,
    versions: int,
) -> None:
    client, annotate = opened.session.client, show(opened, "annotate", "small_1")
    review = logic(opened, "review")
    review.open(client.case(project.key, "small_3").id)
    draw(annotate.desk)  # before the other case is read
    arrives_while_asked(monkeypatch, opened, other, place)
    settled(opened)
    assert len(versions_of(client, project)) == versions
    assert annotate.desk.case is None
    assert review.desk.case is None
    assert "could not be shown" not in caplog.text


def choose_annotated(panel: OpenPanel) -> None:
    """Select 'small_1', the first row of the table of cases."""
    table = panel.find("casesTable")
    panel.wait_until(lambda: table.item(0, 0) is not None and table.item(0, 0).text() == "small_1")
    table.selectRow(0)
    assert panel.find("versionsButton").enabled


def versions_of(client: Client, project: Project) -> list[tuple[int | None, str]]:
    """What each version of 'small_1' was restored from, and who did it."""
    case = client.case(project.key, "small_1").id
    return [(each.restored_from, each.author) for each in client.annotations(project.key, case)]


def test_versions_are_restored_by_who_works_here_and_their_window_goes_with_the_project(
    opened: OpenPanel, project: Project, other: Project
) -> None:
    client, view = opened.session.client, opened.widget.panel.views["project"]
    for each in (project, other):
        client.restore_annotation(each.key, client.case(each.key, "small_1").id, 1, author="Anna")
    opened.session.cases_changed.emit()
    settled(opened)
    choose_annotated(opened)
    opened.click("versionsButton")
    opened.wait_until(lambda: view._versions is not None and view._versions.dialog.visible)
    view._versions.table.selectRow(1)
    view._versions.button.click()
    settled(opened)
    assert versions_of(client, project)[2:] == [(1, author_name())]
    opened.click("versionsButton")
    opened.wait_until(lambda: view._versions is not None and view._versions.dialog.visible)
    window = view._versions.dialog
    opened.session.set_project(client.project(project.key))  # the same one, described anew
    assert window.visible
    opened.session.set_project(other)
    assert not window.visible
    assert not opened.find("versionsButton").enabled  # nothing is chosen among the cases that come


def test_versions_that_come_when_another_project_is_open_are_not_shown(
    opened: OpenPanel, other: Project
) -> None:
    choose_annotated(opened)
    opened.click("versionsButton")
    opened.session.set_project(other)
    settled(opened)
    assert opened.widget.panel.views["project"]._versions is None


@pytest.mark.parametrize("late", [False, True])
def test_the_table_shows_no_picture_of_another_projects_scans(
    panel: OpenPanel, project: Project, engine: Client, small_dataset: Path, tmp_path: Path, late: bool
) -> None:
    scan, names = tmp_path / "gone.nii.gz", ("patient X", "patient Y")
    copyfile(small_dataset / "imagesTr" / "small_1.nii.gz", scan)
    unseen = engine.create_project("Unseen", {1: "Box"}, folder=tmp_path / "unseen")
    for name in names:
        engine.add_case(unseen.key, name, [scan])
    scan.unlink()  # there is no picture of its own that could take the place of a wrong one
    panel.ready()
    panel.session.set_project(project)
    pages, table = panel.widget.panel.views["project"].pages, panel.find("casesTable")
    panel.wait_until(lambda: pages._fetching if late else len(pages._pictures) == 6, 60)
    assert late or has_picture(table, 0)
    panel.session.set_project(engine.project(unseen.key))
    settled(panel)
    assert [table.item(row, 0).text() for row in range(table.rowCount)] == list(names)
    assert not any(has_picture(table, row) for row in range(table.rowCount))


def has_picture(table: Any, row: int) -> bool:
    """Whether the icon of a row is anything but transparent."""
    image = table.item(row, 0).icon().pixmap(table.iconSize).toImage()
    return bool(image.pixelColor(image.width() // 2, image.height() // 2).alpha())
