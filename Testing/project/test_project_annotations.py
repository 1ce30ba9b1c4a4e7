from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from medssl.errors import DataError, GridError, ImageError, LabelError, ProjectError, StorageError, UsageError
from medssl.imaging.labels import read_labels, write_labels
from medssl.imaging.volume import Grid, Volume
from medssl.imaging.writing import write_volume
from medssl.labels import LabelSchema
from medssl.project import Project
from overlapping_segments import write_overlapping


@pytest.fixture(autouse=True)
def _case(project: Project, make_scan: Callable[..., Path]) -> None:
    project.add_case("A", [make_scan()])


def _files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_what_was_drawn_comes_back_voxel_for_voxel_on_the_grid_of_the_scan(
    project: Project, drawn: np.ndarray, grid: Grid, schema: LabelSchema
) -> None:
    annotation = project.save_annotation("A", drawn, author=" Dr. \u00d6z ", seconds=12.5)
    np.testing.assert_array_equal(project.read_annotation(annotation), drawn)
    file = read_labels(annotation.path)
    assert file.volume.grid.agrees_with(grid)
    assert file.segments is not None
    assert [(s.name, s.value, s.colour) for s in file.segments] == [
        (s.name, s.value, s.colour) for s in schema.segments
    ]
    assert (annotation.kind, annotation.author, annotation.seconds) == ("drawn", "Dr. \u00d6z", 12.5)
    assert annotation.model_id is None
    assert project.case("A").annotation == annotation
    assert project.case("A").state == "annotated"


def test_a_new_version_leaves_the_older_ones_untouched(project: Project, drawn: np.ndarray) -> None:
    first = project.save_annotation("A", drawn)
    content = first.path.read_bytes()
    second = project.save_annotation("A", np.where(drawn == 1, 2, drawn))
    assert (first.version, second.version) == (1, 2)
    assert first.path.read_bytes() == content
    assert project.annotations("A") == [first, second]
    assert _files(project.folder / "labels") == ["A/v0001.seg.nrrd", "A/v0002.seg.nrrd"]


def test_a_version_that_its_author_has_not_seen_is_not_outdone(project: Project, drawn: np.ndarray) -> None:
    project.save_annotation("A", drawn, seen_version=0)
    for seen in (0, 2):
        with pytest.raises(ProjectError, match="version 1 counts now"):
            project.save_annotation("A", drawn, seen_version=seen)
    assert project.save_annotation("A", drawn, seen_version=1).version == 2
    project.undo("A")
    with pytest.raises(ProjectError, match="version 1 counts now"):
        project.save_annotation("A", drawn, seen_version=2)
    project.undo("A")
    with pytest.raises(ProjectError, match="no version counts now"):
        project.save_annotation("A", drawn, seen_version=1)
    assert project.case("A").annotation is None
    assert project.save_annotation("A", drawn).version == 3  # who does not say what was seen is not asked


def test_only_annotations_of_training_cases_make_a_project_trainable(
    project: Project, drawn: np.ndarray
) -> None:
    project.save_annotation("A", drawn)
    project.check_trainable()
    for role in ("validation", "excluded"):
        project.set_role("A", role)
        with pytest.raises(DataError, match="No case of the project"):
            project.check_trainable()


def test_a_file_that_no_row_knows_is_never_overwritten(project: Project, drawn: np.ndarray) -> None:
    orphan = project.save_annotation("A", drawn).path.with_name("v0007.seg.nrrd")
    orphan.write_bytes(b"left by a killed program")
    assert project.save_annotation("A", drawn).version == 8
    assert orphan.read_bytes() == b"left by a killed program"


def test_a_file_is_read_onto_the_grid_of_the_scan(
    project: Project, drawn: np.ndarray, grid: Grid, schema: LabelSchema, tmp_path: Path
) -> None:
    for name in ("a.seg.nrrd", "a.nii.gz", "a.mha"):
        write_labels(tmp_path / name, drawn, grid, schema)
        annotation = project.save_annotation("A", tmp_path / name)
        np.testing.assert_array_equal(project.read_annotation(annotation), drawn)
        assert annotation.notes == ()


def test_that_a_file_was_resampled_is_told(
    project: Project, grid: Grid, schema: LabelSchema, tmp_path: Path
) -> None:
    x, y, z = grid.origin_mm
    moved = replace(grid, origin_mm=(x + 0.3, y, z))
    write_labels(tmp_path / "a.nrrd", np.ones(grid.shape, np.uint8), moved, schema)
    (note,) = project.save_annotation("A", tmp_path / "a.nrrd").notes
    assert note.startswith(f"{tmp_path / 'a.nrrd'}: its voxels do not lie on the scan's")


