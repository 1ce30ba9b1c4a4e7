"""Two work on one project: what another decided or drew is noticed, and nobody's work is silently outdone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
from desks import draw, show
from learning import project_with_proposals, propose
from medssl.client import Client, Project
from MedSSLLib import asking, kept_drawings
from panels import OpenPanel

SAVE = 0
STAY, LATER = 1, 2


@pytest.fixture
def project(engine: Client, small_dataset: Path) -> Project:
    """'small_1' is annotated, and a model proposed something for 'small_3' and 'small_2'."""
    return project_with_proposals(engine, small_dataset, "small_3", "small_2")


@pytest.fixture
def opened(panel: OpenPanel, project: Project) -> OpenPanel:
    panel.ready()
    panel.session.set_project(project)
    panel.widget.panel.open("review")
    panel.wait_until(lambda: panel.find("queueTable").rowCount == 2)
    return panel


class Elsewhere:
    """Another client of the same engine, such as a second Slicer; `engine` is no client of the panel."""

    def __init__(self, engine: Client, project: Project) -> None:
        self.engine, self.key = engine, project.key

    def id(self, name: str) -> int:
        return self.engine.case(self.key, name).id

    def decide(self, name: str, how: str) -> None:
        proposal = self.engine.case(self.key, name).pseudo_label
        assert proposal is not None
        getattr(self.engine, how)(self.key, self.id(name), proposal.id, author="Anna")

    def annotate(self, name: str) -> None:
        self.engine.restore_annotation(self.key, self.id(name), 1, author="Anna")

    def draw(self, name: str) -> None:
        proposal = self.engine.case(self.key, name).pseudo_label
        assert proposal is not None
        self.engine.save_annotation(self.key, self.id(name), proposal.path, author="Anna", seen_version=0)

    def versions(self, name: str) -> list[tuple[str, str]]:
        """How each version came about, and who made it, 'me' being the one at the panel."""
        found = self.engine.annotations(self.key, self.id(name))
        return [(each.kind, each.author if each.author in ("", "Anna") else "me") for each in found]


@pytest.fixture
def elsewhere(engine: Client, project: Project) -> Elsewhere:
    return Elsewhere(engine, project)


def answer(monkeypatch: pytest.MonkeyPatch, place: int) -> list[str]:
    """Answer what is asked about the meantime, and save where anything else is asked."""
    asked: list[str] = []

    def choose(_title: str, text: str, *_: object, **_more: object) -> int:
        if "in the meantime" not in text:
            return SAVE
        asked.append(text)
        return place

    monkeypatch.setattr(asking, "choose", choose)
    return asked


def newest(elsewhere: Elsewhere, name: str) -> np.ndarray:
    annotation = elsewhere.engine.case(elsewhere.key, name).annotation
    assert annotation is not None
    return sitk.GetArrayFromImage(sitk.ReadImage(annotation.path))


def settled(panel: OpenPanel) -> None:
    panel.wait_until(lambda: not panel.session.background._pending and not panel.session.safety.unsaved, 60)


@pytest.mark.parametrize(("how", "button"), [("accept", "rejectButton"), ("reject", "acceptButton")])
def test_a_proposal_that_was_decided_elsewhere_is_not_decided_again(
    opened: OpenPanel, elsewhere: Elsewhere, how: str, button: str
) -> None:
    desk = show(opened, "review", "small_3").desk
    elsewhere.decide("small_3", how)
    before = elsewhere.versions("small_3")
    opened.click(button)
    opened.wait_until(lambda: f"small_3 was {how}ed" in opened.message)
    settled(opened)
    assert "in the meantime" in opened.find("caseLabel").text
    assert elsewhere.versions("small_3") == before
    assert desk.case.name == "small_3"
    assert not opened.find("acceptButton").enabled
    assert not opened.find("rejectButton").enabled
    opened.click("nextButton")
    opened.wait_until(lambda: desk.case.name == "small_2" and opened.find("acceptButton").enabled)


@pytest.mark.parametrize("button", ["acceptButton", "rejectButton"])
def test_a_proposal_whose_scan_was_annotated_elsewhere_is_not_decided(
    opened: OpenPanel, elsewhere: Elsewhere, button: str
) -> None:
    show(opened, "review", "small_3")
    elsewhere.draw("small_3")
    opened.click(button)
    opened.wait_until(lambda: "small_3 was annotated by Anna in the meantime" in opened.message)
    settled(opened)
    assert elsewhere.versions("small_3") == [("drawn", "Anna")]
    assert not opened.find("acceptButton").enabled
    assert not opened.find("undoButton").enabled


def test_cases_that_were_decided_elsewhere_are_passed_over(
    opened: OpenPanel, elsewhere: Elsewhere, project: Project
) -> None:
    propose(project, "small_4")
    opened.session.cases_changed.emit()
    opened.wait_until(lambda: opened.find("queueTable").rowCount == 3)
    logic = show(opened, "review", "small_2")
    desk = logic.desk
    settled(opened)
    logic.ahead.forget()  # read too early to know
    first, second = (
        elsewhere.engine.case(project.key, each).name for each in logic.queue.following(desk.case.id)
    )
    elsewhere.decide(first, "accept")
    opened.click("acceptButton")
    opened.wait_until(lambda: desk.case.name == second and not desk.busy)
    settled(opened)
    elsewhere.decide(second, "reject")
    opened.click("acceptButton")
    opened.wait_until(lambda: f"{second} was rejected in the meantime" in opened.message)
    settled(opened)
    assert not opened.find("nextButton").enabled


def test_who_looks_for_the_next_case_when_none_waits_any_more_is_told(
    opened: OpenPanel, elsewhere: Elsewhere
) -> None:
    logic = show(opened, "review", "small_3")
    desk = logic.desk
    settled(opened)
    logic.ahead.forget()
    elsewhere.decide("small_2", "accept")
    opened.click("nextButton")
    opened.wait_until(lambda: "No other proposal waits" in opened.message)
    opened.wait_until(lambda: opened.find("queueTable").rowCount == 1)
    assert desk.case.name == "small_3"
    assert opened.find("acceptButton").enabled


def test_what_was_decided_elsewhere_is_noticed_when_the_person_comes_back(
    opened: OpenPanel, elsewhere: Elsewhere
) -> None:
    show(opened, "review", "small_3")
    slicer.util.selectModule("")
    elsewhere.decide("small_3", "accept")
    slicer.util.selectModule("MedSSLSegment")
    opened.wait_until(lambda: "small_3 was accepted by Anna in the meantime" in opened.message)
    opened.wait_until(lambda: opened.find("queueTable").rowCount == 1)
    assert not opened.find("acceptButton").enabled


@pytest.mark.parametrize("how", ["accept", "reject"])
def test_a_correction_follows_what_was_decided_elsewhere_only_when_the_person_says_so(
    opened: OpenPanel, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    desk = show(opened, "review", "small_3").desk
    draw(desk)
    elsewhere.decide("small_3", how)
    before = elsewhere.versions("small_3")
    asked = answer(monkeypatch, STAY)
    opened.click("acceptButton")
    opened.wait_until(lambda: asked)
    settled(opened)
    assert f"small_3 was {how}ed" in asked[0].replace("The proposal for ", "")
    assert elsewhere.versions("small_3") == before
    assert desk.case.name == "small_3"
    assert desk.touched

    answer(monkeypatch, SAVE)
    opened.click("acceptButton")
    opened.wait_until(lambda: desk.case.name == "small_2")
    settled(opened)
    assert elsewhere.versions("small_3") == [*before, ("drawn", "me")]
    assert (newest(elsewhere, "small_3")[12:14, 6:9, 5:9] == 1).all()


def test_a_newer_annotation_is_followed_only_when_the_person_says_so(
    opened: OpenPanel, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = show(opened, "annotate", "small_1").desk
    draw(desk)
    elsewhere.annotate("small_1")
    asked = answer(monkeypatch, STAY)
    opened.click("saveAnnotationButton")
    opened.wait_until(lambda: asked)
    settled(opened)
    assert "small_1 was annotated by Anna in the meantime: version 2 counts now." in asked[0]
    assert len(elsewhere.versions("small_1")) == 2
    assert desk.touched

    answer(monkeypatch, SAVE)
    opened.click("saveAnnotationButton")
    opened.wait_until(lambda: not desk.touched and not desk.busy)
    assert elsewhere.versions("small_1")[1:] == [("drawn", "Anna"), ("drawn", "me")]
    assert "Version 3 is saved" in opened.find("savedLabel").text
    draw(desk)  # a block that is there: what the person saved is not taken for news
    opened.click("saveAnnotationButton")
    opened.wait_until(lambda: len(elsewhere.versions("small_1")) == 4)


def test_a_newer_annotation_is_shown_where_nothing_is_drawn_yet(
    opened: OpenPanel, elsewhere: Elsewhere
) -> None:
    desk = show(opened, "annotate", "small_1").desk
    elsewhere.annotate("small_1")
    opened.session.cases_changed.emit()
    opened.wait_until(lambda: desk.version == 2 and not desk.busy)
    assert "version 2 counts now" in opened.message
    assert "Version 2 is saved" in opened.find("savedLabel").text


@pytest.mark.parametrize("place", [SAVE, STAY, LATER])
def test_what_left_the_screen_follows_a_newer_annotation_only_when_the_person_says_so(
    opened: OpenPanel, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    draw(show(opened, "annotate", "small_1").desk)
    elsewhere.annotate("small_1")
    asked = answer(monkeypatch, place)
    slicer.mrmlScene.Clear(0)
    opened.wait_until(lambda: asked, 60)
    settled(opened)
    assert len(asked) == 1
    assert len(elsewhere.versions("small_1")) == (3 if place == SAVE else 2)
    assert len(kept_drawings.kept(elsewhere.key)) == (1 if place == LATER else 0)
    if place == LATER:
        assert "asked about at the next start" in opened.message


def test_a_correction_that_leaves_the_screen_while_it_is_asked_about_is_kept(
    opened: OpenPanel, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw(show(opened, "review", "small_3").desk)
    elsewhere.decide("small_3", "accept")
    answers = [STAY, LATER]

    def choose(*_: object, **_more: object) -> int:
        opened.session.set_project(None)
        return answers.pop(0)

    monkeypatch.setattr(asking, "choose", choose)
    opened.click("acceptButton")
    opened.wait_until(lambda: not answers)
    settled(opened)
    assert len(kept_drawings.kept(elsewhere.key)) == 1


def test_at_the_end_of_slicer_a_drawing_that_was_overtaken_is_kept_for_the_next_start(
    opened: OpenPanel, elsewhere: Elsewhere, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw(show(opened, "review", "small_3").desk)
    elsewhere.decide("small_3", "accept")
    asked = answer(monkeypatch, SAVE)
    opened.close()
    assert not asked
    assert len(elsewhere.versions("small_3")) == 1
    opened.reopen()
    opened.ready()
    opened.session.set_project(project)
    opened.wait_until(lambda: len(elsewhere.versions("small_3")) == 2, 60)
    assert "small_3 was accepted by Anna" in asked[0]
    settled(opened)
    assert not kept_drawings.kept(elsewhere.key)


def test_undo_takes_back_only_what_was_decided_here(opened: OpenPanel, elsewhere: Elsewhere) -> None:
    desk = show(opened, "review", "small_3").desk
    opened.click("acceptButton")
    opened.wait_until(lambda: desk.case.name == "small_2" and not desk.busy)
    elsewhere.annotate("small_3")
    opened.click("undoButton")
    opened.wait_until(lambda: "small_3 was annotated by Anna in the meantime" in opened.message)
    settled(opened)
    assert elsewhere.engine.case(elsewhere.key, "small_3").annotation.version == 2
    assert not opened.find("undoButton").enabled


def test_undo_says_in_words_which_decision_it_took_back(opened: OpenPanel, elsewhere: Elsewhere) -> None:
    desk = show(opened, "review", "small_3").desk
    for button, decision in (("rejectButton", "rejection"), ("acceptButton", "acceptance")):
        opened.click(button)
        opened.wait_until(lambda: desk.case.name == "small_2" and not desk.busy)
        opened.click("undoButton")
        opened.wait_until(lambda: desk.case is not None and desk.case.name == "small_3" and not desk.busy)
        told = f"The {decision} of small_3 is taken back: the proposal waits for a decision again."
        assert opened.message == told
        settled(opened)


def test_undo_of_a_rejection_that_somebody_annotated_over_says_that_it_is_not_taken_back(
    opened: OpenPanel, elsewhere: Elsewhere
) -> None:
    desk = show(opened, "review", "small_3").desk
    opened.click("rejectButton")
    opened.wait_until(lambda: desk.case.name == "small_2" and not desk.busy)
    elsewhere.draw("small_3")
    opened.click("undoButton")
    opened.wait_until(lambda: "small_3 was annotated by Anna in the meantime" in opened.message)
    assert opened.message.endswith("The rejection of small_3 is not taken back.")
    assert "version 0" not in opened.message


def test_undo_goes_on_with_the_decision_before_one_that_was_undone_elsewhere(
    opened: OpenPanel, elsewhere: Elsewhere
) -> None:
    desk = show(opened, "review", "small_3").desk
    opened.click("acceptButton")
    opened.wait_until(lambda: desk.case.name == "small_2" and not desk.busy)
    opened.click("rejectButton")
    opened.wait_until(lambda: desk.case is None and not desk.busy)
    elsewhere.engine.undo(elsewhere.key, elsewhere.id("small_2"))
    opened.click("undoButton")
    opened.wait_until(lambda: "small_2 is left to undo: it was undone elsewhere" in opened.message)
    settled(opened)
    opened.click("undoButton")
    opened.wait_until(lambda: desk.case is not None and desk.case.name == "small_3")
    assert "The acceptance of small_3 is taken back" in opened.message


def test_a_case_that_was_excluded_elsewhere_can_still_be_decided(
    opened: OpenPanel, elsewhere: Elsewhere
) -> None:
    desk = show(opened, "review", "small_3").desk
    elsewhere.engine.set_role(elsewhere.key, elsewhere.id("small_3"), "excluded")
    draw(desk)
    opened.click("acceptButton")
    opened.wait_until(lambda: desk.case.name == "small_2")
    assert elsewhere.versions("small_3") == [("corrected", "me")]


def test_a_drawing_gets_the_values_that_its_segments_have_by_now(
    opened: OpenPanel, elsewhere: Elsewhere, small_dataset: Path
) -> None:
    client = elsewhere.engine
    fresh = client.create_project("Fresh", {1: "Kidney", 2: "Cyst"}, folder=small_dataset.parent / "fresh")
    client.add_case(fresh.key, "one", [small_dataset / "imagesTr" / "small_1.nii.gz"])
    opened.session.set_project(client.project(fresh.key))
    desk = show(opened, "annotate", "one").desk
    draw(desk)
    client.set_schema(fresh.key, {1: "Cyst", 2: "Kidney"})  # where nothing is drawn, they may change places
    desk._owner.save()
    opened.wait_until(lambda: not desk.touched and not desk.busy)
    assert set(np.unique(newest(Elsewhere(client, fresh), "one"))) == {0, 2}


@pytest.mark.parametrize(("section", "name"), [("annotate", "small_1"), ("review", "small_3")])
def test_a_segment_that_has_another_name_by_now_is_saved_once_the_person_knows(
    opened: OpenPanel, elsewhere: Elsewhere, project: Project, section: str, name: str
) -> None:
    desk, before = show(opened, section, name).desk, len(elsewhere.versions(name))
    draw(desk)
    elsewhere.engine.set_schema(project.key, {1: "Renal cortex", 2: "Renal pelvis"})
    desk._owner.save(lambda: None)
    opened.wait_until(lambda: "'Kidney' is called 'Renal cortex' in the project by now" in opened.message)
    opened.wait_until(lambda: opened.session.project.segments[0].name == "Renal cortex")
    settled(opened)
    assert len(elsewhere.versions(name)) == before
    assert desk.touched
    desk._owner.save(lambda: None)
    opened.wait_until(lambda: not desk.touched and not desk.busy)
    assert len(elsewhere.versions(name)) == before + 1
    assert (newest(elsewhere, name)[12:14, 6:9, 5:9] == 1).all()
