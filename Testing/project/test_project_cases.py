from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from medssl.errors import GridError, ImageError, ProjectError, UsageError
from medssl.imaging.itk import image_of
from medssl.imaging.reading import read_volume
from medssl.imaging.volume import Grid, Volume
from medssl.imaging.writing import write_volume
from medssl.labels import LabelSchema
from medssl.project import Project
from sqlalchemy import Engine, event

LONG = "x" * 200
FOREIGN = "\u00c5ngstr\u00f6m \u8111 \U0001f9e0"


def test_a_case_points_at_its_scan(project: Project, make_scan: Callable[..., Path]) -> None:
    scan = make_scan()
    case = project.add_case("A", [scan], role="validation")
    assert (case.name, case.channels, case.role, case.state) == ("A", (scan,), "validation", "new")
    assert case.annotation is None
    assert case.pseudo_label is None
    assert project.case("A") == project.case(case.id) == project.case(case) == case
    assert project.case(project.cases()[0]) == case


def test_a_relative_path_is_found_from_everywhere(
    project: Project, make_scan: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    scan = make_scan()
    monkeypatch.chdir(scan.parent)
    project.add_case("A", [Path(scan.name)])
    monkeypatch.chdir(tmp_path)
    assert project.case("A").channels == (scan,)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd", ".mha"])
def test_a_copied_scan_is_the_same_file_and_outlives_its_source(
    project: Project, make_scan: Callable[..., Path], suffix: str
) -> None:
    scan = make_scan(f"a.b{suffix}")
    content = scan.read_bytes()
    case = project.add_case("A", [scan], copy=True)
    scan.unlink()
    (copied,) = case.channels
    assert copied.is_relative_to(project.folder / "images")
    assert copied.name.endswith(suffix)
    assert copied.read_bytes() == content


def test_a_copied_scan_of_two_files_becomes_one(project: Project, tmp_path: Path, grid: Grid) -> None:
    # MetaImage with the voxels in a file of their own: copying the header alone would lose them.
    voxels = np.arange(np.prod(grid.shape), dtype=np.int16).reshape(grid.shape)
    (tmp_path / "scan.raw").write_bytes(voxels.tobytes())
    (tmp_path / "scan.mhd").write_text(
        "ObjectType = Image\nNDims = 3\nDimSize = 5 4 3\nElementSpacing = 1 1 2\n"
        "ElementType = MET_SHORT\nElementDataFile = scan.raw\n",
        encoding="utf-8",
    )
    case = project.add_case("A", [tmp_path / "scan.mhd"], copy=True)
    (tmp_path / "scan.raw").unlink()
    np.testing.assert_array_equal(read_volume(case.channels[0]).array, voxels)


def test_the_channels_of_a_case_keep_their_order(
    tmp_path: Path, schema: LabelSchema, make_scan: Callable[..., Path]
) -> None:
    with Project.create(tmp_path / "p", schema, ("T1", "T2/FLAIR")) as project:
        scans = [make_scan("b.nrrd"), make_scan("a.nii.gz")]
        assert project.add_case("A", scans).channels == tuple(scans)
        copied = project.add_case("B", scans, copy=True).channels
        assert [path.read_bytes() for path in copied] == [path.read_bytes() for path in scans]
        with pytest.raises(UsageError, match=r"has 1 image, but the project has 2 channels \(T1, T2/FLAIR\)"):
            project.add_case("C", scans[:1])


def test_channels_on_different_grids_are_refused_with_the_numbers(
    tmp_path: Path, schema: LabelSchema, make_scan: Callable[..., Path], grid: Grid
) -> None:
    with Project.create(tmp_path / "p", schema, ("T1", "T2")) as project:
        moved = replace(grid, origin_mm=(-12.0, 3.0, 45.0))
        with pytest.raises(GridError, match=r"b\.nrrd has 5 x 4 x 3 voxels .* at \(-12, 3, 45\)"):
            project.add_case("A", [make_scan("a.nrrd"), make_scan("b.nrrd", moved)])
        assert project.cases() == []


def test_a_scan_of_one_brightness_is_added_with_a_question(
    project: Project, tmp_path: Path, grid: Grid
) -> None:
    write_volume(tmp_path / "flat.nrrd", Volume(np.full(grid.shape, 7, np.int16), grid))

    (note,) = project.add_case("A", [tmp_path / "flat.nrrd"]).notes

    assert note.endswith("flat.nrrd: all voxels have the same value, 7. Is it the right file?")


@pytest.mark.parametrize("copy", [False, True])
@pytest.mark.parametrize("damage", ["missing", "empty", "truncated", "text"])
def test_a_scan_that_cannot_be_read_is_refused_with_its_file(
    project: Project, make_scan: Callable[..., Path], damage: str, copy: bool
) -> None:
    scan = make_scan("scan.nii")
    content = scan.read_bytes()
    changed = {"empty": b"", "truncated": content[:-20], "text": b"no image"}
    scan.unlink()
    if damage in changed:
        scan.write_bytes(changed[damage])
    with pytest.raises(ImageError, match=r"scan\.nii") as caught:
        project.add_case("A", [scan], copy=copy)
    assert caught.value.remedy
    assert project.cases() == []
    assert not (project.folder / "images").exists() or not any((project.folder / "images").iterdir())


@pytest.mark.parametrize(
    "name",
    [
        "with space",
        "dots...",
        "..",
        ".",
        "a/b\\c:d",
        "CON",
        "nul.txt",
        "\u00c5ngstr\u00f6m \u8111 \U0001f9e0",
        LONG,
        "-x",
    ],
)
def test_any_name_works_and_stays_inside_the_project(
    project: Project, make_scan: Callable[..., Path], drawn: np.ndarray, name: str
) -> None:
    project.add_case(name, [make_scan()], copy=True)
    annotation = project.save_annotation(name, drawn)
    case = project.case(name)
    assert case.name == name
    assert case.channels[0].resolve().parent.parent == project.folder.resolve() / "images"
    assert annotation.path.resolve().parent.parent == project.folder.resolve() / "labels"
    assert len(annotation.path.parent.name.encode()) <= 130


def test_names_that_look_alike_in_files_get_folders_of_their_own(
    project: Project, make_scan: Callable[..., Path]
) -> None:
    names = ["a:b", "a?b", "A_B", "a_b", LONG, LONG + "y"]
    folders = [project.add_case(name, [make_scan()]).folder.casefold() for name in names]
    assert len(set(folders)) == len(names)


@pytest.mark.parametrize("name", ["", "  ", "two\nlines", "bell\a", "x" * 256])
def test_a_name_nobody_can_read_is_refused(
    project: Project, make_scan: Callable[..., Path], name: str
) -> None:
    with pytest.raises(UsageError):
        project.add_case(name, [make_scan()])


def test_a_name_is_used_once(project: Project, make_scan: Callable[..., Path]) -> None:
    project.add_case("\u00e9", [make_scan()])
    # The same letter, written as two characters.
    with pytest.raises(ProjectError, match="already"):
        project.add_case(" e\u0301 ", [make_scan()])
    assert project.count_cases() == 1


def test_an_unknown_case_is_told(project: Project) -> None:
    for reference in ("nobody", 17):
        with pytest.raises(ProjectError, match=f"no case '{reference}'"):
            project.case(reference)


@pytest.fixture
def full(project: Project, make_scan: Callable[..., Path], drawn: np.ndarray) -> Project:
    """A project with cases of every state; their names count in the order they should be sorted."""
    scan = make_scan()
    names = [f"Case {number}" for number in (1, 2, 3, 9, 10, 11, 100)]
    for name in random.Random(0).sample(names, len(names)):
        project.add_case(name, [scan])
    for name, score in (("Case 2", 0.1), ("Case 3", 0.9), ("Case 9", 0.5), ("Case 10", 0.3)):
        uncertainty = np.zeros(drawn.shape, dtype=np.float32)
        project.add_pseudo_label(name, drawn, uncertainty, score=score, model_id="m", worst_slice=0)
    project.accept("Case 9")
    project.reject("Case 10")
    project.save_annotation("Case 100", drawn)
    project.set_role("Case 11", "excluded")
    return project


def _numbers(project: Project, **how: object) -> list[int]:
    return [int(case.name.split()[1]) for case in project.cases(**how)]  # type: ignore[arg-type] - any listing


def test_names_sort_as_people_count(full: Project) -> None:
    assert _numbers(full) == [1, 2, 3, 9, 10, 11, 100]
    assert _numbers(full, descending=True) == [100, 11, 10, 9, 3, 2, 1]


def test_cases_sort_by_uncertainty_with_those_without_one_last(full: Project) -> None:
    assert _numbers(full, sort="uncertainty") == [2, 10, 9, 3, 1, 11, 100]
    assert _numbers(full, sort="uncertainty", descending=True) == [3, 9, 10, 2, 1, 11, 100]


def test_cases_sort_by_what_is_left_to_do(full: Project) -> None:
    assert _numbers(full, sort="state") == [2, 3, 1, 11, 10, 9, 100]


def test_cases_sort_in_the_order_they_were_added(full: Project) -> None:
    ids = [case.id for case in full.cases(sort="added")]
    assert ids == sorted(ids)


def test_cases_are_filtered_and_counted_alike(full: Project) -> None:
    assert _numbers(full, state="proposed") == [2, 3]
    assert _numbers(full, state="annotated") == [9, 100]
    assert _numbers(full, state="rejected") == [10]
    assert _numbers(full, state="new") == [1, 11]
    assert _numbers(full, role="excluded") == [11]
    assert _numbers(full, text="cASE 1") == [1, 10, 11, 100]
    assert _numbers(full, text="case 1", state="new", role="training") == [1]
    assert full.count_cases() == 7
    assert full.count_cases(text="cASE 1", state="new") == 2


def test_a_search_takes_every_character_as_itself(project: Project, make_scan: Callable[..., Path]) -> None:
    for name in ("100%", "100_a", "GR\u00d6SSE"):
        project.add_case(name, [make_scan()])
    assert [case.name for case in project.cases(text="%")] == ["100%"]
    assert [case.name for case in project.cases(text="_")] == ["100_a"]
    assert [case.name for case in project.cases(text="gr\u00f6\u00dfe")] == ["GR\u00d6SSE"]


@pytest.mark.parametrize("sort", ["name", "uncertainty", "state", "added"])
def test_pages_put_together_are_the_whole_list(full: Project, sort: str) -> None:
    whole = _numbers(full, sort=sort)
    pages = [_numbers(full, sort=sort, offset=start, limit=3) for start in (0, 3, 6)]
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [number for page in pages for number in page] == whole


def test_a_listing_tells_what_the_case_itself_tells(full: Project) -> None:
    for listed in full.cases():
        case = full.case(listed)
        assert (listed.id, listed.name, listed.role, listed.state) == (
            case.id,
            case.name,
            case.role,
            case.state,
        )
        assert listed.score == (case.pseudo_label.score if case.pseudo_label else None)
        assert listed.annotation_version == (case.annotation.version if case.annotation else None)


def test_a_role_can_be_changed_and_changed_back(full: Project) -> None:
    full.set_role("Case 11", "validation")
    assert full.case("Case 11").role == "validation"


def test_a_few_voxels_that_are_no_numbers_do_not_keep_a_scan_out(
    project: Project, tmp_path: Path, grid: Grid
) -> None:
    voxels = np.ones(grid.shape, dtype=np.float32)
    voxels[0, 0] = np.nan
    write_volume(tmp_path / "a.nrrd", Volume(voxels, grid))
    assert project.add_case("A", [tmp_path / "a.nrrd"]).state == "new"


def test_one_file_of_all_channels_becomes_a_file_for_each_in_the_project(
    tmp_path: Path, schema: LabelSchema, make_scan: Callable[..., Path]
) -> None:
    scan = read_volume(make_scan("a.nrrd"))
    both = [scan, Volume(scan.array[::-1].copy(), scan.grid)]
    whole = tmp_path / "both.nii.gz"
    sitk.WriteImage(sitk.JoinSeries([image_of(v.array, v.grid) for v in both]), str(whole))
    with Project.create(tmp_path / "p", schema, ("T1", "T2/FLAIR")) as project:
        case = project.add_case("A", [whole])
        whole.unlink()
        assert len(case.channels) == 2
        for path, volume in zip(case.channels, both, strict=True):
            assert path.is_relative_to(project.folder / "images")
            kept = read_volume(path)
            assert kept.grid.agrees_with(volume.grid)
            np.testing.assert_array_equal(kept.array, volume.array)


def test_a_file_of_another_number_of_channels_is_refused(
    tmp_path: Path, schema: LabelSchema, make_scan: Callable[..., Path]
) -> None:
    scan = read_volume(make_scan("a.nrrd"))
    sitk.WriteImage(sitk.JoinSeries([image_of(scan.array, scan.grid)] * 3), str(tmp_path / "three.nii.gz"))
    with (
        Project.create(tmp_path / "p", schema, ("T1", "T2")) as project,
        pytest.raises(UsageError, match="has 3 images, but the project has 2 channels"),
    ):
        project.add_case("A", [tmp_path / "three.nii.gz"])


def test_all_cases_are_loaded_at_once_and_as_each_alone(
    project: Project, make_scan: Callable[..., Path], drawn: np.ndarray
) -> None:
    for index in range(12):
        role = ("training", "validation", "excluded")[index % 3]
        case = project.add_case(f"case {index}", [make_scan()], role=role)
        if index % 2:
            project.save_annotation(case, drawn)
        if index % 4 == 1:
            project.save_annotation(case, np.where(drawn == 1, np.uint8(2), drawn))
        if index % 3:
            uncertainty = np.zeros(drawn.shape, np.float32)
            project.add_pseudo_label(case, drawn, uncertainty, score=0.5, model_id="m", worst_slice=0)
        if index % 6 == 2:
            project.reject(f"case {index}")
    for roles in (("training",), ("training", "validation", "excluded")):
        alone = [project.case(row.id) for row in project.cases() if row.role in roles]
        assert project.whole_cases(*roles) == alone
    assert project.whole_cases() == []
    statements: list[str] = []

    def note(*told: str) -> None:
        statements.append(told[2])

    event.listen(Engine, "before_cursor_execute", note)
    project.whole_cases("training", "validation", "excluded")
    event.remove(Engine, "before_cursor_execute", note)
    assert sum(statement.startswith("SELECT") for statement in statements) == 3
