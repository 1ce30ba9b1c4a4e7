"""The scans of a folder tree are found, each with a name of its own."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from dicom_making import write_series
from medssl.errors import ImageError
from medssl.imaging.labels import write_labels
from medssl.imaging.multichannel import look_inside
from medssl.imaging.own_files import LEDGER_NAME, RESULTS_FOLDER
from medssl.imaging.reading import read_grid, read_volume
from medssl.imaging.scans import find_scans
from medssl.imaging.volume import Grid, Volume
from medssl.imaging.writing import write_volume
from medssl.labels import LabelSchema
from medssl.project import Project

VOLUME = Volume(np.arange(60, dtype=np.int16).reshape(5, 4, 3), Grid((3, 4, 5), (1.0, 1.0, 1.0)))


@pytest.fixture
def latin_1_folder(tmp_path: Path) -> Path:
    """A folder with a scan, and a folder with a scan, as systems of before UTF-8 wrote their names."""
    if sys.platform != "linux":
        pytest.skip("only Linux takes any bytes for a name")
    write_volume(tmp_path / "scan.nii.gz", VOLUME)
    (tmp_path / os.fsdecode(b"patient \xc5")).mkdir()
    for name in (b"M\xfcller.nii.gz", b"patient \xc5/a.nii.gz"):
        shutil.copy(tmp_path / "scan.nii.gz", tmp_path / os.fsdecode(name))
    (tmp_path / "scan.nii.gz").unlink()
    return tmp_path


def test_files_and_series_are_found_and_read(tmp_path: Path) -> None:
    write_volume(tmp_path / "a.nii.gz", VOLUME)
    write_volume(tmp_path / "deep" / "er" / "v1.2 final.nrrd", VOLUME)
    write_volume(tmp_path / "deep" / "Ångström.mha", VOLUME)
    write_series(tmp_path / "study" / "series 1", VOLUME.array)
    scans = find_scans(tmp_path)
    assert [scan.name for scan in scans] == ["a", "deep/er/v1.2 final", "deep/Ångström", "study/series 1"]
    for scan in scans:
        assert scan.problem is None
        assert np.array_equal(scan.read().array, VOLUME.array)
        assert scan.relative == Path(scan.name)
    assert [scan.source.name for scan in scans] == ["a.nii.gz", "v1.2 final.nrrd", "Ångström.mha", "series 1"]
    assert [scan.name for scan in find_scans(tmp_path, recursive=False)] == ["a"]


def test_segmentations_hidden_files_and_other_files_are_passed_over(tmp_path: Path) -> None:
    values = np.ones(VOLUME.grid.shape, np.uint8)
    write_labels(tmp_path / "a.seg.nrrd", values, VOLUME.grid, LabelSchema.of_names({1: "Liver"}))
    for name in ("._a.nii.gz", ".partial-x.nii.gz", "notes.txt", "table.csv", "picture.png"):
        (tmp_path / name).write_bytes(b"x" * 400)
    write_volume(tmp_path / ".hidden" / "a.nii.gz", VOLUME)
    assert find_scans(tmp_path) == []


def test_scans_whose_names_would_be_the_same_are_told_apart(tmp_path: Path) -> None:
    for name in ("a.nii.gz", "a.nrrd", "A.mha", "a-nrrd.nii"):
        write_volume(tmp_path / name, VOLUME)
    names = [scan.relative.name for scan in find_scans(tmp_path)]
    assert len({name.casefold() for name in names}) == 4


def test_a_scan_of_thousands_is_named_without_going_through_names_that_nobody_has(tmp_path: Path) -> None:
    for number in range(2000):
        (tmp_path / f"scan {number}.nii.gz").touch()

    began = time.process_time()
    scans = find_scans(tmp_path)

    assert len({scan.name for scan in scans}) == 2000
    assert time.process_time() - began < 5  # 0.1 s; all names that could be made up for each took 40 s


def test_several_series_in_one_folder_get_their_descriptions_as_names(tmp_path: Path) -> None:
    write_series(tmp_path / "flat", VOLUME.array, description="T2 / FLAIR: *")
    for file in (tmp_path / "flat").iterdir():
        file.rename(file.with_name(f"other-{file.name}"))
    write_series(tmp_path / "flat", VOLUME.array + 1, description="T1")
    write_series(tmp_path, VOLUME.array[:1], description="")
    scans = find_scans(tmp_path)
    assert [scan.name for scan in scans] == ["flat/T1", "flat/T2_FLAIR", "MR"]
    assert np.array_equal(scans[0].read().array, VOLUME.array + 1)
    assert "single slice" in (scans[2].problem or "")
    with pytest.raises(ImageError, match="single slice"):
        scans[2].read()


def test_a_bad_file_is_listed_and_says_so_when_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "bad.nii.gz").write_bytes(b"")
    (scan,) = find_scans(tmp_path)
    with pytest.raises(ImageError, match="empty"):
        scan.read()


def test_one_file_is_a_folder_of_one_scan_and_a_missing_folder_is_named(tmp_path: Path) -> None:
    write_volume(tmp_path / "a.b.nii.gz", VOLUME)
    (scan,) = find_scans(tmp_path / "a.b.nii.gz")
    assert (scan.name, scan.source) == ("a.b", tmp_path / "a.b.nii.gz")
    with pytest.raises(ImageError, match="no folder"):
        find_scans(tmp_path / "gone")


def test_a_project_among_the_scans_is_named_and_nobody_looks_into_it(tmp_path: Path) -> None:
    write_volume(tmp_path / "a.nii.gz", VOLUME)
    with Project.create(tmp_path / "study" / "kidneys", LabelSchema.of_names({1: "Kidney"})) as project:
        project.add_case("a", [tmp_path / "a.nii.gz"], copy=True)
        scan, told = find_scans(tmp_path)
        (inside,) = find_scans(project.folder / "images")  # who names it has said what it is
        with pytest.raises(ImageError, match="is a project of MedSSL"):
            find_scans(project.folder)
    assert (scan.name, scan.unfit) == ("a", None)
    assert inside.unfit is None
    assert told.name == "study/kidneys"
    assert "is a project of MedSSL" in (told.unfit or "")
    with pytest.raises(ImageError, match="is a project of MedSSL"):
        told.read()


def test_what_runs_have_written_is_no_scan_wherever_it_lies(tmp_path: Path) -> None:
    write_volume(tmp_path / "a.nii.gz", VOLUME)
    for name in ("a.nii.gz", "deep/b.nii.gz"):
        write_volume(tmp_path / "results" / name, VOLUME)
    (tmp_path / "link.nii.gz").symlink_to(tmp_path / "results" / "a.nii.gz")
    ledger = tmp_path / "results" / RESULTS_FOLDER / LEDGER_NAME
    ledger.parent.mkdir()
    ledger.write_text('{"path":"a.nii.gz"}\nhalf a row\n{"path":"deep/b.nii.gz"}\n')
    write_volume(tmp_path / "results" / "drawn by hand.nii.gz", VOLUME)
    assert [scan.name for scan in find_scans(tmp_path)] == ["a", "results/drawn by hand"]


def test_a_name_in_another_encoding_is_that_scans_own_problem(latin_1_folder: Path) -> None:
    write_volume(latin_1_folder / "ok.nii.gz", VOLUME)
    write_series(latin_1_folder / "series", VOLUME.array)
    found = {scan.name: scan for scan in find_scans(latin_1_folder, names="folders")}
    assert found.keys() == {"ok", "series", "M\\xfcller", "patient \\xc5"}
    for name, what in (("M\\xfcller", "M\\xfcller.nii.gz"), ("patient \\xc5", "patient \\xc5")):
        assert found[name].problem == (
            f"The name of {latin_1_folder}/{what} is not written in UTF-8, so it cannot be opened. Rename it."
        )
        found[name].shown.encode()
        with pytest.raises(ImageError, match="Rename it"):
            found[name].read()
    assert np.array_equal(found["ok"].read().array, VOLUME.array)


def test_images_with_names_in_another_encoding_are_one_problem_of_their_folder(latin_1_folder: Path) -> None:
    for file in write_series(latin_1_folder / "series", VOLUME.array):
        file.rename(file.with_name(os.fsdecode(b"schicht \xfc ") + file.name))
    write_series(latin_1_folder / "other", VOLUME.array)
    found = {scan.name: scan for scan in find_scans(latin_1_folder)}
    assert "So it is with 4 other files beside it." in (found["series/not opened"].problem or "")
    neutral = [scan for scan in find_scans(latin_1_folder, names="neutral") if scan.series is None]
    assert len(neutral) == 3
    for scan in neutral:
        assert scan.name.startswith("not-opened-")
        assert "--names folders" in (scan.problem or "")
        assert "schicht" not in f"{scan.problem} {scan.shown}"


def test_a_file_that_somebody_names_and_whose_name_is_no_text_is_refused(latin_1_folder: Path) -> None:
    for name in (b"M\xfcller.nii.gz", b"patient \xc5"):
        path = latin_1_folder / os.fsdecode(name)
        for read in (read_volume, read_grid, find_scans, *([look_inside] if path.is_file() else [])):
            with pytest.raises(ImageError, match="not written in UTF-8"):
                read(path)


def test_what_may_not_be_read_is_listed_and_the_others_are_found(
    tmp_path: Path, make_unreadable: Callable[[Path], None]
) -> None:
    write_volume(tmp_path / "a.nii.gz", VOLUME)
    write_volume(tmp_path / "secret.nii.gz", VOLUME)
    (tmp_path / "notes.txt").write_text("no scan at all")
    (tmp_path / "lost+found").mkdir()
    files = write_series(tmp_path / "series", VOLUME.array)
    for path in (tmp_path / "secret.nii.gz", tmp_path / "notes.txt", tmp_path / "lost+found", files[-1]):
        make_unreadable(path)
    found = {scan.name: scan for scan in find_scans(tmp_path)}
    last = f"series/{files[-1].relative_to(tmp_path / 'series').name}"
    assert found.keys() == {"a", "secret", "notes.txt", "lost+found", "series", last}
    for name in ("notes.txt", "lost+found", last):
        assert found[name].problem == f"{tmp_path / name} may not be read. Ask for permission to read it."
    assert found["series"].read().array.shape == (4, 4, 3)
    with pytest.raises(ImageError, match="may not be read"):
        found["secret"].read()
    hidden = [scan.problem or "" for scan in find_scans(tmp_path, names="neutral") if scan.problem]
    assert len(hidden) == 3
    assert all(str(tmp_path) not in problem for problem in hidden)
    make_unreadable(tmp_path)
    with pytest.raises(ImageError, match="may not be read"):
        find_scans(tmp_path)
    tmp_path.chmod(0o700)
