"""What a score is worth depends on who drew the reference."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from medssl.cli.app import run
from medssl.errors import DataError
from medssl.events import Monitor
from medssl.imaging.reading import read_grid
from medssl.jobs import (
    EvaluateRequest,
    EvaluateResult,
    ExportModelRequest,
    ImportModelRequest,
    PretrainRequest,
    PretrainResult,
    ProposeRequest,
    TrainRequest,
    pretraining_settings_for,
    run_job,
    settings_for,
)
from medssl.learning.card import CARD, read_card
from medssl.learning.kept_cases import cases_now, keep_cases
from medssl.project import CaseSummary, ModelRecord, Project
from medssl.storage import write_text
from small_models import add_untrained_model

_NAME = "proposed"


@pytest.fixture
def model(project: Project, small_dataset: Path) -> ModelRecord:
    """A model that has proposed a validation case, which was accepted as it was, beside two drawn ones."""
    model = add_untrained_model(project)
    project.add_case(_NAME, [small_dataset / "imagesTs" / "small_7.nii.gz"], role="validation")
    run_job(project, ProposeRequest(cases=(_NAME,), device="cpu"), Monitor())
    project.accept(_NAME)
    return model


def begun_from(project: Project, **origin: str) -> ModelRecord:
    model = add_untrained_model(project)
    card = read_card(model.folder).model_copy(update=origin)
    write_text(model.folder / CARD, card.model_dump_json())
    return model


def score(project: Project, model: ModelRecord, out: Path) -> EvaluateResult:
    request = EvaluateRequest(output=out, model=model.id, device="cpu")
    result = run_job(project, request, Monitor()).result
    assert isinstance(result, EvaluateResult)
    return result


def origins(result: EvaluateResult) -> dict[str, str]:
    with result.table.open(encoding="utf-8", newline="") as file:
        return {line["case"]: line["reference"] for line in csv.DictReader(file)}


def volumes_ml(result: EvaluateResult, column: str) -> float:
    """Of all segments together, in the case that the model proposed for."""
    with result.table.open(encoding="utf-8", newline="") as file:
        return sum(float(line[column]) for line in csv.DictReader(file) if line["case"] == _NAME)


def page(result: EvaluateResult) -> str:
    return result.report.read_text(encoding="utf-8")


def test_a_model_is_not_scored_against_what_it_or_its_forerunner_has_proposed(
    project: Project, model: ModelRecord, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refined = begun_from(project, started_from=model.id)
    twice = begun_from(project, started_from=refined.id)
    # Cards of before name the nearest only; those of the models that are there tell the rest.
    for scored in (model, twice, begun_from(project, imported_from=model.id)):
        result = score(project, scored, tmp_path / scored.id)
        assert (result.cases, list(result.left_out), result.accepted) == (2, [_NAME], ())
        assert f"a proposal of the model {model.id}, accepted as it was" in result.left_out[_NAME]
        assert set(origins(result).values()) == {"drawn"}
        assert "compared with itself" in page(result)
    out = ("-o", tmp_path / "cli", "--device", "cpu", "-p", project.folder)
    assert run([str(part) for part in ("evaluate", "--model", model.id, *out)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("2 cases scored:")
    assert f"1 left out:\n  {_NAME}: Its reference is a proposal" in said
    for case in project.cases(role="validation"):
        if case.name != _NAME:
            project.set_role(case, "excluded")
    with pytest.raises(DataError, match="Not one case can be scored"):
        score(project, model, tmp_path / "none")


def refine(project: Project, model: ModelRecord) -> ModelRecord:
    """One step of training that begins with a model."""
    settings = settings_for("quick", method="supervised", steps=1, device="cpu")
    run_job(project, TrainRequest(settings=settings, start_from=model.id), Monitor())
    return project.model()


def test_a_model_knows_its_forerunners_when_those_between_are_deleted(
    project: Project, model: ModelRecord, tmp_path: Path
) -> None:
    refined = refine(project, model)
    run_job(project, ExportModelRequest(model=refined.id, output=tmp_path / "refined.zip"), Monitor())
    run_job(project, ImportModelRequest(path=tmp_path / "refined.zip"), Monitor())
    returned = project.model()
    last = refine(project, returned)
    assert read_card(last.folder).begun_from == (returned.id, refined.id, model.id)
    run_job(project, ExportModelRequest(model=last.id, output=tmp_path / "last.zip"), Monitor())
    for each in (last, returned, refined):
        project.delete_model(each.id)
    run_job(project, ImportModelRequest(path=tmp_path / "last.zip"), Monitor())
    assert read_card(project.model().folder).begun_from == (last.id, returned.id, refined.id, model.id)
    result = score(project, project.model(), tmp_path / "out")
    assert (result.cases, list(result.left_out), result.accepted) == (2, [_NAME], ())


def test_a_reference_that_another_model_proposed_counts_and_is_told_of(
    project: Project, model: ModelRecord, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = add_untrained_model(project)
    values = project.read_annotation(project.annotations(_NAME)[0])
    project.save_annotation(_NAME, values)
    project.restore_annotation(_NAME, 1)  # it is still what nobody drew
    result = score(project, other, tmp_path / "other")
    assert (result.cases, result.left_out, result.accepted) == (3, {}, (_NAME,))
    assert origins(result)[_NAME] == "accepted"
    assert "1 reference is a proposal of another model, accepted as it was" in page(result)
    out = ("-o", tmp_path / "cli", "--device", "cpu", "-p", project.folder)
    assert run([str(part) for part in ("evaluate", "--model", other.id, *out)]) == 0
    assert f"accepted as it was ({_NAME})" in capsys.readouterr().out


def test_a_proposal_that_a_person_corrected_or_drew_anew_is_a_reference(
    project: Project, model: ModelRecord, tmp_path: Path
) -> None:
    values = project.read_annotation(project.annotations(_NAME)[0])
    project.undo(_NAME)
    project.correct(_NAME, np.where(values == 0, 1, values).astype(np.uint8))
    result = score(project, model, tmp_path / "corrected")
    assert (result.cases, result.left_out, result.accepted) == (3, {}, ())
    assert origins(result)[_NAME] == "corrected"
    voxel_ml = read_grid(project.case(_NAME).channels[0]).voxel_ml
    assert volumes_ml(result, "volume_ml") == pytest.approx((values > 0).sum() * voxel_ml, rel=1e-4)
    assert volumes_ml(result, "reference_ml") == pytest.approx(values.size * voxel_ml, rel=1e-4)
    project.save_annotation(_NAME, values)
    assert origins(score(project, model, tmp_path / "drawn"))[_NAME] == "drawn"


def annotated(project: Project) -> CaseSummary:
    """The one case for training that is."""
    (case,) = project.cases(role="training", state="annotated")
    return case


@pytest.mark.parametrize("noted_by", ["this version", "an older one"])
def test_a_case_that_a_model_was_pretrained_on_is_scored_whatever_was_drawn_on_it(
    project: Project, tmp_path: Path, noted_by: str
) -> None:
    settings = pretraining_settings_for("quick", method="rotation", steps=1, device="cpu")
    job = run_job(project, PretrainRequest(settings=settings), Monitor())
    assert isinstance(job.result, PretrainResult)
    model, case = begun_from(project, started_from=job.result.model_id), annotated(project)
    if noted_by == "this version":
        project.delete_model(job.result.model_id)
    else:  # which noted the annotations that there were
        keep_cases(project.job(job.job_id).folder, cases_now(project))
    project.set_role(case, "validation")
    result = score(project, model, tmp_path / "out")
    assert (result.cases, result.left_out, result.seen) == (3, {}, (case.name,))


def test_a_model_is_not_scored_on_what_it_was_trained_with_and_says_which_scans_it_has_seen(
    project: Project, tmp_path: Path, small_dataset: Path
) -> None:
    settings = settings_for("quick", method="dual_task", steps=1, device="cpu")
    run_job(project, TrainRequest(settings=settings), Monitor())
    first, trained = project.model(), annotated(project)
    looked_at = next(case for case in project.cases(role="training") if case.state != "annotated")
    for case in (trained, looked_at):
        project.set_role(case, "validation")
    project.save_annotation(looked_at.name, small_dataset / "labelsTr" / f"{looked_at.name}.nii.gz")
    for model in (first, begun_from(project, started_from=first.id)):
        result = score(project, model, tmp_path / model.id)
        assert (result.cases, list(result.left_out)) == (3, [trained.name])
        assert "trained with what is drawn on it" in result.left_out[trained.name]
        assert result.seen == (looked_at.name,)
        assert f"learned from 1 scored scan without what is drawn on it ({looked_at.name})" in page(result)
    fresh = add_untrained_model(project)
    result = score(project, fresh, tmp_path / "fresh")
    assert (result.cases, result.left_out, result.seen) == (4, {}, ())
