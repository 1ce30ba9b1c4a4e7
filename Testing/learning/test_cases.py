"""Prepared cases: from the project's files or its cache, within the memory there is."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from medssl.errors import Cancelled, GridError, ImageError
from medssl.events import Event, Log, Monitor
from medssl.imaging.reading import read_grid
from medssl.labels import LabelSchema
from medssl.learning.cases import TrainingCase, load_cases
from medssl.learning.facts import gather_facts
from medssl.learning.plan import Plan
from medssl.learning.planner import make_plan
from medssl.learning.project_plan import plan_for
from medssl.machine import Machine
from medssl.project import Case, Project

SHAPE = (16, 20, 18)
SCHEMA = LabelSchema.of_names({4: "box"})
PLENTY = 1 << 30


def write_scan(path: Path, seed: int, shape: tuple[int, int, int] = SHAPE) -> Path:
    array = np.random.default_rng(seed).normal(100, 20, shape).astype(np.int16)
    array[4:12, 5:15, 5:15] += 100
    sitk.WriteImage(sitk.GetImageFromArray(array), str(path))
    return path


def drawn() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    values = np.zeros(SHAPE, dtype=np.uint8)
    values[4:12, 5:15, 5:15] = 4
    return values


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "project", SCHEMA) as made:
        for index in range(4):
            made.add_case(f"case {index}", [write_scan(tmp_path / f"{index}.nii.gz", index)])
        made.save_annotation("case 2", drawn())
        yield made


def all_cases(project: Project) -> list[Case]:
    return [project.case(row.id) for row in project.cases()]


@pytest.fixture
def plan(project: Project) -> Plan:
    facts = [gather_facts(case.name, case.channels, SCHEMA) for case in all_cases(project)]
    return make_plan(facts, SCHEMA, ("image",), Machine(PLENTY, PLENTY, 2, None))


class Told:
    """A monitor and the warnings it was given."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.monitor = Monitor(self._take)

    def _take(self, event: Event) -> None:
        if isinstance(event, Log) and event.level == "warning":
            self.warnings.append(event.text)


def load(
    project: Project, plan: Plan, monitor: Monitor | None = None, memory_bytes: int | None = PLENTY
) -> list[TrainingCase]:
    return load_cases(
        project,
        all_cases(project),
        plan,
        monitor or Monitor(),
        with_level_set=True,
        memory_bytes=memory_bytes,
    )


def same(first: TrainingCase, second: TrainingCase) -> bool:
    pairs = ((first.image, second.image), (first.labels, second.labels), (first.level_set, second.level_set))
    return all(torch.equal(a, b) if a is not None and b is not None else a is b for a, b in pairs)


def test_cases_come_in_order_with_labels_where_somebody_drew(project: Project, plan: Plan) -> None:
    found = load(project, plan)
    assert [case.name for case in found] == ["case 0", "case 1", "case 2", "case 3"]
    assert [case.labels is not None for case in found] == [False, False, True, False]
    annotated = found[2]
    assert annotated.labels is not None
    assert annotated.level_set is not None
    assert (annotated.labels.numpy() == (drawn() == 4)).all()
    assert torch.equal(annotated.level_set[0] < 0, annotated.labels == 1)
    assert all(case.image.shape == (1, *SHAPE) and case.image.dtype == torch.float32 for case in found)


def test_the_second_time_is_the_same_and_does_not_read_the_scans(project: Project, plan: Plan) -> None:
    before = load(project, plan)
    for case in all_cases(project):
        path = case.channels[0]
        status = path.stat()
        path.write_bytes(b"x" * status.st_size)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert all(map(same, before, load(project, plan)))