def test_where_a_part_of_a_scan_does_not_reach_nobody_looked_if_it_knows_of_such_voxels(
    project: Project, grid: Grid, drawn: np.ndarray, schema: LabelSchema, tmp_path: Path
) -> None:
    x, y, z = grid.size
    part = replace(grid, size=(x, y, z - 1), origin_mm=tuple(grid.matrix[:3] @ [0, 0, 1, 1]))
    write_labels(tmp_path / "part.nii.gz", drawn[1:], part, schema)
    read = project.read_annotation(project.save_annotation("A", tmp_path / "part.nii.gz"))
    np.testing.assert_array_equal(read[1:], drawn[1:])
    assert (read[0] == 255).all()
    write_labels(tmp_path / "whole.nii.gz", np.where(drawn[1:] == 255, 0, drawn[1:]), part, schema)
    assert not project.read_annotation(project.save_annotation("A", tmp_path / "whole.nii.gz"))[0].any()
    # As 3D Slicer crops: there is no slice that 'Not annotated' owns, so that somebody looked.
    write_labels(tmp_path / "part.seg.nrrd", drawn[1:], part, schema)
    assert not project.read_annotation(project.save_annotation("A", tmp_path / "part.seg.nrrd"))[0].any()


def test_a_segment_of_which_nothing_is_left_is_named(
    project: Project, grid: Grid, schema: LabelSchema, tmp_path: Path
) -> None:
    fine = replace(
        grid, size=tuple(4 * n for n in grid.size), spacing_mm=tuple(mm / 4 for mm in grid.spacing_mm)
    )
    values = np.zeros(fine.shape, np.uint8)
    values[:8, :8, :8] = 1
    values[2, 2, 2] = 2  # between the middles of the scan's voxels
    write_labels(tmp_path / "fine.seg.nrrd", values, fine, schema)
    notes = project.save_annotation("A", tmp_path / "fine.seg.nrrd").notes
    assert f"{tmp_path / 'fine.seg.nrrd'}: nothing is left of Body on the voxels of the scan." in notes


def test_what_a_file_lost_on_the_way_is_told(project: Project, grid: Grid, tmp_path: Path) -> None:
    write_overlapping(tmp_path / "both.seg.nrrd", grid, "Head", "Body")
    annotation = project.save_annotation("A", tmp_path / "both.seg.nrrd")
    (note,) = annotation.notes
    assert note.startswith(f"{tmp_path / 'both.seg.nrrd'}: 1 voxel belongs to several segments")
    assert project.read_annotation(annotation)[1, 1].tolist() == [0, 1, 2, 2, 0]
    project.add_pseudo_label(
        "A",
        np.ones(grid.shape, np.uint8),
        np.zeros(grid.shape, np.float32),
        score=0.5,
        model_id="m",
        worst_slice=0,
    )
    assert project.correct("A", tmp_path / "both.seg.nrrd").notes == (note,)


def test_segments_of_a_file_are_matched_by_name(
    project: Project, drawn: np.ndarray, grid: Grid, tmp_path: Path
) -> None:
    # 3D Slicer numbers segments anew, in their order.
    theirs = LabelSchema.of_names({1: "body", 2: "HEAD"})
    swapped = np.where(np.isin(drawn, (1, 2)), 3 - drawn, drawn).astype(np.uint8)
    write_labels(tmp_path / "a.seg.nrrd", swapped, grid, theirs)
    annotation = project.save_annotation("A", tmp_path / "a.seg.nrrd")
    np.testing.assert_array_equal(project.read_annotation(annotation), drawn)


