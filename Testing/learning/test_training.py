"""A project is trained into a model that stays in it."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from job_folders import job
from medssl.errors import Cancelled, DataError, ImageError, UsageError
from medssl.events import Event, Log, Metric, Monitor, Progress
from medssl.imaging.volume import Grid, Volume
from medssl.imaging.writing import write_volume
from medssl.labels import LabelSchema
from medssl.learning.device import choose_device
from medssl.learning.model import load_model
from medssl.learning.planner import read_plan, write_plan
from medssl.learning.project_plan import plan_for
from medssl.learning.settings import MethodName, TrainingSettings
from medssl.learning.training import CHECKPOINT, PLAN, train_project
from medssl.phantom import SCHEMA, make_phantom
from medssl.project import Project

ONE_STEP = TrainingSettings(method="supervised", steps=1)
TWO_STEPS = TrainingSettings(method="dual_task", steps=2)


def test_the_model_is_registered_with_a_card_that_says_how_it_came_about(
    project: Project, tmp_path: Path
) -> None:
    model_id = train_project(project, TWO_STEPS, job(tmp_path), Monitor(), name="First try")
    model = load_model(project.model(model_id).folder)
    assert project.model(model_id).name == model.card.name == "First try"
    assert (model.card.method, model.card.steps, model.card.annotated_cases) == ("dual_task", 2, 1)
    assert model.card.unannotated_cases == 3
    assert model.card.validation_dice is None
    assert model.plan.label_schema == SCHEMA
    assert model.network.head_names == ("segmentation", "level_set")


def test_without_validation_cases_it_says_so_and_shows_no_dice(project: Project, tmp_path: Path) -> None:
    events: list[Event] = []
    train_project(project, TWO_STEPS, job(tmp_path), Monitor(events.append))
    assert not [e for e in events if isinstance(e, Metric) and e.name.startswith("dice/")]
    assert any("no validation Dice" in e.text for e in events if isinstance(e, Log))


def test_validation_cases_are_scored_and_never_trained_on(project: Project, tmp_path: Path) -> None:
    project.save_annotation("scan 1", make_phantom(1, size=(16, 24, 20)).labels.array)
    project.set_role("scan 1", "validation")
    events: list[Event] = []
    model_id = train_project(project, TWO_STEPS, job(tmp_path), Monitor(events.append))
    card = load_model(project.model(model_id).folder).card
    assert card.annotated_cases == 1
    assert card.unannotated_cases == 2
    assert set(card.validation_dice or {}) == set(SCHEMA.names)
    shown = {e.name for e in events if isinstance(e, Metric)}
    assert {f"dice/{name}" for name in SCHEMA.names} <= shown


def test_a_training_that_is_stopped_in_its_last_validation_has_its_dice_when_resumed(
    project: Project, tmp_path: Path
) -> None:
    for name in ("scan 1", "scan 2"):
        seed = int(name[-1])
        project.save_annotation(name, make_phantom(seed, size=(16, 24, 20)).labels.array)
        project.set_role(name, "validation")
    monitor = Monitor()

    def stop_at_the_end(event: Event) -> None:
        if isinstance(event, Progress) and event.stage == "Training" and event.done == 2:
            monitor.cancel()  # what follows is the validation

    monitor = Monitor(stop_at_the_end)
    folder = job(tmp_path)
    with pytest.raises(Cancelled):
        train_project(project, TWO_STEPS, folder, monitor)
    model_id = train_project(project, TWO_STEPS, folder, Monitor())
    card = load_model(project.model(model_id).folder).card
    assert set(card.validation_dice or {}) == set(SCHEMA.names)


def test_excluded_cases_are_neither_trained_on_nor_scored(project: Project, tmp_path: Path) -> None:
    project.save_annotation("scan 1", make_phantom(1, size=(16, 24, 20)).labels.array)
    for name in ("scan 1", "scan 2"):  # annotated, and not
        project.set_role(name, "excluded")
    card = load_model(project.model(train_project(project, TWO_STEPS, job(tmp_path), Monitor())).folder).card
    assert (card.annotated_cases, card.unannotated_cases) == (1, 1)
    assert card.validation_dice is None


def test_a_cancelled_training_goes_on_in_the_same_folder(project: Project, tmp_path: Path) -> None:
    monitor = Monitor()

    def stop_at_two(event: Event) -> None:
        if isinstance(event, Progress) and event.stage == "Training" and event.done >= 2:
            monitor.cancel()

    monitor = Monitor(stop_at_two)
    folder = job(tmp_path)
    settings = TrainingSettings(method="supervised", steps=4)
    with pytest.raises(Cancelled):
        train_project(project, settings, folder, monitor)
    assert (folder / PLAN).exists()
    assert (folder / CHECKPOINT).exists()
    assert project.models() == []
    seen: list[Event] = []
    model_id = train_project(project, settings, folder, Monitor(seen.append))
    assert any(isinstance(e, Log) and "Going on from step 2" in e.text for e in seen)
    assert load_model(project.model(model_id).folder).card.steps == 4
    assert not (folder / CHECKPOINT).exists()


def test_refining_begins_with_the_weights_of_a_model(project: Project, tmp_path: Path) -> None:
    first = train_project(
        project, TrainingSettings(method="supervised", steps=2), job(tmp_path, "a"), Monitor()
    )
    gentle = TrainingSettings(method="dual_task", steps=1, learning_rate=1e-7)
    second = train_project(project, gentle, job(tmp_path, "b"), Monitor(), start_from=first)
    before, after = (load_model(project.model(i).folder) for i in (first, second))
    assert after.card.started_from == first
    assert after.plan == before.plan
    for name, weight in before.network.state_dict().items():
        assert torch.allclose(after.network.state_dict()[name], weight, atol=1e-5), name
    assert "level_set" in after.network.head_names


def add_coarse_scans(project: Project, folder: Path) -> None:
    """More scans of twice the spacing than there are of the other."""
    for seed in range(5):
        scan = make_phantom(seed, size=(16, 24, 20)).image
        x, y, z = scan.grid.spacing_mm
        grid = dataclasses.replace(scan.grid, spacing_mm=(2 * x, 2 * y, 2 * z))
        write_volume(folder / f"coarse {seed}.nii.gz", Volume(scan.array, grid))
        project.add_case(f"coarse {seed}", [folder / f"coarse {seed}.nii.gz"])


def warnings_of(events: list[Event]) -> list[str]:
    return [e.text for e in events if isinstance(e, Log) and e.level == "warning"]


def test_refining_tells_what_the_scans_of_now_would_have_been_given_and_keeps_the_models(
    project: Project, tmp_path: Path
) -> None:
    first = train_project(project, ONE_STEP, job(tmp_path, "a"), Monitor())
    events: list[Event] = []
    train_project(project, ONE_STEP, job(tmp_path, "b"), Monitor(events.append), start_from=first)
    assert warnings_of(events) == []
    add_coarse_scans(project, tmp_path)
    second = train_project(project, ONE_STEP, job(tmp_path, "c"), Monitor(events.append), start_from=first)
    kept, used = (load_model(project.model(i).folder).plan for i in (first, second))
    assert used == kept
    own = plan_for(project, [project.case(row.id) for row in project.cases()], Monitor()).plan
    ours, theirs = (" x ".join(f"{side:.3g}" for side in plan.spacing_mm) for plan in (own, kept))
    (told,) = warnings_of(events)
    assert f"The spacing (z, y, x) is {theirs} mm in the model and {ours} mm here." in told
    assert own.patch_size == kept.patch_size or "The patch (z, y, x) is" in told
    assert own.network.strides == kept.network.strides or "The strides of the levels are" in told
    assert told.endswith("The training keeps what the model has.")


def test_refining_takes_the_names_of_the_project_and_tells_where_the_model_has_others(
    project: Project, tmp_path: Path
) -> None:
    first = train_project(project, ONE_STEP, job(tmp_path, "a"), Monitor())
    folder = project.model(first).folder
    plan = read_plan(folder / "plan.json")
    one, *others = SCHEMA.segments
    theirs = SCHEMA.model_copy(update={"segments": (one.model_copy(update={"name": "Spleen"}), *others)})
    write_plan(
        folder / "plan.json", plan.model_copy(update={"label_schema": theirs, "channel_names": ("T1",)})
    )
    events: list[Event] = []
    second = train_project(project, ONE_STEP, job(tmp_path, "b"), Monitor(events.append), start_from=first)
    used = load_model(project.model(second).folder).plan
    assert (used.label_schema, used.channel_names) == (SCHEMA, tuple(project.channel_names))
    told = "\n".join(warnings_of(events))
    assert (
        f"The segments are {', '.join(theirs.names)} in the model and {', '.join(SCHEMA.names)} here." in told
    )
    assert f"The channels are T1 in the model and {', '.join(project.channel_names)} here." in told


def test_a_model_of_other_segments_lends_all_but_its_head(project: Project, tmp_path: Path) -> None:
    first = train_project(
        project, TrainingSettings(method="supervised", steps=2), job(tmp_path, "a"), Monitor()
    )
    more = (*SCHEMA.segments, LabelSchema.of_names({77: "Another"}).segments[0])
    project.set_schema(SCHEMA.model_copy(update={"segments": more}))
    drawn = make_phantom(0, size=(16, 24, 20)).labels.array.copy()
    drawn[:2] = 77
    project.save_annotation("scan 0", drawn)
    events: list[Event] = []
    gentle = TrainingSettings(method="supervised", steps=1, learning_rate=1e-7)
    second = train_project(project, gentle, job(tmp_path, "b"), Monitor(events.append), start_from=first)
    before, after = (load_model(project.model(i).folder).network for i in (first, second))
    for name, weight in before.state_dict().items():
        if not name.startswith("heads."):
            assert torch.allclose(after.state_dict()[name], weight, atol=1e-5), name
    assert after.heads["segmentation"].out_channels == SCHEMA.class_count + 1
    assert any("learned other segments: heads.segmentation" in e.text for e in events if isinstance(e, Log))


def test_a_segment_that_nobody_drew_is_named(project: Project, tmp_path: Path) -> None:
    more = (*SCHEMA.segments, LabelSchema.of_names({77: "Nobody drew this"}).segments[0])
    project.set_schema(SCHEMA.model_copy(update={"segments": more}))
    with pytest.raises(DataError, match="Nobody drew this"):
        train_project(project, TWO_STEPS, job(tmp_path), Monitor())


def test_a_segment_of_which_resampling_leaves_nothing_is_named(tmp_path: Path) -> None:
    fine, coarse = Grid((24, 24, 24), (0.5, 0.5, 0.5)), Grid((12, 12, 12), (3.0, 3.0, 3.0))
    values = np.zeros(fine.shape, np.uint8)
    values[8:16, 8:16, 8:16] = 1
    values[3, 3, 3] = 2
    with Project.create(tmp_path / "project", LabelSchema.of_names({1: "Organ", 2: "Vessel"})) as project:
        for name, grid in (("fine", fine), ("coarse 1", coarse), ("coarse 2", coarse)):
            path = tmp_path / f"{name}.nrrd"
            write_volume(path, Volume(np.random.default_rng(0).normal(size=grid.shape), grid))
            project.add_case(name, [path])
        project.save_annotation("fine", values)
        with pytest.raises(
            DataError, match=r"too little of .*Vessel: at the spacing of the training, 3 x 3 x 3"
        ):
            train_project(project, TWO_STEPS, job(tmp_path), Monitor())


def truncate(project: Project, name: str) -> Path:
    """Damage a case's scan as a broken copy does."""
    path = project.case(name).channels[0]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


