"""Pretraining ends in a model that a training can begin with, from a project or from any folder."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from job_folders import job
from medssl.errors import Cancelled, DataError, ImageError, ModelError
from medssl.events import Monitor
from medssl.imaging.volume import Volume
from medssl.imaging.writing import write_volume
from medssl.labels import LabelSchema
from medssl.learning.model import load_model, read_card, read_weights
from medssl.learning.network import Network
from medssl.learning.plan import Plan
from medssl.learning.planner import read_plan
from medssl.learning.pretext import PRETEXTS
from medssl.learning.pretext.pgl import PriorGuidedLocal
from medssl.learning.pretext.scans import body_map
from medssl.learning.pretraining import STAGE, pretrain, pretrain_project
from medssl.learning.project_plan import plan_for
from medssl.learning.settings import PretrainingSettings, TrainingSettings
from medssl.learning.training import CHECKPOINT, PLAN, train_project
from medssl.phantom import SCHEMA, make_phantom
from medssl.project import Project
from watching import Watcher

CPU = torch.device("cpu")
SIZE = (16, 24, 20)


@pytest.fixture
def scan_folder(tmp_path: Path) -> Path:
    """Three small scans, one of them in a folder of its own."""
    folder = tmp_path / "scans"
    for seed, place in enumerate(("a.nii.gz", "b.nrrd", "more/c.nii.gz")):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        write_volume(folder / place, make_phantom(seed, size=SIZE).image)
    return folder


@pytest.fixture
def project(tmp_path: Path, scan_folder: Path) -> Project:
    """The same scans as cases; the first is annotated."""
    made = Project.create(tmp_path / "project", SCHEMA)
    for name in ("a.nii.gz", "b.nrrd", "more/c.nii.gz"):
        made.add_case(name.split(".")[0].replace("/", " "), [scan_folder / name])
    made.save_annotation("a", make_phantom(0, size=SIZE).labels.array)
    return made


@pytest.mark.parametrize("method", ["pgl", "rotation"])
def test_an_interrupted_pretraining_ends_as_an_uninterrupted_one(
    make_case, plan: Plan, tmp_path: Path, method: str
) -> None:
    cases = [make_case(i) for i in range(2)]
    settings = PretrainingSettings(method=method, steps=6, seed=3)
    whole = Watcher()
    expected = pretrain(cases, plan, settings, CPU, whole)
    interrupted, checkpoint = Watcher(stop_at=3, stage=STAGE), tmp_path / "checkpoint.safetensors"
    with pytest.raises(Cancelled):
        pretrain(cases, plan, settings, CPU, interrupted, checkpoint=checkpoint)
    resumed = Watcher()
    found = pretrain(cases, plan, settings, CPU, resumed, checkpoint=checkpoint)
    assert set(resumed.values("loss")) == {4, 5, 6}
    both = interrupted.values("loss") | resumed.values("loss")
    assert both == pytest.approx(whole.values("loss"), rel=1e-5)
    for name, weight in expected.encoder.state_dict().items():
        assert torch.allclose(found.encoder.state_dict()[name], weight, atol=1e-6), name


@pytest.mark.parametrize("method", sorted(PRETEXTS))
def test_every_task_pretrains_an_encoder(make_case, plan: Plan, method: str) -> None:
    cases = [make_case(i) for i in range(2)]
    done = pretrain(cases, plan, PretrainingSettings(method=method, steps=1), CPU, Monitor())
    network = Network(plan.network)
    network.encoder.load_state_dict(done.encoder.state_dict(), strict=True)
    assert done.steps == 1


def test_progress_losses_and_figures_are_reported(make_case, plan: Plan) -> None:
    monitor = Watcher()
    cases = [make_case(i) for i in range(2)]
    pretrain(cases, plan, PretrainingSettings(method="relative_location", steps=3), CPU, monitor)
    assert set(monitor.values("accuracy")) == set(monitor.values("relative_location")) == {1, 2, 3}
    progress = monitor.reported
    assert {event.stage for event in progress} == {STAGE}
    assert progress[-1].done == progress[-1].total == 3


def test_a_target_follows_every_step_and_a_collapse_is_told_while_there_is_time(
    make_case, plan: Plan, monkeypatch
) -> None:
    followed, after_step = [], PriorGuidedLocal.after_step

    def follow(task: PriorGuidedLocal, fraction: float) -> None:
        followed.append(fraction)
        after_step(task, fraction)

    monkeypatch.setattr(PriorGuidedLocal, "after_step", follow)
    monkeypatch.setattr(PriorGuidedLocal, "trouble", lambda self, outcome: "It has collapsed.")
    monitor = Watcher()
    pretrain([make_case(0)], plan, PretrainingSettings(method="pgl", steps=2), CPU, monitor)
    assert "It has collapsed." in "\n".join(monitor.told)
    assert followed == [0.5, 1.0]


def test_too_few_scans_for_a_task_are_refused(make_case, plan: Plan) -> None:
    with pytest.raises(DataError, match="needs 2 scans"):
        pretrain([make_case(0)], plan, PretrainingSettings(method="exemplar", steps=1), CPU, Monitor())


def test_a_time_budget_ends_a_pretraining_and_looking_for_bodies_takes_none_of_it(
    make_case, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = itertools.count(step=5)  # every step takes five seconds

    def slow_map(image: torch.Tensor) -> torch.Tensor:
        next(itertools.islice(ticks, 40, None))
        return body_map(image)

    monkeypatch.setattr("medssl.learning.pretext.scans.body_map", slow_map)
    settings = PretrainingSettings(method="jigsaw", seconds=30)
    done = pretrain([make_case(0)], plan, settings, CPU, Monitor(), clock=lambda: float(next(ticks)))
    assert done.steps == 6


def test_a_project_gets_a_model_with_a_card_and_nothing_but_the_encoder(
    project: Project, tmp_path: Path
) -> None:
    settings = PretrainingSettings(method="relative_location", steps=2)
    model_id = pretrain_project(project, settings, job(tmp_path), Monitor(), name="First look")
    record = project.model(model_id)
    weights = read_weights(record.folder)
    assert (record.name, record.method) == ("First look", "relative_location")
    assert (weights.card.heads, weights.card.steps, weights.card.unannotated_cases) == ((), 2, 3)
    assert weights.plan.label_schema == SCHEMA
    assert {name.split(".")[0] for name in weights.tensors} == {"encoder"}
    with pytest.raises(ModelError, match="pretrained and cannot segment yet"):
        load_model(record.folder)


@pytest.mark.parametrize("method", ["supervised", "local_contrastive"])
def test_a_training_begins_with_a_pretrained_model(project: Project, tmp_path: Path, method: str) -> None:
    settings = PretrainingSettings(method="rotation", steps=2)
    pretrained = pretrain_project(project, settings, job(tmp_path, "a"), Monitor())
    monitor = Watcher()
    gentle = TrainingSettings(method=method, steps=1)  # the encoder rests at first: all of it
    trained = train_project(project, gentle, job(tmp_path, "b"), monitor, start_from=pretrained)
    model = load_model(project.model(trained).folder)
    assert model.card.started_from == pretrained
    assert "encoder 15 of 15, decoder 0 of" in "\n".join(monitor.told)
    for name, tensor in read_weights(project.model(pretrained).folder).tensors.items():
        assert torch.equal(model.network.state_dict()[name], tensor), name


def test_a_model_of_another_spacing_is_kept_to_and_the_difference_told(
    project: Project, tmp_path: Path
) -> None:
    folder = job(tmp_path, "coarse scans")
    scan = make_phantom(0, size=SIZE).image
    x, y, z = scan.grid.spacing_mm
    coarse = dataclasses.replace(scan.grid, spacing_mm=(2 * x, 2 * y, 2 * z))
    write_volume(folder / "coarse.nrrd", Volume(scan.array, coarse))
    pretext = PretrainingSettings(method="rotation", steps=1)
    pretrained = pretrain_project(project, pretext, job(tmp_path, "a"), Monitor(), scans=folder)
    monitor = Watcher()
    supervised = TrainingSettings(method="supervised", steps=1)
    trained = train_project(project, supervised, job(tmp_path, "b"), monitor, start_from=pretrained)
    models = [project.model(model_id).folder for model_id in (pretrained, trained)]
    kept, used = (read_weights(model).plan.spacing_mm for model in models)
    own = plan_for(project, [project.case(row.id) for row in project.cases()], Monitor()).plan.spacing_mm
    assert used == kept != own
    ours, theirs = (" x ".join(f"{side:.3g}" for side in spacing) for spacing in (own, kept))
    (told,) = (text for text in monitor.told if "keeps what the model has" in text)
    assert f"The spacing (z, y, x) is {theirs} mm in the model and {ours} mm here." in told


def test_a_model_pretrained_on_a_folder_starts_a_training_in_any_project(
    project: Project, scan_folder: Path, tmp_path: Path
) -> None:
    settings = PretrainingSettings(method="relative_location", steps=2)
    with Project.create(tmp_path / "other", LabelSchema.of_names({1: "Liver"})) as other:
        model_id = pretrain_project(other, settings, job(tmp_path, "a"), Monitor(), scans=scan_folder)
        record = other.model(model_id)
    card = read_card(record.folder)
    assert not record.can_segment
    assert (card.id, card.method, card.unannotated_cases) == (model_id, "relative_location", 3)
    assert card.heads == ()
    supervised = TrainingSettings(method="supervised", steps=1)
    trained = train_project(project, supervised, job(tmp_path, "b"), Monitor(), start_from=str(record.folder))
    model = load_model(project.model(trained).folder)
    assert model.card.started_from == card.id
    assert model.plan.label_schema == SCHEMA
    assert model.plan.network.features == read_weights(record.folder).plan.network.features


def test_the_annotated_of_more_cases_than_a_plan_looks_at_come_first_as_in_a_training(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medssl.learning.project_plan._PLANNED_CASES", 1)
    project.undo("a")
    project.save_annotation("more c", make_phantom(2, size=SIZE).labels.array)
    pretrain_project(project, PretrainingSettings(method="rotation", steps=1), job(tmp_path, "a"), Monitor())
    supervised = TrainingSettings(method="supervised", steps=1)
    train_project(project, supervised, job(tmp_path, "b"), Monitor())
    ours, theirs = (read_plan(tmp_path / name / PLAN) for name in ("a", "b"))
    assert (ours.spacing_mm, ours.level_set_mm) == (theirs.spacing_mm, theirs.level_set_mm)


def test_a_case_that_cannot_be_read_is_told_once_and_stops_no_pretraining(
    project: Project, scan_folder: Path, tmp_path: Path
) -> None:
    damaged = scan_folder / "more" / "c.nii.gz"
    damaged.write_bytes(damaged.read_bytes()[:2000])
    monitor = Watcher()
    settings = PretrainingSettings(method="relative_location", steps=1)
    model_id = pretrain_project(project, settings, job(tmp_path), monitor)
    assert read_card(project.model(model_id).folder).unannotated_cases == 2
    (told,) = monitor.warnings
    assert told.startswith("The case more c is left out.")
    assert str(damaged) in told


def test_a_project_of_which_no_scan_can_be_read_says_so(
    project: Project, scan_folder: Path, tmp_path: Path
) -> None:
    project.undo("a")
    for name in ("a.nii.gz", "b.nrrd", "more/c.nii.gz"):
        (scan_folder / name).unlink()
    with pytest.raises(DataError, match="none can be read"):
        pretrain_project(project, PretrainingSettings(steps=1), job(tmp_path), Monitor())


def test_what_is_no_scan_is_passed_over_and_told(project: Project, scan_folder: Path, tmp_path: Path) -> None:
    write_volume(scan_folder / "labels.nii.gz", make_phantom(0, size=SIZE).labels)
    (scan_folder / "broken.nrrd").write_bytes(b"NRRD0004\nno header")
    monitor = Watcher()
    settings = PretrainingSettings(method="jigsaw", steps=1)
    model_id = pretrain_project(project, settings, job(tmp_path), monitor, scans=scan_folder)
    assert read_card(project.model(model_id).folder).unannotated_cases == 3
    assert "The scan labels is passed over." in "\n".join(monitor.told)
    assert "The scan broken is passed over" in "\n".join(monitor.told)


def test_a_cancelled_folder_goes_on_in_the_same_job(
    project: Project, scan_folder: Path, tmp_path: Path
) -> None:
    folder, settings = job(tmp_path), PretrainingSettings(method="relative_location", steps=4)
    with pytest.raises(Cancelled):
        pretrain_project(project, settings, folder, Watcher(stop_at=2, stage=STAGE), scans=scan_folder)
    assert (folder / PLAN).exists()
    assert (folder / CHECKPOINT).exists()
    assert project.models() == []
    monitor = Watcher()
    model_id = pretrain_project(project, settings, folder, monitor, scans=scan_folder)
    assert "Going on from step 2" in "\n".join(monitor.told)
    assert read_card(project.model(model_id).folder).steps == 4
    assert not (folder / CHECKPOINT).exists()


@pytest.mark.parametrize("from_folder", [False, True])
def test_a_pretraining_goes_on_with_the_scans_that_it_began_with(
    project: Project, scan_folder: Path, tmp_path: Path, from_folder: bool
) -> None:
    settings = PretrainingSettings(method="relative_location", steps=5)
    scans = scan_folder if from_folder else None
    whole, first, second = Watcher(), Watcher(stop_at=2, stage=STAGE), Watcher()
    pretrain_project(project, settings, job(tmp_path, "whole"), whole, scans=scans)
    folder = job(tmp_path)
    with pytest.raises(Cancelled):
        pretrain_project(project, settings, folder, first, scans=scans)
    for seed, name in ((7, "aa"), (8, "b b"), (9, "z")):
        write_volume(scan_folder / f"{name}.nii.gz", make_phantom(seed, size=SIZE).image)
        project.add_case(name, [scan_folder / f"{name}.nii.gz"])
    model_id = pretrain_project(project, settings, folder, second, scans=scans)
    assert second.warnings == []
    assert first.values() | second.values() == whole.values()
    assert read_card(project.model(model_id).folder).unannotated_cases == 3


def test_a_scan_that_went_while_a_pretraining_was_interrupted_is_named(
    project: Project, scan_folder: Path, tmp_path: Path
) -> None:
    settings, folder = PretrainingSettings(method="relative_location", steps=4), job(tmp_path)
    with pytest.raises(Cancelled):
        pretrain_project(project, settings, folder, Watcher(stop_at=2, stage=STAGE), scans=scan_folder)
    (scan_folder / "b.nrrd").unlink()
    watcher = Watcher()
    model_id = pretrain_project(project, settings, folder, watcher, scans=scan_folder)
    assert watcher.warnings == ["The scan b is no longer there, so the job goes on without it."]
    assert read_card(project.model(model_id).folder).unannotated_cases == 2


def test_folders_that_cannot_be_used_are_named(project: Project, tmp_path: Path) -> None:
    settings, folder = PretrainingSettings(steps=1), job(tmp_path)
    with pytest.raises(ImageError, match="no folder"):
        pretrain_project(project, settings, folder, Monitor(), scans=tmp_path / "none")
    with pytest.raises(DataError, match="holds no scan"):
        pretrain_project(project, settings, folder, Monitor(), scans=job(tmp_path, "empty"))


def test_a_project_without_cases_says_so(tmp_path: Path) -> None:
    empty = Project.create(tmp_path / "p", SCHEMA)
    with pytest.raises(DataError, match="no case"):
        pretrain_project(empty, PretrainingSettings(steps=1), job(tmp_path), Monitor())


def test_a_constant_scan_teaches_nothing_and_nan_do_no_harm(project: Project, tmp_path: Path) -> None:
    grid = make_phantom(0, size=SIZE).image.grid
    folder = job(tmp_path, "odd scans")
    holes = make_phantom(1, size=SIZE).image.array.astype(np.float32)
    holes[3:6] = np.nan
    write_volume(folder / "holes.nrrd", Volume(holes, grid))
    write_volume(folder / "constant.nrrd", Volume(np.full(SIZE, -3.5, dtype=np.float32), grid))
    settings = PretrainingSettings(method="rotation", steps=2)
    model_id = pretrain_project(project, settings, job(tmp_path), Monitor(), scans=folder)
    assert read_card(project.model(model_id).folder).unannotated_cases == 1
