from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from medssl.errors import LabelError, ProjectError, UsageError
from medssl.imaging.reading import read_volume
from medssl.labels import LabelSchema
from medssl.project import Project


@pytest.fixture(autouse=True)
def _cases(project: Project, make_scan: Callable[..., Path]) -> None:
    for name in ("A", "B", "C", "D"):
        project.add_case(name, [make_scan()])


def test_a_proposal_is_kept_with_all_that_is_known_about_it(project: Project, drawn: np.ndarray) -> None:
    uncertainty = np.linspace(0, 1, drawn.size, dtype=np.float32).reshape(drawn.shape)
    proposed = project.add_pseudo_label(
        "A", drawn, uncertainty, score=0.25, model_id="m7", worst_slice=2, worst_region=(0, 1, 2, 3, 4, 5)
    )
    case = project.case("A")
    assert case.state == "proposed"
    assert case.pseudo_label == proposed
    assert (proposed.model_id, proposed.score, proposed.worst_slice) == ("m7", 0.25, 2)
    assert proposed.worst_region == (0, 1, 2, 3, 4, 5)
    assert proposed.decision is None
    np.testing.assert_array_equal(project.read_pseudo_label(proposed), drawn)
    np.testing.assert_allclose(project.read_uncertainty(proposed), uncertainty, atol=1 / 512)
    scan = read_volume(case.channels[0])
    assert read_volume(proposed.uncertainty_path).grid.agrees_with(scan.grid)


def test_the_most_uncertain_case_is_reviewed_first(
    project: Project, drawn: np.ndarray, propose: Callable[..., None]
) -> None:
    for name, score in (("A", 0.2), ("B", 0.9), ("C", 0.5), ("D", 1.0)):
        propose(name, drawn, score)
    project.set_role("D", "excluded")
    assert [case.name for case in project.review_queue()] == ["B", "C", "A"]
    project.reject("B")
    project.accept("C")
    assert [case.name for case in project.review_queue()] == ["A"]


def test_an_accepted_proposal_is_an_annotation_that_no_longer_needs_it(
    project: Project, drawn: np.ndarray, propose: Callable[..., None]
) -> None:
    propose("A", drawn)
    annotation = project.accept("A", author="Ann", seconds=4.0)
    assert (annotation.kind, annotation.model_id) == ("accepted", "model-1")
    assert (annotation.author, annotation.seconds) == ("Ann", 4.0)
    case = project.case("A")
    assert case.state == "annotated"
    assert case.pseudo_label is not None
    assert case.pseudo_label.decision == "accepted"
    case.pseudo_label.path.unlink()
    np.testing.assert_array_equal(project.read_annotation(annotation), drawn)


def test_a_corrected_proposal_keeps_who_and_from_which_model(
    project: Project, drawn: np.ndarray, propose: Callable[..., None]
) -> None:
    propose("A", drawn)
    corrected = np.where(drawn == 1, 0, drawn)
    annotation = project.correct("A", corrected, author="Ann", seconds=60)
    assert (annotation.kind, annotation.model_id, annotation.seconds) == ("corrected", "model-1", 60)
    np.testing.assert_array_equal(project.read_annotation(annotation), corrected)
    decided = project.case("A").pseudo_label
    assert decided is not None
    np.testing.assert_array_equal(project.read_pseudo_label(decided), drawn)


def test_a_rejected_proposal_leaves_the_case_without_an_annotation(
    project: Project, drawn: np.ndarray, propose: Callable[..., None]
) -> None:
    propose("A", drawn)
    project.reject("A", author="Ann", seconds=1.0)
    assert project.case("A").state == "rejected"
    assert project.annotations("A") == []


def test_nothing_is_decided_or_taken_back_over_an_annotation_that_was_not_seen(
    project: Project, drawn: np.ndarray, propose: Callable[..., None]
) -> None:
    propose("A", drawn)
    project.save_annotation("A", drawn, author="Ann", seen_version=0)
    for decide in (
        lambda seen: project.accept("A", seen_version=seen),
        lambda seen: project.correct("A", drawn, seen_version=seen),
        lambda seen: project.reject("A", seen_version=seen),
        lambda seen: project.undo("A", seen_version=seen),
    ):
        for seen in (0, 2):
            with pytest.raises(ProjectError, match="version 1 counts now"):
                decide(seen)
    assert [each.author for each in project.annotations("A") if not each.withdrawn] == ["Ann"]
    assert project.accept("A", seen_version=1).version == 2
    assert project.undo("A", seen_version=2).annotation is not None
    with pytest.raises(ProjectError, match="version 1 counts now"):
        project.undo("A", seen_version=2)  # asked for twice, as when the first answer is lost on its way
    assert project.undo("A").annotation is None  # who does not say what was seen is not asked