@pytest.mark.parametrize("method", ["automatic", "supervised"])
def test_an_unannotated_scan_that_cannot_be_read_is_told_once_and_stops_no_training(
    project: Project, tmp_path: Path, method: MethodName
) -> None:
    damaged = truncate(project, "scan 2")
    events: list[Event] = []
    settings = TrainingSettings(method=method, steps=1)
    model_id = train_project(project, settings, job(tmp_path), Monitor(events.append))
    card = load_model(project.model(model_id).folder).card
    assert (card.annotated_cases, card.unannotated_cases) == (1, 2 if method == "automatic" else 0)
    (told,) = warnings_of(events)
    assert told.startswith("The case scan 2 is left out.")
    assert str(damaged) in told


def test_a_plan_is_made_from_as_many_scans_where_one_cannot_be_read(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    truncate(project, "scan 1")
    monkeypatch.setattr("medssl.learning.project_plan._PLANNED_CASES", 2)
    planned = plan_for(project, [project.case(row.id) for row in project.cases()], Monitor())
    readable = [project.case(name) for name in ("scan 0", "scan 2")]
    assert planned.plan == plan_for(project, readable, Monitor()).plan
    assert planned.unreadable == {project.case("scan 1").id}


def test_an_annotated_scan_that_cannot_be_read_stops_a_training(project: Project, tmp_path: Path) -> None:
    damaged = truncate(project, "scan 0")
    with pytest.raises(ImageError, match=re.escape(str(damaged))):
        train_project(project, TWO_STEPS, job(tmp_path), Monitor())


def test_a_scan_of_one_voxel_can_be_trained_on(tmp_path: Path) -> None:
    schema = LabelSchema.of_names({1: "all of it"})
    with Project.create(tmp_path / "p", schema) as project:
        voxel = Volume(np.full((1, 1, 1), 3.0, dtype=np.float32), Grid((1, 1, 1), (1.0, 1.0, 1.0)))
        write_volume(tmp_path / "one.nii.gz", voxel)
        project.add_case("one", [tmp_path / "one.nii.gz"])
        project.save_annotation("one", np.ones((1, 1, 1), dtype=np.uint8))
        model_id = train_project(project, TWO_STEPS, job(tmp_path), Monitor())
        assert load_model(project.model(model_id).folder).card.steps == 2


def test_a_project_without_annotations_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="annotated"):
        train_project(Project.create(tmp_path / "p", SCHEMA), TWO_STEPS, job(tmp_path), Monitor())


@pytest.mark.skipif(torch.cuda.is_available(), reason="this computer has the GPU whose absence is tested")
def test_a_gpu_that_is_not_there_is_not_silently_replaced() -> None:
    with pytest.raises(UsageError, match="GPU"):
        choose_device("cuda")
    assert choose_device("auto") == torch.device("cpu")
