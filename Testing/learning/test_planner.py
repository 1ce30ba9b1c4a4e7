"""The plan follows the cases and the machine."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from medssl.errors import DataError, ModelError
from medssl.labels import LabelSchema
from medssl.learning.facts import ChannelFacts, ScanFacts, gather_facts
from medssl.learning.plan import Plan
from medssl.learning.planner import make_plan, read_plan, write_plan
from medssl.machine import Gpu, Machine

GIB = 1 << 30
SCHEMA = LabelSchema.of_names({1: "one", 2: "two"})
CPU = Machine(8 * GIB, 8 * GIB, 2, None)
Spacing = tuple[float, float, float]
Shape = tuple[int, int, int]


def with_gpu(free_gib: int) -> Machine:
    return Machine(64 * GIB, 64 * GIB, 16, Gpu("card", free_gib * GIB, free_gib * GIB))


def mr(seed: int = 0) -> ChannelFacts:
    sample = np.random.default_rng(seed).normal(500, 100, 1000)
    return ChannelFacts(float(sample.min()), False, sample, np.empty(0))


def ct(structures: tuple[float, ...] = ()) -> ChannelFacts:
    sample = np.random.default_rng(0).integers(-1000, 1200, 5000).astype(float)
    return ChannelFacts(-1024.0, True, sample, np.array(structures))


def facts(
    shape: Shape = (36, 51, 35),
    spacing: Spacing = (1.0, 1.0, 1.0),
    channels: tuple[ChannelFacts, ...] | None = None,
    radii: tuple[float, ...] | None = None,
) -> ScanFacts:
    return ScanFacts("case", shape, spacing, channels or (mr(),), radii)


def plan_of(*scans: ScanFacts, machine: Machine = CPU, spacing_mm: Spacing | None = None) -> Plan:
    names = [f"channel {i}" for i in range(len(scans[0].channels))] if scans else ["image"]
    return make_plan(scans, SCHEMA, names, machine, spacing_mm=spacing_mm)


def test_a_small_case_keeps_its_spacing_and_one_patch_covers_nearly_all_of_it() -> None:
    plan = plan_of(facts())
    assert plan.spacing_mm == (1.0, 1.0, 1.0)
    assert sorted(plan.patch_size) == [32, 40, 48]
    assert plan.network.divisor == (8, 8, 8)
    assert plan.network.features == (8, 16, 32, 64)


def test_a_large_case_becomes_coarser_until_two_cores_can_train_on_it() -> None:
    plan = plan_of(facts((88, 142, 194), (0.625, 0.625, 0.625)))
    assert plan.spacing_mm == pytest.approx((1.58, 1.58, 1.58), abs=0.03)
    assert plan.patch_size == (32, 40, 48)


def test_with_a_gpu_spacing_stays_fine_and_patches_and_batches_grow_with_its_memory() -> None:
    scan = facts((88, 142, 194), (0.625, 0.625, 0.625))
    small, large = plan_of(scan, machine=with_gpu(4)), plan_of(scan, machine=with_gpu(40))
    assert small.spacing_mm == large.spacing_mm == (0.625, 0.625, 0.625)
    assert math.prod(small.patch_size) < math.prod(large.patch_size) <= 112 * 112 * 80
    assert (small.batch_size, large.batch_size) == (2, 4)
    assert large.network.features == (32, 64, 128, 256, 320)


def test_thick_slices_are_halved_later_and_not_convolved_across_at_first() -> None:
    plan = plan_of(facts((24, 200, 200), (5.0, 0.8, 0.8)), spacing_mm=(5.0, 1.0, 1.0))
    assert plan.network.kernels[0] == (1, 3, 3)
    assert plan.network.strides[:3] == ((1, 1, 1), (1, 2, 2), (1, 2, 2))
    assert 4 * plan.patch_size[0] < min(plan.patch_size[1:])


def test_only_the_fine_axes_become_coarser() -> None:
    plan = plan_of(facts((22, 512, 512), (5.0, 0.45, 0.45)))
    assert plan.spacing_mm[0] == 5.0
    assert plan.spacing_mm[1] == plan.spacing_mm[2] > 0.45


def test_the_median_case_decides() -> None:
    usual = [facts() for _ in range(4)]
    odd = facts((400, 400, 400), (0.1, 9.0, 3.0))
    assert plan_of(*usual, odd) == plan_of(*usual)


def test_a_given_spacing_is_taken_as_it_is() -> None:
    assert plan_of(facts(), spacing_mm=(3.0, 1.5, 1.5)).spacing_mm == (3.0, 1.5, 1.5)


@given(
    st.lists(
        st.tuples(
            st.tuples(*(st.integers(1, 600) for _ in range(3))),
            st.tuples(*(st.floats(0.05, 12.0) for _ in range(3))),
        ),
        min_size=1,
        max_size=3,
    ),
    st.sampled_from([CPU, with_gpu(1), with_gpu(8), with_gpu(80)]),
)
@examples(max_examples=60)
def test_every_plan_is_one_that_a_network_can_be_built_from(
    scans: list[tuple[Shape, Spacing]], machine: Machine
) -> None:
    plan = plan_of(*(facts(shape, spacing) for shape, spacing in scans), machine=machine)
    network = plan.network
    levels = len(network.features)
    assert 2 <= levels == len(network.strides) == len(network.kernels) == len(network.convolutions)
    assert network.strides[0] == (1, 1, 1)
    assert all(side % step == 0 for side, step in zip(plan.patch_size, network.divisor, strict=True))
    assert math.prod(plan.patch_size) <= (61_440 if machine.gpu is None else 112 * 112 * 80)
    assert all(math.isfinite(step) and step > 0 for step in plan.spacing_mm)
    coarsest = [side // step for side, step in zip(plan.patch_size, network.divisor, strict=True)]
    assert max(coarsest) > 1  # instance normalisation needs two voxels
    for axis in range(3):
        strides, kernels = (
            [level[axis] for level in levels] for levels in (network.strides, network.kernels)
        )
        assert kernels == sorted(kernels), "what a level looked along, the next ones do not drop"
        assert all(k == 3 for k, s in zip(kernels, strides, strict=True) if s == 2), "no voxel is jumped over"


@pytest.mark.parametrize(
    ("shape", "spacing"),
    [
        ((1, 256, 256), (1.0, 1.0, 1.0)),
        ((1, 256, 256), (0.5, 3.0, 3.0)),
        ((6, 200, 200), (1.0, 1.0, 1.0)),
        ((6, 200, 200), (1.0, 2.9, 2.9)),
        ((6, 256, 256), (10.0, 1.4, 1.4)),
        ((1, 256, 256), (5.0, 0.9, 0.9)),
    ],
)
@pytest.mark.parametrize("machine", [CPU, with_gpu(80)], ids=["processor", "gpu"])
def test_thin_scans_are_looked_at_in_their_plane_on_every_level(
    shape: Shape, spacing: Spacing, machine: Machine
) -> None:
    kernels = plan_of(facts(shape, spacing), machine=machine).network.kernels
    assert {kernel[1:] for kernel in kernels} == {(3, 3)}
    assert len(kernels) >= 4


def test_ct_gets_a_window_and_everything_else_its_own_percentiles() -> None:
    assert plan_of(facts(), facts()).normalisation[0].kind == "percentile"
    assert plan_of(facts(channels=(ct(),)), facts(channels=(mr(),))).normalisation[0].kind == "percentile"
    window = plan_of(facts(channels=(ct(),))).normalisation[0]
    assert window.kind == "window"
    assert -1000 <= window.low < window.mean < window.high <= 1200
    around = plan_of(facts(channels=(ct((0.0, 50.0, 100.0)),))).normalisation[0]
    assert (around.low, around.high) == pytest.approx((-50, 150), abs=2)


def test_a_phase_image_is_no_ct_and_channels_are_judged_one_by_one() -> None:
    values = np.arange(-4096.0, 4096.0)
    phase = ChannelFacts(-4096.0, True, values, np.empty(0))
    kinds = [n.kind for n in plan_of(facts(channels=(phase, ct()))).normalisation]
    assert kinds == ["percentile", "window"]


def test_level_sets_saturate_by_the_size_of_the_structures() -> None:
    plan = plan_of(facts(radii=(4.0, 0.0)), facts(radii=(8.0, 0.0)), facts())
    assert plan.level_set_mm == (9.0, 10.0)
    assert plan_of(facts()).level_set_mm == (10.0, 10.0)


def test_no_case_and_wrong_channels_are_said_in_words() -> None:
    with pytest.raises(DataError, match="no case"):
        make_plan([], SCHEMA, ("image",), CPU)
    with pytest.raises(DataError, match="2 channels, but the project has 1"):
        make_plan([facts(channels=(mr(), mr()))], SCHEMA, ("image",), CPU)


def test_a_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    plan = plan_of(facts(channels=(mr(), ct())), machine=with_gpu(8))
    write_plan(tmp_path / "plan.json", plan)
    assert read_plan(tmp_path / "plan.json") == plan
    assert '"spacing_mm"' in (tmp_path / "plan.json").read_text()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read"),
        ("", "is not a plan"),
        ("[1, 2]", "is not a plan"),
        ('{"size": 1}', "is not a plan"),
        ('{"format": 2}', "newer MedSSL"),
        ('{"format": 1}', "is damaged"),
        ('{"format": "1"}', "is damaged"),
    ],
)
def test_a_file_that_is_no_plan_is_refused_with_its_name(
    tmp_path: Path, content: str | None, says: str
) -> None:
    path = tmp_path / "plan ü.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(ModelError, match=says) as caught:
        read_plan(path)
    assert str(path) in caught.value.what
    assert caught.value.remedy


def test_a_damaged_field_is_named(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    write_plan(path, plan_of(facts()))
    content = json.loads(path.read_text())
    content["normalisation"][0]["std"] = -1
    path.write_text(json.dumps(content))
    with pytest.raises(ModelError, match=r"normalisation\.0\.std"):
        read_plan(path)


@pytest.mark.parametrize(
    ("place", "value", "says"),
    [
        ("network.features", [8], r"features"),
        ("network.features", [8, 16], r"strides .* 4 .* features .* 2"),
        ("network.features.1", 0, r"network\.features\.1"),
        ("network.features.1", 16.5, r"network\.features\.1"),
        ("network.kernels", [[3, 3, 3]], r"kernels .* 1 .* features .* 4"),
        ("network.kernels.0.2", 2, r"network: kernels\.0 is 3 x 3 x 2"),
        ("network.kernels.0", [3, 3], r"network\.kernels\.0"),
        ("network.strides.0", [2, 2, 2], r"first of the strides is always \[1, 1, 1\]"),
        ("network.strides.1.0", 3, r"network\.strides\.1\.0"),
        ("network.convolutions.1", 0, r"network\.convolutions\.1"),
        ("network.channels", 2, r"network\.channels is 2, but there is 1 channel"),
        ("network.classes", 2, r"network\.classes is 2, but 2 segments and the background make 3"),
        ("channel_names", [], r"channel"),
        ("channel_names", ["a", "b"], r"2 channels"),
        ("normalisation", [], r"normalisation has 0 entries"),
        ("normalisation.0.low", 100.0, r"normalisation\.0: low"),
        ("normalisation.0.high", 200.0, r"normalisation\.0: .*percentile"),
        ("normalisation.0.mean", math.nan, r"normalisation\.0\.mean"),
        ("patch_size.0", 0, r"patch_size\.0"),
        ("patch_size", [30, 32, 32], r"patch_size is 30 x 32 x 32, .* multiples of 8 x 8 x 8"),
        ("batch_size", "many", r"batch_size"),
        ("spacing_mm.1", 0.0, r"spacing_mm\.1"),
        ("spacing_mm.1", math.inf, r"spacing_mm\.1"),
        ("level_set_mm", [5.0], r"level_set_mm has 1 entry"),
        ("level_set_mm.0", -1.0, r"level_set_mm\.0"),
        ("label_schema.segments.1.value", 1, r"label_schema: Two segments have the same value: 1"),
    ],
)
def test_whatever_a_person_gets_wrong_in_a_plan_is_named_with_its_place_and_its_file(
    tmp_path: Path, place: str, value: object, says: str
) -> None:
    path = tmp_path / "plan.json"
    write_plan(path, plan_of(facts()))
    content = json.loads(path.read_text())
    *above, last = place.split(".")
    inner = content
    for step in above:
        inner = inner[int(step) if isinstance(inner, list) else step]
    inner[int(last) if isinstance(inner, list) else last] = value
    path.write_text(json.dumps(content))
    with pytest.raises(ModelError, match=says) as caught:
        read_plan(path)
    assert caught.value.what.startswith(f"The plan {path} is damaged: ")
    assert "Value error" not in caught.value.what
    assert not caught.value.what.endswith("..")
    assert "Correct it" in caught.value.remedy


def test_a_plan_is_read_as_editors_on_windows_save_it(tmp_path: Path) -> None:
    path, plan = tmp_path / "plan.json", plan_of(facts())
    path.write_text(plan.model_dump_json(), encoding="utf-8-sig")
    assert read_plan(path) == plan


@given(
    shape=st.tuples(*[st.integers(1, 300)] * 3),
    spacing=st.tuples(*[st.floats(0.2, 8.0)] * 3),
    channels=st.integers(1, 3),
    gpu=st.booleans(),
)
@examples(max_examples=60)
def test_every_plan_that_is_made_is_read(shape: Shape, spacing: Spacing, channels: int, gpu: bool) -> None:
    scan = facts(shape, spacing, (mr(),) * channels)
    plan = plan_of(scan, machine=with_gpu(12) if gpu else CPU)
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


@pytest.mark.parametrize(("dataset", "finest"), [("hippocampus", 1.0), ("left_atrium", 1.5)])
def test_the_plan_of_real_scans(data_folder: Path, dataset: str, finest: float) -> None:
    paths = sorted((data_folder / dataset / "imagesTr").glob("[!.]*.nii.gz"))[:6]
    plan = plan_of(*(gather_facts(path.name, [path], SCHEMA) for path in paths))
    assert len(set(plan.spacing_mm)) == 1
    assert finest <= plan.spacing_mm[0] < finest + 0.2
    assert sorted(plan.patch_size) == [32, 40, 48]
    assert plan.normalisation[0].kind == "percentile"
