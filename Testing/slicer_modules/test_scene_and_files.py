"""Volumes and segmentations between files and Slicer's own scene (the real MRML library)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
import vtk
from medssl.client import Project, Segment
from MedSSLLib.engine_files import EngineFiles
from MedSSLLib.grids import Grid, array_of_matrix, matrix_of_array
from MedSSLLib.problems import Problem
from MedSSLLib.segmentations import (
    UNANNOTATED,
    VALUE_TAG,
    SegmentState,
    add_segmentation,
    labels_of,
    match_segments,
    read_labels,
    snapshot_segmentation,
)
from MedSSLLib.terminology import TAG, entry_of, terminology_of
from MedSSLLib.volumes import add_volume, holds, own_grid, snapshot_volume, write_snapshot
from MedSSLLib.voxel_files import read_volume, voxels_of, write_nrrd

KIDNEY = {
    "category": {"value": "123037004", "scheme": "SCT", "meaning": "Anatomical Structure"},
    "type": {"value": "64033007", "scheme": "SCT", "meaning": "Kidney"},
    "type_modifier": {"value": "7771000", "scheme": "SCT", "meaning": "Left"},
}
CYSTS = {"Cyst": 1, "cyst": 2, "Left  kidney": 3}
SEGMENTS = (
    Segment(name="Kidney", value=3, colour=(230, 159, 0), terminology=KIDNEY),
    Segment(name="Nierenbecken (weiß)", value=7, colour=(1, 2, 254)),
)


def _project(key: str, *segments: Segment) -> Project:
    return Project(key, "Kidneys", "", (), segments, (), 0, 0, 0)


PROJECT = _project("0f3a5be1c2d4e697", *SEGMENTS)


def _grid(size: tuple[int, int, int] = (9, 8, 7)) -> Grid:
    """Axes turned and of different lengths, at right angles."""
    turn = vtk.vtkTransform()
    turn.Translate(12.5, -40.25, 7.125)
    turn.RotateWXYZ(37, 0.3, -0.5, 0.8)
    turn.Scale(0.7, -1.25, 3.1)
    return Grid(size, array_of_matrix(turn.GetMatrix()))


def _voxels(dtype: str = "int16", size: tuple[int, int, int] = (9, 8, 7)) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 200, size[::-1]).astype(dtype)


pytestmark = pytest.mark.usefixtures("runtime")


@pytest.fixture
def volume(tmp_path: Path) -> vtk.vtkObject:
    write_nrrd(tmp_path / "scan.nrrd", _voxels(), _grid())
    return add_volume(read_volume(tmp_path / "scan.nrrd"), "Patient 7")


def _labels(tmp_path: Path, values: np.ndarray) -> Path:
    write_nrrd(tmp_path / "labels.nrrd", values.astype(np.uint8), _grid())
    return tmp_path / "labels.nrrd"


def _some_labels() -> np.ndarray:
    values = np.zeros((7, 8, 9), np.uint8)
    values[2:4, 1:5, 3:6] = 3
    values[4:6, 2:7, 2:8] = 7
    return values


def _linear(matrix: np.ndarray) -> vtk.vtkObject:
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    node.SetMatrixTransformToParent(matrix_of_array(matrix))
    return node


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "uint16", "int32", "float32", "float64"])
@pytest.mark.parametrize("name", ["scan.nrrd", "scan.nii.gz", "Größe 腎臓.mha"])
def test_a_volume_comes_and_goes_with_every_voxel_and_its_exact_place(
    tmp_path: Path, dtype: str, name: str
) -> None:
    write_nrrd(tmp_path / "first.nrrd", _voxels(dtype), _grid())
    sitk.WriteImage(sitk.ReadImage(str(tmp_path / "first.nrrd")), str(tmp_path / name))
    node = add_volume(read_volume(tmp_path / name), "Patient 7")
    write_snapshot(snapshot_volume(node), tmp_path / "back.nrrd")
    went, back = sitk.ReadImage(str(tmp_path / name)), sitk.ReadImage(str(tmp_path / "back.nrrd"))
    assert np.array_equal(sitk.GetArrayFromImage(back), _voxels(dtype))
    assert back.GetPixelID() == went.GetPixelID()
    for what in ("GetOrigin", "GetSpacing", "GetDirection"):
        assert getattr(back, what)() == pytest.approx(getattr(went, what)(), abs=1e-5)
    assert np.allclose(own_grid(node).ijk_to_ras, _grid().ijk_to_ras, atol=1e-5)


def test_two_volumes_of_one_name_stay_two(tmp_path: Path) -> None:
    write_nrrd(tmp_path / "scan.nrrd", _voxels(), _grid())
    nodes = [add_volume(read_volume(tmp_path / "scan.nrrd"), "Twice") for _ in range(2)]
    assert len({node.GetName() for node in nodes}) == 2


def test_a_volume_is_taken_where_its_transform_puts_it_and_the_node_stays(volume: vtk.vtkObject) -> None:
    move = np.eye(4)
    move[:3, 3] = 5, -6, 7
    volume.SetAndObserveTransformNodeID(_linear(move).GetID())
    before = own_grid(volume)
    snapshot = snapshot_volume(volume)
    assert np.allclose(snapshot.grid.ijk_to_ras, move @ before.ijk_to_ras)
    assert own_grid(volume).is_same_as(before)
    assert volume.GetTransformNodeID()


def test_volumes_that_are_no_scans_are_refused_with_a_sentence(volume: vtk.vtkObject) -> None:
    shear = np.eye(4)
    shear[0, 1] = 0.3
    volume.SetAndObserveTransformNodeID(_linear(shear).GetID())
    with pytest.raises(Problem, match=r"'Patient 7.*' are not at right angles"):
        snapshot_volume(volume)
    bend = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLBSplineTransformNode", "Warp")
    bend.SetAndObserveTransformToParent(vtk.vtkThinPlateSplineTransform())
    volume.SetAndObserveTransformNodeID(bend.GetID())
    with pytest.raises(Problem, match="under the transform 'Warp', which bends space"):
        snapshot_volume(volume)
    color = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "Photo")
    picture = vtk.vtkImageData()
    picture.SetDimensions(4, 4, 4)
    picture.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 3)
    color.SetAndObserveImageData(picture)
    with pytest.raises(Problem, match="'Photo' holds 3 values a voxel"):
        snapshot_volume(color)
    with pytest.raises(Problem, match="'Nothing' is empty"):
        snapshot_volume(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Nothing"))


def test_files_that_are_no_scans_are_refused_with_a_sentence(tmp_path: Path) -> None:
    series = sitk.GetImageFromArray(np.zeros((2, 3, 4, 5), np.int16), isVector=False)
    sitk.WriteImage(series, str(tmp_path / "series.nrrd"))
    with pytest.raises(Problem, match=r"series\.nrrd has 4 dimensions, not 3"):
        read_volume(tmp_path / "series.nrrd")
    color = sitk.GetImageFromArray(np.zeros((3, 4, 5, 3), np.uint8), isVector=True)
    sitk.WriteImage(color, str(tmp_path / "color.nrrd"))
    with pytest.raises(Problem, match=r"color\.nrrd holds 3 values a voxel"):
        read_volume(tmp_path / "color.nrrd")
    (tmp_path / "half.nii.gz").write_bytes(b"\x1f\x8bnothing")
    with pytest.raises(Problem, match=r"half\.nii\.gz cannot be read"):
        read_volume(tmp_path / "half.nii.gz")


def test_an_unmodified_file_is_used_where_it_lies(tmp_path: Path, volume: vtk.vtkObject) -> None:
    assert snapshot_volume(volume).file is None  # it was never saved
    slicer.util.saveNode(volume, str(tmp_path / "saved.nrrd"))
    assert snapshot_volume(volume).file == tmp_path / "saved.nrrd"
    voxels_of(volume.GetImageData())[0, 0, 0] += 1
    slicer.util.arrayFromVolumeModified(volume)
    assert snapshot_volume(volume).file is None


def test_a_file_that_was_loaded_centered_or_without_its_directions_does_not_hold_the_volume(
    tmp_path: Path,
) -> None:
    write_nrrd(tmp_path / "scan.nrrd", _voxels(), _grid())
    held = []
    for centered, with_directions in ((0, 1), (1, 1), (0, 0)):  # as the boxes in Slicer's dialog Add Data say
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
        storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
        storage.SetCenterImage(centered)
        storage.SetUseOrientationFromFile(with_directions)
        storage.SetFileName(str(tmp_path / "scan.nrrd"))
        assert storage.ReadData(node)
        node.SetAndObserveStorageNodeID(storage.GetID())
        snapshot = snapshot_volume(node)
        assert snapshot.file == tmp_path / "scan.nrrd"  # since Slicer calls the volume unmodified
        held.append(holds(snapshot.file, snapshot))
    assert held == [True, False, False]


def test_a_file_of_an_engine_on_this_computer_is_read_where_it_lies(tmp_path: Path) -> None:
    path, sent = tmp_path / "scan.nrrd", list[Path]()
    path.write_bytes(b"voxels")

    def download(target: Path) -> Path:
        sent.append(target)
        return target

    for shares_disk in (True, False):
        with EngineFiles(shares_disk, tmp_path).fetched(str(path), download) as found:
            assert (found == path) is shares_disk
    assert len(sent) == 1
    assert [each.name for each in tmp_path.iterdir()] == ["scan.nrrd"]


def test_names_that_differ_in_case_alone_are_two_segments_and_spaces_do_not_matter() -> None:
    cysts = tuple(Segment(name=name, value=value, colour=(1, 2, 3)) for name, value in CYSTS.items())
    drawn = tuple(
        SegmentState(name, name, (1, 2, 3), "", None, 0, 1) for name in (*CYSTS, "LEFT KIDNEY", "Wall")
    )
    values, unknown = match_segments(drawn, _project("cysts", *cysts))
    assert values == {**CYSTS, "LEFT KIDNEY": 3}
    assert [each.name for each in unknown] == ["Wall"]


def test_labels_come_and_go_with_values_names_colors_and_codes(tmp_path: Path, volume: vtk.vtkObject) -> None:
    loaded = read_labels(_labels(tmp_path, _some_labels()))
    node = add_segmentation(loaded, PROJECT, "Patient 7 segmentation", volume)
    snapshot = snapshot_segmentation(node, volume)
    values, unknown = match_segments(snapshot.segments, PROJECT)
    assert not unknown
    assert np.array_equal(labels_of(snapshot, values), _some_labels())
    assert [(s.name, s.color, s.origin) for s in snapshot.segments] == [
        (s.name, s.colour, (PROJECT.key, s.value)) for s in SEGMENTS
    ]
    assert terminology_of(snapshot.segments[0].terminology) == KIDNEY
    assert node.GetSegmentation().GetNumberOfLayers() == 1
    text = vtk.mutable("")
    assert node.GetSegmentation().GetNthSegment(0).GetTag(TAG, text)
    assert str(text).split("~")[2] == "SCT^64033007^Kidney"
    assert entry_of(KIDNEY).split("~")[3] == "SCT^7771000^Left"


def test_what_nobody_looked_at_is_no_segment_and_is_known(tmp_path: Path, volume: vtk.vtkObject) -> None:
    values = _some_labels()
    values[:2] = UNANNOTATED
    values[5, 7] = UNANNOTATED
    loaded = read_labels(_labels(tmp_path, values))
    assert np.array_equal(loaded.unannotated, values == UNANNOTATED)
    node = add_segmentation(loaded, PROJECT, "Partly", volume)
    snapshot = snapshot_segmentation(node, volume)
    drawn = labels_of(snapshot, {s.id: s.origin[1] for s in snapshot.segments})
    assert np.array_equal(drawn, np.where(values == UNANNOTATED, 0, values))


def test_a_new_segmentation_has_every_segment_of_the_schema_and_nothing_drawn(volume: vtk.vtkObject) -> None:
    node = add_segmentation(None, PROJECT, "New", volume)
    snapshot = snapshot_segmentation(node, volume)
    assert [s.name for s in snapshot.segments] == [s.name for s in SEGMENTS]
    assert not labels_of(snapshot, {s.id: 1 for s in snapshot.segments}).any()


def test_segments_that_overlap_or_have_other_grids_land_on_the_volumes_voxels(
    tmp_path: Path, volume: vtk.vtkObject
) -> None:
    node = add_segmentation(None, PROJECT, "Drawn", volume)
    ids = [node.GetSegmentation().GetNthSegmentID(i) for i in range(2)]
    one = (_some_labels() == 3).astype(np.uint8)
    two = np.ones_like(one)
    slicer.util.updateSegmentBinaryLabelmapFromArray(two, node, ids[0], volume)
    slicer.util.updateSegmentBinaryLabelmapFromArray(one, node, ids[1], volume)
    snapshot = snapshot_segmentation(node, volume)
    assert np.array_equal(labels_of(snapshot, {ids[0]: 3, ids[1]: 7}), np.where(one, 7, 3))

    coarse = Grid((5, 4, 4), _grid().ijk_to_ras @ np.diag([2.0, 2, 2, 1]))
    write_nrrd(tmp_path / "coarse.nrrd", _voxels(size=coarse.size), coarse)
    other = add_volume(read_volume(tmp_path / "coarse.nrrd"), "Coarse")
    on_coarse = labels_of(snapshot_segmentation(node, other), {ids[1]: 7})
    assert np.array_equal(on_coarse, (one[::2, ::2, ::2] * 7)[:4, :4, :5])


def test_a_transform_of_both_changes_nothing_and_of_one_moves_it(
    tmp_path: Path, volume: vtk.vtkObject
) -> None:
    node = add_segmentation(read_labels(_labels(tmp_path, _some_labels())), PROJECT, "Moved", volume)
    one_step = np.eye(4)
    one_step[:3, 3] = _grid().ijk_to_ras[:3, 0]
    transform = _linear(one_step)
    volume.SetAndObserveTransformNodeID(transform.GetID())
    node.SetAndObserveTransformNodeID(transform.GetID())
    values = {"Segment_3": 3, "Segment_7": 7}
    assert np.array_equal(labels_of(snapshot_segmentation(node, volume), values), _some_labels())
    volume.SetAndObserveTransformNodeID(None)
    moved = labels_of(snapshot_segmentation(node, volume), values)
    assert np.array_equal(moved, np.roll(_some_labels(), 1, axis=2))


def _bending(step: np.ndarray) -> vtk.vtkObject:
    """A transform that is no matrix, and moves everything by nearly the same step."""
    corners = [(x, y, z) for x in (-90, 90) for y in (-90, 90) for z in (-90, 90)]
    before, after = vtk.vtkPoints(), vtk.vtkPoints()
    for corner in corners:
        before.InsertNextPoint(corner)
        after.InsertNextPoint(np.array(corner) + step)
    spline = vtk.vtkThinPlateSplineTransform()
    spline.SetSourceLandmarks(before)
    spline.SetTargetLandmarks(after)
    spline.SetBasisToR()
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode", "Warp")
    node.SetAndObserveTransformToParent(spline)
    assert not node.IsTransformToWorldLinear()
    return node


@pytest.mark.parametrize("who", ["drawing", "scan"])
def test_what_a_bending_transform_shows_elsewhere_is_kept_where_it_is_seen(
    who: str, tmp_path: Path, volume: vtk.vtkObject
) -> None:
    node = add_segmentation(read_labels(_labels(tmp_path, _some_labels())), PROJECT, "Bent", volume)
    step = _grid().ijk_to_ras[:3, 0]
    moved, by = (node, step) if who == "drawing" else (volume, -step)
    transform = _bending(by)
    moved.SetAndObserveTransformNodeID(transform.GetID())
    values = {"Segment_3": 3, "Segment_7": 7}
    assert np.array_equal(
        labels_of(snapshot_segmentation(node, volume), values), np.roll(_some_labels(), 1, axis=2)
    )
    assert moved.GetTransformNodeID() == transform.GetID()  # the person's own nodes stay as they are
    moved.SetAndObserveTransformNodeID(None)
    assert np.array_equal(labels_of(snapshot_segmentation(node, volume), values), _some_labels())


def test_a_renamed_segment_keeps_its_value_and_a_foreign_one_is_told(
    tmp_path: Path, volume: vtk.vtkObject
) -> None:
    node = add_segmentation(read_labels(_labels(tmp_path, _some_labels())), PROJECT, "Named", volume)
    node.GetSegmentation().GetNthSegment(0).SetName("Left kidney")
    node.GetSegmentation().GetNthSegment(1).SetName("NIERENBECKEN (WEISS)")
    node.GetSegmentation().AddEmptySegment("x", "Cyst", (1, 0, 0))
    values, unknown = match_segments(snapshot_segmentation(node, volume).segments, PROJECT)
    assert values == {"Segment_3": 3, "Segment_7": 7}
    assert [s.name for s in unknown] == ["Cyst"]


@pytest.mark.parametrize("suffix", ["", ".seg.nrrd"])
def test_a_renamed_segment_is_known_in_its_own_project_alone(
    tmp_path: Path, volume: vtk.vtkObject, suffix: str
) -> None:
    node = add_segmentation(read_labels(_labels(tmp_path, _some_labels())), PROJECT, "Named", volume)
    node.GetSegmentation().GetNthSegment(0).SetName("Left kidney")
    if suffix:  # in another session
        assert slicer.util.saveNode(node, str(tmp_path / f"saved{suffix}"))
        node = slicer.util.loadSegmentation(str(tmp_path / f"saved{suffix}"))
    found = snapshot_segmentation(node, volume).segments
    values, unknown = match_segments(found, PROJECT)
    assert sorted(values.values()) == [3, 7]
    assert not unknown
    lungs = _project("another", Segment("Lung", 3, (1, 2, 3)), Segment("Nierenbecken (weiß)", 5, (1, 2, 3)))
    values, unknown = match_segments(found, lungs)
    assert list(values.values()) == [5]  # by its name
    assert [each.name for each in unknown] == ["Left kidney"]


def test_a_tag_of_an_earlier_version_names_no_project_and_is_not_believed(volume: vtk.vtkObject) -> None:
    node = add_segmentation(None, PROJECT, "Older", volume)
    segment = node.GetSegmentation().GetNthSegment(0)
    segment.SetTag(VALUE_TAG, "3")
    segment.SetName("Left kidney")
    _values, unknown = match_segments(snapshot_segmentation(node, volume).segments, PROJECT)
    assert [each.name for each in unknown] == ["Left kidney"]
