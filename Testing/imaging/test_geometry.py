"""Whatever a volume's geometry, it comes back from a file as it was written."""

from __future__ import annotations

import tempfile
from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from medssl.imaging.canonical import Canonical
from medssl.imaging.labels import fit_to_grid
from medssl.imaging.reading import read_grid, read_volume
from medssl.imaging.volume import Grid, Volume
from medssl.imaging.writing import write_volume

angles = st.floats(-np.pi, np.pi)
millimetres = st.floats(-2000, 2000, allow_subnormal=False)


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    """Grids of any size, spacing, origin, direction, handedness and order of axes."""
    spacing = draw(st.tuples(*[st.floats(0.05, 20)] * 3))
    turn = np.eye(3)
    for axis in range(3):
        angle = draw(angles)
        i, j = (axis + 1) % 3, (axis + 2) % 3
        step = np.eye(3)
        step[i, i] = step[j, j] = np.cos(angle)
        step[i, j], step[j, i] = -np.sin(angle), np.sin(angle)
        turn = step @ turn
    turn = turn[:, draw(st.permutations(range(3)))] * draw(st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3))
    size = draw(st.tuples(*[st.integers(1, 6)] * 3))
    return Grid(size, spacing, draw(st.tuples(*[millimetres] * 3)), tuple(turn.ravel().tolist()))


def numbered(grid: Grid) -> Volume:
    return Volume(np.arange(np.prod(grid.shape), dtype=np.int16).reshape(grid.shape), grid)


