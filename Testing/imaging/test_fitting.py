"""A label map comes onto its scan's grid when it plainly belongs there, and is refused when not."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from medssl.errors import GridError
from medssl.imaging.fitting import fit_to_grid, grown
from medssl.imaging.volume import Grid, Volume

SCAN = Grid((20, 18, 16), (1.0, 1.0, 1.5), (-10.0, -9.0, 100.0))


def ball(grid: Grid) -> np.ndarray:
    """A ball of 5 mm in the middle of SCAN, on any grid."""
    index = np.stack(np.meshgrid(*(np.arange(n) for n in grid.size), indexing="ij"), -1)
    places = index @ grid.matrix[:3, :3].T + grid.matrix[:3, 3]
    middle = SCAN.matrix[:3] @ [*(np.array(SCAN.size) - 1) / 2, 1]
    return (np.linalg.norm(places - middle, axis=-1) < 5).T.astype(np.uint8) * 9


def test_labels_on_the_scans_own_grid_stay_as_they_are() -> None:
    values = ball(SCAN)
    rounded = replace(SCAN, spacing_mm=(1.0000001, 1.0, 1.5), origin_mm=(-10.000001, -9.0, 100.0))
    fitted = fit_to_grid(Volume(values, rounded), SCAN, "labels")
    assert np.shares_memory(fitted.array, values)
    assert fitted.notes == ()


def test_labels_of_another_spacing_and_direction_are_resampled_to_the_nearest_voxel() -> None:
    turn = np.array([[np.cos(0.2), -np.sin(0.2), 0], [np.sin(0.2), np.cos(0.2), 0], [0, 0, 1]])
    fine = Grid((60, 60, 60), (0.5, 0.5, 0.5), (-14.0, -16.0, 98.0), tuple(turn.ravel().tolist()))
    found = fit_to_grid(Volume(ball(fine), fine), SCAN, "labels")
    fitted, truth = found.array, ball(SCAN)
    assert fitted.dtype == np.uint8
    assert set(np.unique(fitted)) == {0, 9}
    assert 2 * np.count_nonzero(fitted & truth) / (np.count_nonzero(fitted) + np.count_nonzero(truth)) > 0.97
    (note,) = found.notes
    assert note.startswith("labels: its voxels do not lie on the scan's")


@pytest.mark.parametrize("shift", [0.0, 0.3])  # voxel on voxel, and in between
@pytest.mark.parametrize("beyond", [0, 255])
def test_where_a_label_map_does_not_reach_is_what_was_asked_for(shift: float, beyond: int) -> None:
    part = Grid((6, 6, 6), (1.0, 1.0, 1.5), (-5.0 + shift, -4.0, 103.0))
    fitted = fit_to_grid(Volume(np.full(part.shape, 3, np.uint8), part), SCAN, "labels", beyond).array
    assert (fitted[2:8, 5:11, 5:11] == 3).all()
    assert np.count_nonzero(fitted == beyond) == fitted.size - 6**3


def test_labels_that_reach_a_little_over_the_scan_are_cut_off_and_counted() -> None:
    larger = Grid((24, 22, 20), (1.0, 1.0, 1.5), (-12.0, -11.0, 97.0))
    values = ball(larger)
    assert fit_to_grid(Volume(values, larger), SCAN, "labels").notes == ()
    values[1, 5, 3:7] = 9
    values[0, 0, :8] = 255  # of which nothing is lost
    fitted = fit_to_grid(Volume(values, larger), SCAN, "labels")
    assert np.array_equal(fitted.array, ball(SCAN))
    assert fitted.notes == ("labels: 4 labelled voxels lie outside the scan and were left out.",)


def test_labels_that_lost_their_origin_are_refused_with_both_and_another_one_is_told() -> None:
    scan = Grid((40, 40, 30), (1.0, 1.0, 1.0), (5.0, 7.0, 3.0))
    lost = replace(scan, origin_mm=(0.0, 0.0, 0.0))
    values = np.zeros(scan.shape, np.uint8)
    values[10:20, 10:20, 10:20] = 1
    with pytest.raises(GridError, match="lost its origin") as caught:
        fit_to_grid(Volume(values, lost), scan, "/data/case 7.nii.gz")
    for part in ("(-5, -7, -3) voxels", "origin (0, 0, 0) mm", "origin (5, 7, 3) mm"):
        assert part in caught.value.what
    (note,) = fit_to_grid(Volume(values, replace(scan, origin_mm=(6.0, 7.0, 3.0))), scan, "labels").notes
    assert "lies (1, 0, 0) voxels (x, y, z) beside it" in note
    # The same voxels from the other end, which happens to be at 0.
    turned = Grid((6, 5, 4), (1.0, 1.0, 1.0), (5.0, 4.0, 0.0), (-1.0, 0, 0, 0, -1.0, 0, 0, 0, 1.0))
    straight = replace(turned, origin_mm=(0.0, 0.0, 0.0), direction=(1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))
    assert fit_to_grid(Volume(np.ones(straight.shape, np.uint8), straight), turned, "labels").notes == ()


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("turned", [(), (0,), (1, 2), (0, 1, 2)])
def test_the_same_voxels_with_other_axes_are_put_exactly_in_their_places(
    order: tuple[int, int, int], turned: tuple[int, ...]
) -> None:
    truth = np.zeros(SCAN.shape, np.uint8)
    truth[5:11, 4:12, 3:17] = np.random.default_rng(3).integers(1, 200, (6, 8, 14), dtype=np.uint8)
    cut = truth[5:11, 4:12, 3:17]  # like nothing that is turned
    axes = [SCAN.matrix[:3, axis] for axis in order]  # of the label map, in the order x, y, z
    size = [cut.shape[2 - axis] for axis in order]
    first = SCAN.matrix @ [3, 4, 5, 1]
    values = cut.transpose([2 - order[2 - axis] for axis in range(3)])
    for axis in turned:
        first[:3] += axes[axis] * (size[axis] - 1)
        axes[axis] = -axes[axis]
        values = np.flip(values, 2 - axis)
    spacing = [float(np.linalg.norm(axis)) for axis in axes]
    direction = np.stack([axis / mm for axis, mm in zip(axes, spacing, strict=True)], axis=1)
    grid = Grid(tuple(size), tuple(spacing), tuple(first[:3].tolist()), tuple(direction.ravel().tolist()))  # type: ignore[arg-type]  # three of each
    fitted = fit_to_grid(Volume(values, grid), SCAN, "labels")
    assert np.array_equal(fitted.array, truth)
    assert fitted.notes == ()


@pytest.mark.parametrize(
    "elsewhere",
    [
        replace(SCAN, origin_mm=(90.0, -9.0, 100.0)),
        # The same number of voxels, and a geometry that was lost on the way.
        Grid(SCAN.size, (1.0, 1.0, 1.0)),
        replace(SCAN, spacing_mm=(0.1, 0.1, 0.15), origin_mm=(9.5, 8.5, 124.0)),
    ],
)
@pytest.mark.parametrize("empty", [False, True])
def test_labels_that_lie_elsewhere_are_refused_with_both_grids(elsewhere: Grid, empty: bool) -> None:
    values = np.full(elsewhere.shape, 0 if empty else 1, np.uint8)
    with pytest.raises(GridError) as caught:
        fit_to_grid(Volume(values, elsewhere), SCAN, "/data/case 7.nii.gz")
    assert caught.value.what.startswith("/data/case 7.nii.gz does not lie on its scan")
    assert "20 x 18 x 16 voxels of 1 x 1 x 1.5 mm, origin (-10, -9, 100) mm" in caught.value.what
    assert caught.value.remedy


@pytest.mark.parametrize("sign", [1.0, -1.0])  # what files without directions mean: in LPS, and in RAS
def test_labels_that_lost_their_spacing_are_refused_although_they_lie_inside(sign: float) -> None:
    direction = (sign, 0.0, 0.0, 0.0, sign, 0.0, 0.0, 0.0, 1.0)
    scan = Grid((20, 18, 16), (1.0, 1.0, 3.0), direction=direction)
    lost = replace(scan, spacing_mm=(1.0, 1.0, 1.0))
    with pytest.raises(GridError, match="lost their size") as caught:
        fit_to_grid(Volume(np.ones(lost.shape, np.uint8), lost), scan, "/data/case 7.nii.gz")
    assert "20 x 18 x 16 voxels of 1 x 1 x 1 mm" in caught.value.what
    assert "20 x 18 x 16 voxels of 1 x 1 x 3 mm" in caught.value.what


def test_an_isotropic_label_map_of_another_number_of_voxels_is_resampled() -> None:
    scan = Grid((20, 18, 16), (1.0, 1.0, 3.0))
    fine = Grid((20, 18, 48), (1.0, 1.0, 1.0), (0.0, 0.0, -1.0))
    values = np.zeros(fine.shape, np.uint8)
    values[12:24] = 1
    assert np.array_equal(
        np.flatnonzero(fit_to_grid(Volume(values, fine), scan, "x").array.any((1, 2))), [4, 5, 6, 7]
    )


def test_an_empty_label_map_in_the_middle_of_the_scan_is_an_empty_label_map() -> None:
    part = Grid((6, 6, 6), (0.9, 0.9, 0.9), (-5.0, -4.0, 103.0))
    assert not fit_to_grid(Volume(np.zeros(part.shape, np.uint8), part), SCAN, "labels").array.any()


def part(first: tuple[int, int, int], size: tuple[int, int, int]) -> Grid:
    """Voxels of SCAN from one on, in the order x, y, z; they may lie beyond it."""
    x, y, z = (SCAN.matrix @ [*first, 1])[:3].tolist()
    return replace(SCAN, size=size, origin_mm=(x, y, z))


def test_a_grid_grows_by_whole_voxels_until_it_holds_another_one() -> None:
    assert grown(SCAN, part((2, 0, 3), (18, 4, 13))) is SCAN
    assert grown(part((4, 5, 6), (2, 2, 2)), SCAN) == SCAN
    assert grown(part((4, 5, 6), (5, 5, 5)), part((-2, 7, 6), (8, 9, 2))) == part((-2, 5, 6), (11, 11, 5))
    turned = replace(SCAN, origin_mm=(9.0, 8.0, 100.0), direction=(-1.0, 0, 0, 0, -1.0, 0, 0, 0, 1.0))
    assert grown(part((4, 5, 6), (2, 2, 2)), turned) == SCAN


@pytest.mark.parametrize(
    "other",
    [
        replace(SCAN, origin_mm=(-10.3, -9.0, 100.0)),  # in between its voxels
        replace(SCAN, spacing_mm=(2.0, 1.0, 1.5)),
        part((20, 0, 0), (5, 5, 5)),  # beside it
        part((0, 0, -3), (5, 5, 3)),
    ],
)
def test_a_grid_does_not_grow_for_one_that_may_belong_elsewhere(other: Grid) -> None:
    assert grown(SCAN, other) is None
