"""Where memory does not suffice, a training goes on with less."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from medssl.errors import MedSSLError
from medssl.events import Event, Log, Monitor, Progress
from medssl.imaging.writing import write_volume
from medssl.labels import LabelSchema
from medssl.learning import trainer
from medssl.learning.model import load_model
from medssl.learning.plan import NetworkShape, Normalisation, Plan
from medssl.learning.planner import read_plan
from medssl.learning.settings import TrainingSettings
from medssl.learning.shrinking import is_out_of_memory, shrink, within_memory
from medssl.learning.training import CHECKPOINT, PLAN, train_project
from medssl.phantom import SCHEMA, make_phantom
from medssl.project import Project

_STRIDES = st.lists(st.tuples(*(st.sampled_from((1, 2)),) * 3), min_size=1, max_size=4)


def _plan(batch: int, units: tuple[int, int, int], strides: list[tuple[int, int, int]]) -> Plan:
    levels = 1 + len(strides)
    network = NetworkShape(
        channels=1,
        classes=2,
        features=(8,) * levels,
        strides=((1, 1, 1), *strides),
        kernels=((3, 3, 3),) * levels,
        convolutions=(1,) * levels,
    )
    z, y, x = (n * step for n, step in zip(units, network.divisor, strict=True))
    return Plan(
        label_schema=LabelSchema.of_names({1: "Ball"}),
        channel_names=("image",),
        spacing_mm=(1.0, 1.0, 1.0),
        normalisation=(Normalisation(kind="percentile", low=0.5, high=99.5),),
        patch_size=(z, y, x),
        batch_size=batch,
        network=network,
        level_set_mm=(4.0,),
    )


@settings(max_examples=60)
@given(batch=st.integers(1, 9), units=st.tuples(*(st.integers(1, 12),) * 3), strides=_STRIDES)
def test_a_plan_shrinks_to_one_small_patch_the_batch_first_and_keeps_its_network(
    batch: int, units: tuple[int, int, int], strides: list[tuple[int, int, int]]
) -> None:
    plan = _plan(batch, units, strides)
    for _ in range(40):
        smaller = shrink(plan)
        if smaller is None:
            break
        assert (smaller.network, smaller.spacing_mm) == (plan.network, plan.spacing_mm)
        before, after = math.prod(plan.patch_size), math.prod(smaller.patch_size)
        if plan.batch_size > 1:
            assert (smaller.batch_size, after) == (plan.batch_size // 2, before)
        else:
            assert after < before
            assert after >= 2 * math.prod(plan.network.divisor)
            assert all(
                side % step == 0 for side, step in zip(smaller.patch_size, plan.network.divisor, strict=True)
            )
        plan = smaller
    assert (plan.batch_size, shrink(plan)) == (1, None)
    assert math.prod(plan.patch_size) <= 2 * math.prod(plan.network.divisor)


def test_a_large_patch_loses_about_half_its_volume_and_keeps_its_proportions() -> None:
    smaller = shrink(_plan(1, (7, 7, 5), [(2, 2, 2)] * 4))
    assert smaller is not None
    assert smaller.patch_size == (96, 96, 64)


@pytest.mark.parametrize(
    ("error", "about_memory"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to ..."), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("The size of tensor a (3) must match the size of tensor b (4)"), False),
        (ValueError("CUDA out of memory"), False),
    ],
)
def test_errors_about_memory_are_told_from_others(error: Exception, about_memory: bool) -> None:
    assert is_out_of_memory(error) is about_memory


def test_another_error_passes_and_nothing_is_tried_again() -> None:
    tried: list[Plan] = []

    def attempt(plan: Plan) -> None:
        tried.append(plan)
        raise RuntimeError("a defect")

    with pytest.raises(RuntimeError, match="a defect"):
        within_memory(_plan(4, (4, 4, 4), [(2, 2, 2)]), attempt, tried.append, Monitor())
    assert len(tried) == 1


def test_when_nothing_can_be_smaller_a_person_is_told_what_to_do() -> None:
    kept: list[Plan] = []

    def attempt(_: Plan) -> None:
        raise MemoryError

    with pytest.raises(MedSSLError, match="not even with one patch") as caught:
        within_memory(_plan(2, (2, 2, 2), [(2, 2, 2)]), attempt, kept.append, Monitor())
    assert "Close other programs" in caught.value.remedy
    assert [plan.batch_size for plan in kept][:1] == [1]


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory")])
def test_a_training_that_runs_out_of_memory_shrinks_its_plan_and_goes_on_from_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    with Project.create(tmp_path / "project", SCHEMA) as project:
        phantom = make_phantom(0, size=(16, 24, 20))
        write_volume(tmp_path / "scan.nii.gz", phantom.image)
        project.add_case("scan", [tmp_path / "scan.nii.gz"])
        project.save_annotation("scan", phantom.labels.array)
        folder = tmp_path / "job"
        folder.mkdir()
        monkeypatch.setattr("medssl.learning.loop.CHECKPOINT_S", 0.0)
        method = trainer.METHODS["supervised"]
        learn, seen = method.losses, []

        def losses(self: object, step: trainer.Step) -> dict[str, torch.Tensor]:
            """Learn, as long as at most half of the first patch is asked for; the first two steps pass."""
            voxels = step.batch.labelled.image.numel()
            seen.append(voxels)
            if len(seen) > 2 and voxels > seen[0] // 3:
                raise error
            return learn(self, step)

        monkeypatch.setattr(method, "losses", losses)
        events: list[Event] = []
        wanted = TrainingSettings(method="supervised", steps=5, device="cpu")

        model_id = train_project(project, wanted, folder, Monitor(events.append))

        said = [event.text for event in events if isinstance(event, Log)]
        assert sum("not enough memory for" in text for text in said) == 2
        assert sum("Going on from step 2" in text for text in said) == 2
        steps = [event.done for event in events if isinstance(event, Progress) and event.stage == "Training"]
        assert steps == [1, 2, 3, 4, 5]
        plan = load_model(project.model(model_id).folder).plan
        assert plan == read_plan(folder / PLAN)
        assert plan.batch_size == 1
        assert math.prod(plan.patch_size) < seen[0] / 2
        assert not (folder / CHECKPOINT).exists()


def test_memory_that_a_validation_lacks_costs_no_patch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    with Project.create(tmp_path / "project", SCHEMA) as project:
        for seed, name in enumerate(("drawn", "judged")):
            phantom = make_phantom(seed, size=(16, 24, 20))
            write_volume(tmp_path / f"{name}.nii.gz", phantom.image)
            project.add_case(name, [tmp_path / f"{name}.nii.gz"])
            project.save_annotation(name, phantom.labels.array)
        project.set_role("judged", "validation")
        folder = tmp_path / "job"
        folder.mkdir()
        monkeypatch.setattr("medssl.learning.validation.slide", refuse)
        events: list[Event] = []
        wanted = TrainingSettings(method="supervised", steps=3, device="cpu")

        model_id = train_project(project, wanted, folder, Monitor(events.append))

        (warned,) = (e.text for e in events if isinstance(e, Log) and e.level == "warning")
        assert "not enough memory to validate" in warned
        model = load_model(project.model(model_id).folder)
        assert (model.card.steps, model.card.validation_dice) == (3, None)
        assert model.plan.batch_size > 1