@pytest.mark.parametrize("decide", ["accept", "reject", "correct"])
def test_every_decision_can_be_undone_and_taken_again(
    project: Project, drawn: np.ndarray, propose: Callable[..., None], decide: str
) -> None:
    propose("A", drawn)
    before = project.case("A")
    for _ in range(2):
        if decide == "correct":
            project.correct("A", drawn)
        else:
            getattr(project, decide)("A")
        assert project.case("A").state == ("rejected" if decide == "reject" else "annotated")
        assert project.undo("A") == before


@pytest.mark.parametrize("first", ["accept", "reject"])
def test_a_proposal_is_decided_on_once(
    project: Project, drawn: np.ndarray, propose: Callable[..., None], first: str
) -> None:
    propose("A", drawn)
    getattr(project, first)("A")
    for again in (project.accept, project.reject):
        with pytest.raises(ProjectError, match=f"was {first}ed already"):
            again("A")


def test_a_decision_without_a_proposal_is_refused(project: Project, drawn: np.ndarray) -> None:
    for decide in (project.accept, project.reject, lambda case: project.correct(case, drawn)):
        with pytest.raises(ProjectError, match="no proposal for case 'A'"):
            decide("A")


def test_a_newer_proposal_takes_the_place_of_an_older_one(
    project: Project, drawn: np.ndarray, propose: Callable[..., None]
) -> None:
    propose("A", drawn, 0.9, "old")
    project.reject("A")
    propose("A", drawn, 0.1, "new")
    (waiting,) = project.review_queue()
    assert (waiting.state, waiting.score, waiting.model_id) == ("proposed", 0.1, "new")
    # The rejection of the old one changes nothing any more, so that there is nothing to take back.
    with pytest.raises(ProjectError, match="nothing to undo"):
        project.undo("A")


def test_nobody_decides_on_a_proposal_they_have_not_seen(
    project: Project, drawn: np.ndarray, propose: Callable[..., None]
) -> None:
    propose("A", drawn, model_id="seen")
    on_screen = project.case("A")
    propose("A", drawn, model_id="unseen")
    for decide in (project.accept, project.reject, lambda case: project.correct(case, drawn)):
        with pytest.raises(ProjectError, match="newer proposal"):
            decide(on_screen)
    assert project.accept(project.case("A")).model_id == "unseen"


def test_a_proposal_never_takes_the_place_of_an_annotation(
    project: Project, drawn: np.ndarray, propose: Callable[..., None]
) -> None:
    annotation = project.save_annotation("A", drawn)
    propose("A", np.zeros_like(drawn))
    case = project.case("A")
    assert (case.state, case.annotation) == ("annotated", annotation)
    assert project.review_queue() == []


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        ({"score": float("nan")}, "score nan"),
        ({"score": 1.5}, r"score 1\.5"),
        ({"worst_slice": 3}, "worst slice 3"),
        ({"worst_slice": -1}, "worst slice -1"),
    ],
)
def test_numbers_that_a_model_cannot_mean_are_refused(
    project: Project, drawn: np.ndarray, numbers: dict[str, float], says: str
) -> None:
    given: dict[str, float] = {"score": 0.5, "worst_slice": 0, **numbers}
    with pytest.raises(UsageError, match=says):
        project.add_pseudo_label(
            "A",
            drawn,
            np.zeros(drawn.shape, dtype=np.float32),
            score=given["score"],
            model_id="m",
            worst_slice=int(given["worst_slice"]),
        )
    assert project.case("A").state == "new"


@pytest.mark.parametrize("bad", [np.nan, -0.1, 1.1])
def test_an_uncertainty_outside_its_range_is_refused(project: Project, drawn: np.ndarray, bad: float) -> None:
    uncertainty = np.zeros(drawn.shape, dtype=np.float32)
    uncertainty[1, 1, 1] = bad
    with pytest.raises(UsageError, match=r"outside 0\.\.1"):
        project.add_pseudo_label("A", drawn, uncertainty, score=0.5, model_id="m", worst_slice=0)


def test_a_proposal_with_unknown_values_is_refused(
    project: Project, drawn: np.ndarray, propose: Callable[..., None]
) -> None:
    with pytest.raises(LabelError, match="label value 9"):
        propose("A", np.full_like(drawn, 9))


def test_a_proposal_whose_segment_was_removed_meanwhile_is_not_accepted(
    project: Project, drawn: np.ndarray, propose: Callable[..., None]
) -> None:
    propose("A", np.where(drawn == 2, 2, 0).astype(np.uint8))
    project.reject("A")
    propose("A", np.zeros_like(drawn))
    project.set_schema(LabelSchema.of_names({1: "Head"}))
    with pytest.raises(LabelError, match="label value 2"):
        project.correct("A", drawn)
    assert project.case("A").state == "proposed"


def test_a_proposal_whose_file_went_missing_is_told(
    project: Project, drawn: np.ndarray, propose: Callable[..., None]
) -> None:
    propose("A", drawn)
    proposed = project.case("A").pseudo_label
    assert proposed is not None
    proposed.path.unlink()
    with pytest.raises(ProjectError, match=r"p0001\.seg\.nrrd is no longer there"):
        project.accept("A")
    assert project.case("A").state == "proposed"