def test_a_changed_scan_plan_or_annotation_is_prepared_anew(project: Project, plan: Plan) -> None:
    before = load(project, plan)
    write_scan(all_cases(project)[0].channels[0], seed=99)
    changed = drawn()
    changed[0, 0, 0] = 4
    project.save_annotation("case 2", changed)
    after = load(project, plan)
    assert [same(a, b) for a, b in zip(before, after, strict=True)] == [False, True, False, True]
    coarse = load(project, plan.model_copy(update={"spacing_mm": (2.0, 2.0, 2.0)}))
    assert coarse[0].image.shape == (1, 8, 10, 9)
    assert len(list((project.folder / "cache" / "prepared").iterdir())) == 5  # nothing old piles up


def test_a_damaged_cache_is_made_again(project: Project, plan: Plan) -> None:
    before = load(project, plan)
    for index, path in enumerate(sorted((project.folder / "cache" / "prepared").iterdir())):
        path.write_bytes(path.read_bytes()[: 40 * index])
    assert all(map(same, before, load(project, plan)))


def test_without_a_place_for_the_cache_it_goes_on_and_says_so_once(
    project: Project, plan: Plan, make_read_only: Callable[[Path], None]
) -> None:
    cache = project.folder / "cache"
    cache.mkdir(exist_ok=True)
    make_read_only(cache)
    told = Told()
    assert len(load(project, plan, told.monitor)) == 4
    assert len(told.warnings) == 1
    assert str(cache) in told.warnings[0]


def test_an_unannotated_case_that_cannot_be_read_is_left_out_and_named(project: Project, plan: Plan) -> None:
    all_cases(project)[0].channels[0].write_bytes(b"not an image")
    all_cases(project)[1].channels[0].unlink()
    told = Told()
    assert [case.name for case in load(project, plan, told.monitor)] == ["case 2", "case 3"]
    assert len(told.warnings) == 2
    assert any("case 0" in text and "0.nii.gz" in text for text in told.warnings)
    assert any("case 1" in text and "1.nii.gz" in text for text in told.warnings)


def test_an_annotated_case_that_cannot_be_read_is_an_error(project: Project, plan: Plan) -> None:
    all_cases(project)[2].channels[0].unlink()
    with pytest.raises(ImageError, match=r"2\.nii\.gz"):
        load(project, plan)


def test_a_scan_that_was_replaced_by_another_after_annotating_is_an_error(
    project: Project, plan: Plan
) -> None:
    write_scan(all_cases(project)[2].channels[0], 5, (16, 20, 17))
    with pytest.raises(GridError, match="changed after it was annotated"):
        load(project, plan)
    with pytest.raises(GridError, match="changed after it was annotated"):
        plan_for(project, all_cases(project), Monitor())


def test_labels_follow_a_scan_that_was_stored_with_its_axes_another_way(project: Project, plan: Plan) -> None:
    before = load(project, plan)[2]
    path = all_cases(project)[2].channels[0]
    turned = sitk.Flip(sitk.PermuteAxes(sitk.ReadImage(str(path)), (2, 0, 1)), (True, False, False))
    sitk.WriteImage(turned, str(path))  # the same voxels at the same places in the patient
    assert read_grid(path).shape != SHAPE
    after = load(project, plan)[2]
    assert torch.equal(after.labels, before.labels)
    assert torch.allclose(after.image, before.image, atol=0.01)


def test_with_little_memory_cases_take_half_and_then_fewer_are_used(project: Project, plan: Plan) -> None:
    one = 2 * int(np.prod(SHAPE))
    tight = load(project, plan, memory_bytes=9 * one)
    assert len(tight) == 4
    assert all(case.image.dtype == torch.float16 for case in tight)
    told = Told()
    fewer = load(project, plan, told.monitor, memory_bytes=3 * one)
    assert "case 2" in [case.name for case in fewer]
    assert len(fewer) == 2
    assert told.warnings == [
        "The memory of this computer holds 2 of 4 cases; 2 unannotated ones are not used."
    ]


def test_loading_stops_when_asked(project: Project, plan: Plan) -> None:
    monitor = Monitor()
    monitor.cancel()
    with pytest.raises(Cancelled):
        load(project, plan, monitor)