def test_other_segments_with_the_values_of_the_projects_are_refused(
    project: Project, drawn: np.ndarray, grid: Grid, tmp_path: Path
) -> None:
    theirs = LabelSchema.of_names({1: "Spleen", 2: "Liver tumour"})
    write_labels(tmp_path / "a.seg.nrrd", drawn, grid, theirs)
    with pytest.raises(LabelError, match="does not know: Spleen, Liver tumour") as caught:
        project.save_annotation("A", tmp_path / "a.seg.nrrd")
    assert "rename" in caught.value.remedy
    assert project.annotations("A") == []
    write_labels(tmp_path / "a.nii.gz", drawn, grid, theirs)  # as the remedy says: values alone
    annotation = project.save_annotation("A", tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(project.read_annotation(annotation), drawn)


def test_a_label_map_of_another_patient_is_refused(
    project: Project, drawn: np.ndarray, grid: Grid, schema: LabelSchema, tmp_path: Path
) -> None:
    far = replace(grid, origin_mm=(500.0, 500.0, 500.0))
    write_labels(tmp_path / "other.seg.nrrd", drawn, far, schema)
    with pytest.raises(GridError, match=r"other\.seg\.nrrd"):
        project.save_annotation("A", tmp_path / "other.seg.nrrd")
    assert project.case("A").state == "new"
    assert _files(project.folder / "labels") == []


@pytest.mark.parametrize("kind", [np.int16, np.int64, np.uint16, np.bool_])
def test_whole_numbers_of_any_type_are_label_values(project: Project, drawn: np.ndarray, kind: type) -> None:
    values = (drawn == 1).astype(kind)
    np.testing.assert_array_equal(project.read_annotation(project.save_annotation("A", values)), drawn == 1)


@pytest.mark.parametrize("value", [3, -1, 256, 1000])
def test_a_value_that_the_schema_does_not_know_is_refused(
    project: Project, drawn: np.ndarray, value: int
) -> None:
    values = drawn.astype(np.int32)
    values[0, 0, 0] = value
    with pytest.raises(LabelError, match=rf"case 'A' holds the label value {value}"):
        project.save_annotation("A", values)  # type: ignore[arg-type] - what a caller may do all the same
    assert project.annotations("A") == []


def test_a_segment_that_somebody_removes_while_it_is_saved_is_refused(
    project: Project, drawn: np.ndarray, schema: LabelSchema, monkeypatch: pytest.MonkeyPatch
) -> None:
    fewer = schema.model_copy(update={"segments": schema.segments[:1]})
    with Project.open(project.folder) as elsewhere:

        def write(*arguments: Any) -> None:
            elsewhere.set_schema(fewer)
            write_labels(*arguments)

        monkeypatch.setattr("medssl.project.annotations.write_labels", write)
        with pytest.raises(LabelError, match="case 'A' holds the label value 2"):
            project.save_annotation("A", drawn)
    assert project.annotations("A") == []
    assert not list((project.folder / "labels").rglob("*.nrrd"))


def test_fractions_are_no_label_values(project: Project, drawn: np.ndarray) -> None:
    with pytest.raises(LabelError, match="float64"):
        project.save_annotation("A", drawn * 0.5)


def test_a_label_map_of_another_shape_is_refused_with_both_shapes(
    project: Project, drawn: np.ndarray
) -> None:
    with pytest.raises(GridError, match=r"\(3, 5, 4\).*\(3, 4, 5\)"):
        project.save_annotation("A", drawn.swapaxes(1, 2))


def test_an_annotation_that_annotates_nothing_is_refused(project: Project, drawn: np.ndarray) -> None:
    with pytest.raises(LabelError, match="every voxel as not annotated"):
        project.save_annotation("A", np.full_like(drawn, 255))


def test_a_scan_without_any_structure_can_be_annotated(project: Project, drawn: np.ndarray) -> None:
    assert project.save_annotation("A", np.zeros_like(drawn)).version == 1


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf")])
def test_a_time_that_cannot_be_is_refused(project: Project, drawn: np.ndarray, seconds: float) -> None:
    with pytest.raises(UsageError, match="time spent"):
        project.save_annotation("A", drawn, seconds=seconds)


def test_a_scan_that_went_missing_is_told_with_its_path(project: Project, drawn: np.ndarray) -> None:
    scan = project.case("A").channels[0]
    scan.unlink()
    with pytest.raises(ImageError, match=r"scan\.nii\.gz"):
        project.save_annotation("A", drawn)
    assert project.case("A").channels == (scan,)


def test_a_file_that_is_no_label_map_is_refused_and_nothing_changes(
    project: Project, drawn: np.ndarray, grid: Grid, tmp_path: Path
) -> None:
    before = project.save_annotation("A", drawn)
    write_volume(tmp_path / "map.nrrd", Volume(np.full(grid.shape, 0.5, dtype=np.float32), grid))
    (tmp_path / "empty.nrrd").touch()
    for name in ("map.nrrd", "empty.nrrd", "missing.nrrd"):
        with pytest.raises((ImageError, LabelError), match=name.replace(".", r"\.")):
            project.save_annotation("A", tmp_path / name)
    assert project.annotations("A") == [before]
    assert _files(project.folder / "labels") == ["A/v0001.seg.nrrd"]


def test_undo_brings_the_version_before_back_and_keeps_the_file(project: Project, drawn: np.ndarray) -> None:
    first = project.save_annotation("A", drawn)
    second = project.save_annotation("A", drawn)
    assert project.undo("A").annotation == first
    assert second.path.exists()
    assert [annotation.withdrawn for annotation in project.annotations("A")] == [False, True]
    assert project.undo("A").state == "new"
    with pytest.raises(ProjectError, match="nothing to undo for case 'A'"):
        project.undo("A")
    assert project.save_annotation("A", drawn).version == 3


def test_a_case_in_a_folder_that_may_not_be_written_is_told(
    project: Project, drawn: np.ndarray, make_read_only: Callable[[Path], None]
) -> None:
    project.save_annotation("A", drawn)
    make_read_only(project.folder / "labels")
    with pytest.raises(StorageError, match="may not be written"):
        project.save_annotation("A", drawn)
    assert project.case("A").annotation == project.annotations("A")[0]