@settings(max_examples=40)
@given(grid=grids(), suffix=st.sampled_from([".nii.gz", ".nii", ".nrrd", ".mha"]))
def test_a_written_volume_is_read_with_its_voxels_and_its_geometry(grid: Grid, suffix: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"scan{suffix}"
        write_volume(path, numbered(grid))
        back = read_volume(path)
    assert np.array_equal(back.array, numbered(grid).array)
    assert back.array.dtype == np.int16
    # NIfTI keeps 32-bit floats; the others keep what they get, but for the last digit of a text.
    tolerance = 2e-7 if suffix.startswith(".nii") else 1e-13
    largest = np.abs(grid.matrix).max()
    assert np.abs(back.grid.matrix - grid.matrix).max() <= tolerance * largest


@settings(max_examples=40)
@given(grid=grids())
def test_what_is_made_from_a_nifti_scan_has_the_same_affine_bit_for_bit(grid: Grid) -> None:
    with tempfile.TemporaryDirectory() as folder:
        scan, result = Path(folder) / "scan.nii", Path(folder) / "result.nii.gz"
        affine = np.diag([-1, -1, 1, 1]) @ grid.matrix
        nibabel.save(nibabel.Nifti1Image(numbered(grid).array.T, affine), scan)
        read = read_volume(scan)
        write_volume(result, Volume(read.array.astype(np.float32), read.grid))
        assert np.array_equal(nibabel.load(result).affine, nibabel.load(scan).affine)
        assert read_grid(result) == read.grid == read_grid(scan)
        assert np.array_equal(nibabel.load(result).dataobj, nibabel.load(scan).dataobj)


@settings(max_examples=20)
@given(grid=grids())
def test_both_affines_of_a_nifti_file_say_the_same(grid: Grid) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scan.nii"
        write_volume(path, numbered(grid))
        header = nibabel.load(path).header
        assert np.allclose(
            header.get_qform(), header.get_sform(), atol=1e-5 * max(grid.spacing_mm), rtol=1e-5
        )


@settings(max_examples=60)
@given(grid=grids())
def test_canonical_orientation_loses_nothing_and_runs_along_the_patient(grid: Grid) -> None:
    volume = numbered(grid)
    canonical = Canonical.of(grid)
    turned = canonical.apply(volume.array)
    assert np.array_equal(canonical.undo(turned), volume.array)
    assert turned.base is not None  # a view
    channels = np.stack([volume.array, volume.array + 1])
    assert np.array_equal(canonical.apply(channels)[0], turned)
    # Where canonical axis i leads in the patient: mostly along +z, +y and +x.
    matrix = grid.matrix[:3, :3][::-1, ::-1]
    steps = [matrix[:, canonical.order[i]] * (-1 if i in canonical.flips else 1) for i in range(3)]
    assert all(steps[i][i] >= 0 for i in range(3))
    assert np.allclose([np.linalg.norm(step) for step in steps], canonical.spacing_mm)
    along = sum(steps[i][i] / canonical.spacing_mm[i] for i in range(3))
    assert along >= max(np.trace(np.abs(np.array(grid.direction).reshape(3, 3)[:, [0, 1, 2]])) - 1e-9, 1.0)


def test_an_axial_scan_that_is_stored_from_head_to_feet_is_turned_over() -> None:
    grid = Grid((3, 2, 4), (1.0, 2.0, 3.0), direction=(1.0, 0, 0, 0, 1, 0, 0, 0, -1))
    canonical = Canonical.of(grid)
    assert (canonical.order, canonical.flips, canonical.spacing_mm) == ((0, 1, 2), (0,), (3.0, 2.0, 1.0))


@settings(max_examples=40)
@given(grid=grids(), order=st.permutations(range(3)), data=st.data())
def test_a_cropped_and_turned_label_map_is_put_exactly_in_its_place(
    grid: Grid, order: list[int], data: st.DataObject
) -> None:
    labels = (np.random.default_rng(0).integers(1, 4, grid.shape)).astype(np.uint8)
    low = [data.draw(st.integers(0, n - 1)) for n in grid.size]
    high = [data.draw(st.integers(a + 1, n)) for a, n in zip(low, grid.size, strict=True)]
    flips = [data.draw(st.booleans()) for _ in range(3)]
    box = tuple(slice(a, b) for a, b in zip(low[::-1], high[::-1], strict=True))
    expected = np.zeros_like(labels)
    expected[box] = labels[box]
    # The same voxels with other axes: axis i of the label map is axis order[i] of the scan, perhaps reversed.
    start = [b - 1 if flip else a for a, b, flip in zip(low, high, flips, strict=True)]
    signs = np.array([-1.0 if flip else 1.0 for flip in flips])
    direction = (np.array(grid.direction).reshape(3, 3) * signs)[:, order]
    moved = np.flip(labels[box], [2 - axis for axis in range(3) if flips[axis]])
    moved = moved.transpose([2 - order[2 - axis] for axis in range(3)])
    size = [b - a for a, b in zip(low, high, strict=True)]
    part = Grid(
        size=(size[order[0]], size[order[1]], size[order[2]]),
        spacing_mm=tuple(grid.spacing_mm[i] for i in order),
        origin_mm=tuple((grid.matrix @ [*start, 1])[:3].tolist()),
        direction=tuple(direction.ravel().tolist()),
    )
    assert np.array_equal(fit_to_grid(Volume(moved, part), grid, "labels").array, expected)


@pytest.mark.parametrize("kind", ["u1", "i1", "u2", "i2", "u4", "i4", "i8", "f4", "f8", ">i2"])
@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_numbers_keep_their_type(kind: str, suffix: str, tmp_path: Path) -> None:
    grid = Grid((3, 4, 2), (1.0, 1.0, 1.0))
    array = np.arange(24).reshape(grid.shape).astype(kind)
    write_volume(tmp_path / f"scan{suffix}", Volume(array, grid))
    back = read_volume(tmp_path / f"scan{suffix}").array
    assert back.dtype == np.dtype(kind).newbyteorder("=")
    assert np.array_equal(back, array)


def test_a_nifti_file_with_only_a_quaternion_keeps_its_geometry(tmp_path: Path) -> None:
    affine = np.diag([-1.5, 2.0, 2.5, 1.0])
    affine[:3, 3] = 5, 6, 7
    image = nibabel.Nifti1Image(np.zeros((3, 4, 5), np.int16), affine)
    image.set_sform(None, 0)
    image.set_qform(affine, 1)
    nibabel.save(image, tmp_path / "scan.nii")
    assert np.allclose(read_grid(tmp_path / "scan.nii").matrix, np.diag([-1, -1, 1, 1]) @ affine)


def test_scaled_and_big_endian_nifti_files_are_read_as_intensities(tmp_path: Path) -> None:
    stored = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    for kind in (np.int16, np.float32):
        header = nibabel.Nifti1Header(endianness=">")
        header.set_data_dtype(kind)
        image = nibabel.Nifti1Image(stored.astype(kind), np.eye(4), header)
        image.header.set_slope_inter(0.5, -10)
        nibabel.save(image, tmp_path / "scan.nii.gz")
        expected = nibabel.load(tmp_path / "scan.nii.gz").get_fdata().T
        assert np.allclose(read_volume(tmp_path / "scan.nii.gz").array, expected)
    assert expected.min() != 0
