"""Writing leaves either a whole new file or what was there before."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from medssl.errors import ImageError, StorageError, UsageError
from medssl.imaging.reading import read_volume
from medssl.imaging.volume import Grid, Volume
from medssl.imaging.writing import write_volume

GRID = Grid((40, 40, 40), (1.0, 1.0, 1.0))

# Run in a process of its own, where no file may grow over 20 kB, as on a disk that is full.
WRITE_WITH_A_LIMIT = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from medssl.errors import StorageError
from medssl.imaging.volume import Grid, Volume
from medssl.imaging.writing import write_volume
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
array = np.random.default_rng(0).normal(size=(40, 40, 40))
for name in sys.argv[1:]:
    try:
        write_volume(Path(name), Volume(array, Grid((40, 40, 40), (1.0, 1.0, 1.0))))
    except StorageError as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of a file")
def test_a_disk_that_is_full_leaves_the_old_file(tmp_path: Path) -> None:
    old = Volume(np.zeros(GRID.shape, np.int16), GRID)
    paths = [tmp_path / f"map{suffix}" for suffix in (".nii", ".nii.gz", ".nrrd", ".mha")]
    for path in paths:
        write_volume(path, old)
    before = {path: path.read_bytes() for path in paths}
    done = subprocess.run(
        [sys.executable, "-c", WRITE_WITH_A_LIMIT, *map(str, paths)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert [line.split()[0] for line in done.stdout.splitlines()] == [str(path) for path in paths]
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="could not be written"):
        write_volume(tmp_path / "file" / "scan.nii.gz", Volume(np.zeros(GRID.shape), GRID))


@pytest.mark.parametrize("name", ["scan", "scan.png", "scan.mhd", "scan.nhdr", ".nii.gz"])
def test_formats_that_cannot_be_written_are_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.seg\.nrrd, \.nii\.gz"):
        write_volume(tmp_path / name, Volume(np.zeros(GRID.shape), GRID))


def test_truth_values_and_short_floats_are_written_as_what_formats_have(tmp_path: Path) -> None:
    for suffix in (".nii.gz", ".nrrd", ".mha"):
        path = tmp_path / f"map{suffix}"
        write_volume(path, Volume(np.ones(GRID.shape, bool), GRID))
        assert read_volume(path).array.dtype == np.uint8
        write_volume(path, Volume(np.full(GRID.shape, 0.5, np.float16), GRID))
        assert (read_volume(path).array == np.float32(0.5)).all()


def test_what_nifti_has_no_place_for_is_refused(tmp_path: Path) -> None:
    long = Grid((40_000, 1, 1), (1.0, 1.0, 1.0))
    with pytest.raises(ImageError, match="40000 x 1 x 1"):
        write_volume(tmp_path / "scan.nii.gz", Volume(np.zeros(long.shape, np.uint8), long))


def test_a_part_of_an_array_and_a_turned_one_are_written_rightly(tmp_path: Path) -> None:
    whole = np.arange(20 * 30 * 40, dtype=np.int16).reshape(20, 30, 40)
    part = np.flip(whole.transpose(2, 0, 1)[::2, 1:9, 3:], 1)
    grid = Grid(part.shape[::-1], (1.0, 1.0, 1.0))
    for suffix in (".nii.gz", ".nrrd", ".mha"):
        write_volume(tmp_path / f"part{suffix}", Volume(part, grid))
        assert np.array_equal(read_volume(tmp_path / f"part{suffix}").array, part)


def test_the_same_volume_gives_the_same_nifti_bytes(tmp_path: Path) -> None:
    volume = Volume(np.random.default_rng(0).normal(size=GRID.shape), GRID)
    for name in ("a.nii.gz", "b.nii.gz"):
        write_volume(tmp_path / name, volume)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()
