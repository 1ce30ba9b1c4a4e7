"""An interrupted training goes on with what it began with, whatever people did in the meantime."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from job_folders import job
from medssl.errors import Cancelled, DataError, ImageError, StorageError
from medssl.events import Monitor
from medssl.imaging.writing import write_volume
from medssl.labels import LabelSchema
from medssl.learning.kept_cases import CASES
from medssl.learning.model import load_model
from medssl.learning.settings import TrainingSettings
from medssl.learning.training import train_project
from medssl.machine import Machine
from medssl.phantom import SCHEMA, make_phantom
from medssl.project import Project
from watching import Watcher

SIZE = (16, 24, 20)
SUPERVISED = TrainingSettings(method="supervised", steps=6)
AUTOMATIC = TrainingSettings(method="dual_task", steps=6)


def draw(project: Project, name: str, seed: int | None = None) -> None:
    values = make_phantom(int(name[-1]) if seed is None else seed, size=SIZE).labels.array
    project.save_annotation(name, values)


def interrupted(project: Project, settings: TrainingSettings, folder: Path) -> Watcher:
    watcher = Watcher(stop_at=3, stage="Training")
    with pytest.raises(Cancelled):
        train_project(project, settings, folder, watcher)
    return watcher


@pytest.mark.parametrize("settings", [SUPERVISED, AUTOMATIC])
def test_a_training_goes_on_with_the_cases_and_annotations_that_it_began_with(
    project: Project, tmp_path: Path, settings: TrainingSettings
) -> None:
    draw(project, "scan 1")
    project.set_role("scan 1", "validation")
    whole = Watcher()
    train_project(project, settings, job(tmp_path, "whole"), whole)
    folder = job(tmp_path)
    first = interrupted(project, settings, folder)
    draw(project, "scan 0", seed=5)  # another version
    draw(project, "scan 1", seed=6)
    draw(project, "scan 2")
    write_volume(tmp_path / "more.nii.gz", make_phantom(7, size=SIZE).image)
    project.add_case("more", [tmp_path / "more.nii.gz"])
    second = Watcher()
    model_id = train_project(project, settings, folder, second)
    assert second.warnings == []
    assert first.values() | second.values() == whole.values()
    dice = f"dice/{SCHEMA.names[0]}"
    assert {step: whole.values(dice)[step] for step in (4, 5, 6)} == second.values(dice)
    card = load_model(project.model(model_id).folder).card
    unannotated = 0 if settings is SUPERVISED else 2
    assert (card.annotated_cases, card.unannotated_cases) == (1, unannotated)


def test_an_annotation_that_was_taken_back_is_learned_from_to_the_end(
    project: Project, tmp_path: Path
) -> None:
    folder = job(tmp_path)
    interrupted(project, SUPERVISED, folder)
    project.undo("scan 0")
    watcher = Watcher()
    model_id = train_project(project, SUPERVISED, folder, watcher)
    assert watcher.warnings == []
    assert load_model(project.model(model_id).folder).card.annotated_cases == 1


def test_a_case_that_was_excluded_meanwhile_is_named_and_the_training_goes_on(
    project: Project, tmp_path: Path
) -> None:
    draw(project, "scan 1")
    folder = job(tmp_path)
    interrupted(project, AUTOMATIC, folder)
    for name in ("scan 1", "scan 2"):
        project.set_role(name, "excluded")
    watcher = Watcher()
    model_id = train_project(project, AUTOMATIC, folder, watcher)
    assert [text.split(",")[0] for text in watcher.warnings] == [
        "The case scan 1 has the role 'excluded' now",
        "The case scan 2 has the role 'excluded' now",
    ]
    card = load_model(project.model(model_id).folder).card
    assert (card.annotated_cases, card.unannotated_cases) == (1, 1)


def test_a_training_that_has_lost_all_its_annotated_cases_says_so(project: Project, tmp_path: Path) -> None:
    folder = job(tmp_path)
    interrupted(project, SUPERVISED, folder)
    project.set_role("scan 0", "excluded")
    draw(project, "scan 1")
    with pytest.raises(DataError, match="annotated cases that the training began with"):
        train_project(project, SUPERVISED, folder, Monitor())


def test_what_kept_a_training_from_beginning_can_be_put_right(project: Project, tmp_path: Path) -> None:
    folder = job(tmp_path)
    path = project.case("scan 0").channels[0]
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ImageError):
        train_project(project, SUPERVISED, folder, Monitor())
    write_volume(path, make_phantom(0, size=SIZE).image)
    draw(project, "scan 1")
    model_id = train_project(project, SUPERVISED, folder, Monitor())
    assert load_model(project.model(model_id).folder).card.annotated_cases == 2


def test_a_training_that_an_older_version_began_goes_on_with_the_cases_of_now(
    project: Project, tmp_path: Path
) -> None:
    folder = job(tmp_path)
    interrupted(project, SUPERVISED, folder)
    (folder / CASES).unlink()
    draw(project, "scan 1")
    watcher = Watcher()
    model_id = train_project(project, SUPERVISED, folder, watcher)
    assert "Going on from step 3." in watcher.told
    assert load_model(project.model(model_id).folder).card.annotated_cases == 2


def test_a_damaged_list_of_cases_is_named(project: Project, tmp_path: Path) -> None:
    folder = job(tmp_path)
    interrupted(project, SUPERVISED, folder)
    (folder / CASES).write_text("{}")
    with pytest.raises(StorageError, match=CASES):
        train_project(project, SUPERVISED, folder, Monitor())


def test_a_training_goes_on_with_the_scans_that_memory_held_when_it_began(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine.look()

    def look(free_bytes: int) -> Callable[..., Machine]:
        return lambda **_: dataclasses.replace(machine, memory_free_bytes=free_bytes)

    folder = job(tmp_path)
    monkeypatch.setattr(Machine, "look", look(3 * 2 * int(np.prod(SIZE))))
    first = interrupted(project, AUTOMATIC, folder)
    assert any("memory of this computer holds" in text for text in first.warnings)
    monkeypatch.setattr(Machine, "look", look(machine.memory_free_bytes))
    second = Watcher()
    model_id = train_project(project, AUTOMATIC, folder, second)
    assert second.warnings == []
    assert load_model(project.model(model_id).folder).card.unannotated_cases == 1


def test_a_segment_that_came_later_is_told_and_not_learned(project: Project, tmp_path: Path) -> None:
    folder = job(tmp_path)
    interrupted(project, SUPERVISED, folder)
    stone = LabelSchema.of_names({9: "Stone"}).segments
    project.set_schema(project.schema.model_copy(update={"segments": (*project.schema.segments, *stone)}))
    watcher = Watcher()
    model_id = train_project(project, SUPERVISED, folder, watcher)
    assert load_model(project.model(model_id).folder).plan.label_schema == SCHEMA
    (told,) = (text for text in watcher.warnings if "Stone" in text)
    assert "new training" in told
