"""A job writes down what happens, whatever happens."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
from medssl.errors import Cancelled, DataError, MedSSLError, ProjectError, UsageError
from medssl.events import Event, Monitor, State
from medssl.imaging.reading import read_volume
from medssl.imaging.volume import Grid, Volume
from medssl.imaging.writing import write_volume
from medssl.inference.predictor import Predictor
from medssl.jobs import (
    REQUEST,
    EvaluateRequest,
    ImportRequest,
    ImportResult,
    PredictRequest,
    PredictResult,
    ProposeRequest,
    ProposeResult,
    TrainRequest,
    TrainResult,
    cancel_job,
    job_state,
    read_events,
    read_result,
    resume_job,
    run,
    run_job,
    settings_for,
)
from medssl.labels import LabelSchema
from medssl.learning.model import load_model
from medssl.project import Project
from pydantic import ValidationError

_TWO_STEPS = TrainRequest(settings=settings_for("quick", steps=2, device="cpu"))


def test_an_import_takes_the_labels_and_roles_that_were_asked_for(project: Project) -> None:
    assert project.count_cases(role="training") == 4
    assert project.count_cases(role="training", state="annotated") == 1
    assert project.count_cases(role="validation", state="annotated") == 2


def test_a_second_import_adds_nothing_and_annotates_what_is_missing(
    project: Project, small_dataset: Path
) -> None:
    result = run_job(
        project, ImportRequest(folder=small_dataset, annotated=2, validation=2), Monitor()
    ).result

    assert result == ImportResult(cases=0, annotated=1, already_there=6)


def test_more_cases_than_a_dataset_has_cannot_be_divided(project: Project, small_dataset: Path) -> None:
    with pytest.raises(DataError, match="6 labelled cases"):
        run_job(project, ImportRequest(folder=small_dataset, annotated=5, leave_out=3), Monitor())


def test_a_job_leaves_its_request_events_and_result_in_its_folder(project: Project) -> None:
    row = project.jobs()[0]

    events = list(read_events(row.folder))

    assert [e.state for e in events if isinstance(e, State)] == ["running", "finished"]
    assert any(e.kind == "progress" and e.done == e.total == 6 for e in events)
    assert REQUEST.validate_json((row.folder / "request.json").read_text()) == REQUEST.validate_json(
        row.request
    )
    assert read_result(row.folder) == ImportResult(cases=6, annotated=3, already_there=0)
    assert "finished" in (row.folder / "log.txt").read_text()
    assert job_state(row) == "finished"


def test_the_one_who_watches_sees_the_events_that_the_file_holds(
    project: Project, small_dataset: Path
) -> None:
    seen: list[Event] = []

    run_job(project, ImportRequest(folder=small_dataset, annotated=1), Monitor(seen.append))

    assert seen == list(read_events(project.jobs()[0].folder))


def test_an_event_line_cut_short_by_a_kill_is_left_out(project: Project) -> None:
    folder = project.jobs()[0].folder
    before = list(read_events(folder))
    with (folder / "events.jsonl").open("a") as file:
        file.write('{"kind": "progr')

    assert list(read_events(folder)) == before


def test_a_failed_job_says_why_and_keeps_the_traceback_in_its_log_only(
    project: Project, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as caught:
        run_job(project, ImportRequest(folder=tmp_path / "nowhere"), Monitor())

    row = project.jobs()[0]
    assert (row.state, row.error, row.remedy) == ("failed", caught.value.what, caught.value.remedy)
    assert "Traceback" in (row.folder / "log.txt").read_text()
    assert "Traceback" not in (row.folder / "events.jsonl").read_text()


def test_a_defect_of_ours_ends_as_a_failed_job_that_names_its_log(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(run, "perform", broken)

    with pytest.raises(MedSSLError, match=r"ZeroDivisionError.*log\.txt"):
        run_job(project, _TWO_STEPS, Monitor())

    assert project.jobs()[0].state == "failed"


def test_a_job_cancelled_before_it_began_can_be_resumed(project: Project, small_dataset: Path) -> None:
    monitor = Monitor()
    monitor.cancel()
    with pytest.raises(Cancelled, match="job resume"):
        run_job(project, ImportRequest(folder=small_dataset), monitor)
    row = project.jobs()[0]
    assert row.state == "cancelled"

    result = resume_job(project, row.id, Monitor())

    assert result.job_id == row.id
    assert project.job(row.id).state == "finished"


def test_a_finished_job_is_neither_resumed_nor_cancelled(project: Project) -> None:
    job = project.jobs()[0].id

    with pytest.raises(UsageError, match="finished"):
        resume_job(project, job, Monitor())
    with pytest.raises(UsageError, match="finished"):
        cancel_job(project, job)


def test_a_queued_job_is_cancelled_at_once(project: Project) -> None:
    row = project.new_job("train", _TWO_STEPS.model_dump_json())

    assert cancel_job(project, row.id) == "cancelled"


def test_a_request_from_another_version_is_refused_with_a_sentence(project: Project) -> None:
    row = project.new_job("train", json.dumps({"kind": "divine", "future": True}))

    with pytest.raises(ProjectError, match="another version"):
        resume_job(project, row.id, Monitor())


def test_predictions_without_references_are_no_request(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="belong together"):
        EvaluateRequest(output=tmp_path, predictions=tmp_path)


def test_without_a_model_nothing_is_proposed_and_no_job_is_made(project: Project) -> None:
    before = len(project.jobs())

    with pytest.raises(ProjectError, match="no model"):
        run_job(project, ProposeRequest(), Monitor())

    assert len(project.jobs()) == before


def test_a_training_that_has_nothing_to_learn_from_is_refused_at_once(tmp_path: Path) -> None:
    schema = LabelSchema.of_names({1: "Head", 2: "Body"})
    scan = Volume(np.arange(60, dtype=np.int16).reshape(3, 4, 5), Grid((5, 4, 3), (1.0, 1.0, 1.0)))
    write_volume(tmp_path / "scan.nrrd", scan)
    with Project.create(tmp_path / "p", schema) as empty:
        empty.add_case("A", [tmp_path / "scan.nrrd"])
        with pytest.raises(DataError, match=r"No case .* is annotated"):
            run_job(empty, _TWO_STEPS)
        empty.save_annotation("A", np.ones((3, 4, 5), np.uint8))
        with pytest.raises(DataError, match="shows Body"):
            run_job(empty, _TWO_STEPS)
        empty.set_role("A", "validation")
        with pytest.raises(DataError, match=r"No case .* is annotated"):
            run_job(empty, _TWO_STEPS)
        assert empty.jobs() == []


def assert_shown_where_the_model_is_unsure(project: Project) -> None:
    """Compare where to look in the first proposal of the queue with what the model says of the scan."""
    case = project.case(project.review_queue()[0].id)
    found = Predictor(load_model(project.model().folder), "cpu").predict(
        [read_volume(path) for path in case.channels]
    )
    assert case.pseudo_label is not None
    assert found.worst_slice > 0
    assert case.pseudo_label.worst_slice == found.worst_slice
    assert found.regions
    assert case.pseudo_label.worst_region == found.regions[0].box
    assert case.pseudo_label.regions == found.regions


def test_from_two_annotated_cases_to_scores_of_new_scans(
    project: Project, small_dataset: Path, tmp_path: Path
) -> None:
    trained = run_job(project, _TWO_STEPS, Monitor()).result
    assert isinstance(trained, TrainResult)
    assert trained.validation_dice is not None

    left_out = project.cases(role="training", state="new")[0]
    project.set_role(left_out, "excluded")
    proposed = run_job(project, ProposeRequest(device="cpu"), Monitor()).result
    assert isinstance(proposed, ProposeResult)
    assert [c.name for c in project.review_queue()] == [p.case for p in proposed.proposals]
    assert len(proposed.proposals) == 2
    assert project.case(left_out).pseudo_label is None
    assert_shown_where_the_model_is_unsure(project)
    project.set_role(left_out, "training")
    proposed = run_job(project, ProposeRequest(device="cpu"), Monitor()).result
    assert isinstance(proposed, ProposeResult)
    assert [each.case for each in proposed.proposals] == [left_out.name]
    again = run_job(project, ProposeRequest(device="cpu"), Monitor()).result
    assert isinstance(again, ProposeResult)
    assert again.proposals == ()

    new = tmp_path / "new scans"
    new.mkdir()
    for path in (small_dataset / "imagesTs").iterdir():
        (new / path.name).write_bytes(path.read_bytes())
    (new / "broken.nii.gz").write_bytes(b"no image")
    request = PredictRequest(inputs=(new,), output=tmp_path / "out", device="cpu")
    predicted = run_job(project, request, Monitor()).result
    assert isinstance(predicted, PredictResult)
    assert (predicted.done, list(predicted.failed)) == (2, ["broken"])
    page = predicted.report.read_text(encoding="utf-8")
    assert "broken.nii.gz" in page
    assert "<h1>Segmentation of new scans</h1>" in page
    assert "cpu, " in page
    assert "from reading to writing (median)" in page
    assert str(new) in page

    scored = run_job(
        project,
        EvaluateRequest(
            output=tmp_path / "scores",
            predictions=tmp_path / "out",
            references=small_dataset / "labelsTs",
            scans=new,
        ),
        Monitor(),
    ).result
    assert scored.kind == "evaluate"
    assert scored.cases == 2
    assert scored.table.read_text().count("\n") == 1 + 2 * 2
    settings = json.loads((scored.report.parent / "report.json").read_text(encoding="utf-8"))["settings"]
    compared = (settings["Segmentations"], settings["Reference"])
    assert compared == (str(tmp_path / "out"), str(small_dataset / "labelsTs"))
    of_model = run_job(project, EvaluateRequest(output=tmp_path / "own", device="cpu"), Monitor()).result
    assert of_model.kind == "evaluate"
    assert (of_model.cases, of_model.model_id) == (2, trained.model_id)
    for folder in (predicted.output, of_model.report.parent):  # both reports say which model it was
        card = json.loads((folder / "report.json").read_text(encoding="utf-8"))["card"]
        assert {"Intended use", "Limits", "Licence", "Segments", "Channels"} <= card.keys()


def test_a_reference_without_a_prediction_is_not_left_out_silently(
    project: Project, small_dataset: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    request = EvaluateRequest(
        output=tmp_path / "scores", predictions=tmp_path / "empty", references=small_dataset / "labelsTs"
    )

    with pytest.raises(DataError, match="lacks 2 of the 2"):
        run_job(project, request, Monitor())


def test_a_report_never_replaces_a_file_of_somebody_else(
    project: Project, small_dataset: Path, tmp_path: Path
) -> None:
    (tmp_path / "report.html").write_text("<h1>My thesis</h1>")
    (tmp_path / "scores.csv").write_text("name,goals")
    labels = small_dataset / "labelsTs"
    request = EvaluateRequest(output=tmp_path, predictions=labels, references=labels)

    for _ in range(2):
        scored = run_job(project, request, Monitor()).result
        assert scored.kind == "evaluate"
        assert scored.mean_dice == 1.0
        assert (scored.report.name, scored.table.name) == ("report-2.html", "scores-2.csv")

    assert (tmp_path / "report.html").read_text() == "<h1>My thesis</h1>"
    assert (tmp_path / "scores.csv").read_text() == "name,goals"


def test_scores_that_are_open_in_a_spreadsheet_are_written_beside_it(
    project: Project, small_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows, where Excel lets nobody replace what it shows."""
    labels, out, replace = small_dataset / "labelsTs", tmp_path / "out", Path.replace
    request = EvaluateRequest(output=out, predictions=labels, references=labels)
    run_job(project, request, Monitor())
    before = (out / "scores.csv").read_bytes()

    def refused(path: Path, target: Path) -> Path:
        if target.name == "scores.csv":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", refused)
    scored = run_job(project, request, Monitor()).result
    assert scored.kind == "evaluate"
    assert (scored.table.name, scored.report.name) == ("scores-2.csv", "report.html")
    assert scored.table.read_bytes() == before == (out / "scores.csv").read_bytes()
