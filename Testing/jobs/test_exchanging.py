"""Models and projects leave and enter by jobs, the same from every way in."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from medssl.cli.app import run
from medssl.errors import ModelError
from medssl.events import Log, Monitor
from medssl.imaging.writing import write_volume
from medssl.inference.channels import ChannelRules, SeriesCondition, channel_rules_of, write_channel_rules
from medssl.jobs import (
    REQUEST,
    EvaluateRequest,
    ExportModelRequest,
    ExportProjectRequest,
    ExportProjectResult,
    ImportModelRequest,
    ImportModelResult,
    ImportRequest,
    ProposeRequest,
    TrainRequest,
    TrainResult,
    run_job,
    settings_for,
)
from medssl.jobs.placement import task_of
from medssl.jobs.results import ImportResult
from medssl.labels import UNANNOTATED, LabelSchema
from medssl.learning.card import read_card
from medssl.learning.model import load_model
from medssl.phantom import make_phantom
from medssl.project import ModelRecord, Project
from small_models import add_untrained_model


@pytest.fixture
def model(project: Project) -> ModelRecord:
    """A model of the project that has learned nothing."""
    return add_untrained_model(project)


def test_a_model_goes_to_another_project_and_proposes_there(
    project: Project, model: ModelRecord, tmp_path: Path, small_dataset: Path
) -> None:
    path = tmp_path / "small.zip"
    run_job(project, ExportModelRequest(output=path, licence="CC0-1.0"), Monitor())
    with Project.create(tmp_path / "other", project.schema, project.channel_names) as other:
        result = run_job(other, ImportModelRequest(path=path, name="Theirs"), Monitor()).result
        assert isinstance(result, ImportModelResult)
        record = other.model("latest")
        assert (record.id, record.name) == (result.model_id, "Theirs")
        card = read_card(record.folder)
        assert (card.id, card.imported_from, card.licence) == (record.id, model.id, "CC0-1.0")
        before, after = load_model(model.folder).network, load_model(record.folder).network
        assert all(
            torch.equal(one, two)
            for one, two in zip(before.state_dict().values(), after.state_dict().values(), strict=True)
        )
        run_job(other, ImportRequest(folder=small_dataset, annotated=0, leave_out=5), Monitor())
        run_job(other, ProposeRequest(), Monitor())
        assert other.count_cases(state="proposed") == 1


@pytest.mark.parametrize("names", [("Kidney", "Renal pelvis"), ("Kidney", "ignore")])
def test_a_project_that_left_for_nnunet_comes_back_with_the_values_of_its_segments(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    phantom = make_phantom(0, (8, 12, 10))
    values = np.array([0, 3, 8], np.uint8)[phantom.labels.array]
    values[6:] = UNANNOTATED
    write_volume(tmp_path / "a.nii.gz", phantom.image)
    schema = LabelSchema.of_names(dict(zip((3, 8), names, strict=True)))
    with Project.create(tmp_path / "one", schema) as one:
        one.add_case("a", [tmp_path / "a.nii.gz"])
        one.save_annotation("a", values)
        run_job(one, ExportProjectRequest(output=tmp_path / "dataset", format="nnunet"), Monitor())
    with Project.create(tmp_path / "other", schema) as other:
        done = run_job(other, ImportRequest(folder=tmp_path / "dataset"), Monitor()).result
        annotation = other.case("a").annotation
        assert annotation is not None
        np.testing.assert_array_equal(other.read_annotation(annotation), values)
    assert done == ImportResult(cases=1, annotated=1, already_there=0)


def test_a_model_of_other_segments_is_told_of_and_neither_proposes_nor_is_scored(
    project: Project, model: ModelRecord, tmp_path: Path, small_dataset: Path
) -> None:
    run_job(project, ExportModelRequest(output=tmp_path / "m.zip"), Monitor())
    warnings: list[str] = []
    monitor = Monitor(lambda event: warnings.append(event.text) if isinstance(event, Log) else None)
    with Project.create(tmp_path / "other", LabelSchema.of_names({1: "Liver", 2: "Tumor"})) as other:
        run_job(other, ImportModelRequest(path=tmp_path / "m.zip"), monitor)
        assert "not for proposals" in warnings[0]
        other.add_case("a", [small_dataset / "imagesTr" / "small_1.nii.gz"])
        with pytest.raises(ModelError, match="not this project's segments"):
            run_job(other, ProposeRequest(), Monitor())
        other.save_annotation("a", small_dataset / "labelsTr" / "small_1.nii.gz")
        other.set_role("a", "validation")
        with pytest.raises(ModelError, match="not this project's segments"):
            run_job(other, EvaluateRequest(output=tmp_path / "scores", device="cpu"), Monitor())


def test_rules_for_channels_arrive_and_a_refined_model_keeps_them(
    project: Project, model: ModelRecord, tmp_path: Path
) -> None:
    (channel,) = project.channel_names
    rules = ChannelRules({channel: (SeriesCondition(description="t1"),)})
    write_channel_rules(model.folder, rules)
    run_job(project, ExportModelRequest(output=tmp_path / "m.zip"), Monitor())
    imported = run_job(project, ImportModelRequest(path=tmp_path / "m.zip"), Monitor()).result
    assert isinstance(imported, ImportModelResult)
    assert channel_rules_of(project.model(imported.model_id).folder) == rules
    request = TrainRequest(
        settings=settings_for("quick", steps=1, device="cpu"), start_from=imported.model_id
    )
    refined = run_job(project, request, Monitor()).result
    assert isinstance(refined, TrainResult)
    assert channel_rules_of(project.model(refined.model_id).folder) == rules


def test_a_model_that_is_refused_leaves_nothing_behind(project: Project, tmp_path: Path) -> None:
    (tmp_path / "bad.zip").write_bytes(b"PK nothing")
    with pytest.raises(ModelError, match="damaged"):
        run_job(project, ImportModelRequest(path=tmp_path / "bad.zip"), Monitor())
    assert project.models() == []
    assert not list((project.folder / "models").glob("*"))


def test_a_project_leaves_and_comes_back_with_its_annotations(project: Project, tmp_path: Path) -> None:
    result = run_job(project, ExportProjectRequest(output=tmp_path / "Dataset001_small"), Monitor()).result
    assert result == ExportProjectResult(output=tmp_path / "Dataset001_small", annotated=3, unannotated=3)
    with Project.create(tmp_path / "back", project.schema, project.channel_names) as back:
        run_job(back, ImportRequest(folder=tmp_path / "Dataset001_small"), Monitor())
        assert back.count_cases(state="annotated") == 3


def test_a_segment_that_leaves_under_another_name_is_told_of(project: Project, tmp_path: Path) -> None:
    first, second = project.schema.segments
    ignored = second.model_copy(update={"name": "Ignore"})
    project.set_schema(project.schema.model_copy(update={"segments": (first, ignored)}))
    warnings: list[str] = []
    monitor = Monitor(lambda event: warnings.append(event.text) if isinstance(event, Log) else None)
    run_job(project, ExportProjectRequest(output=tmp_path / "out"), monitor)
    assert "'Ignore' is called 'Ignore (segment)'" in " ".join(warnings)


def test_the_command_line_does_the_same(
    project: Project, model: ModelRecord, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--project", str(project.folder)]
    assert run(["model", "export", str(tmp_path / "b"), "--format", "monai", "--license", "CC0", *where]) == 0
    assert (tmp_path / "b" / "configs" / "inference.json").is_file()
    assert run(["model", "import", str(tmp_path / "b"), "--json", *where]) == 0
    last = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert last["result"]["kind"] == "import_model"
    assert len(project.models()) == 2
    assert run(["project", "export", str(tmp_path / "d"), "--format", "decathlon", *where]) == 0
    assert (tmp_path / "d" / "dataset.json").is_file()


@pytest.mark.parametrize("kind", ["export_model", "import_model", "export_project"])
def test_they_wait_for_no_device(kind: str) -> None:
    named = "path" if kind == "import_model" else "output"
    request = REQUEST.validate_python({"kind": kind, named: "/somewhere"})
    assert task_of(request, gpu=True).place == "disk"
