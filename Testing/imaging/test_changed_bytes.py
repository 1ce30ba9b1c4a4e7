"""A file of which a bit was changed, as by a bad disk or a bad copy, is refused or read as it was written."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from medssl.errors import ImageError
from medssl.imaging.labels import read_labels, write_labels
from medssl.imaging.multichannel import read_channels
from medssl.imaging.reading import read_volume
from medssl.imaging.single_file import as_one_file
from medssl.imaging.volume import Grid, Volume
from medssl.imaging.writing import write_volume
from medssl.labels import LabelSchema, Segment

# More than readers unpack at once, so that they may well stop before the end of the file.
GRID = Grid((64, 60, 40), (1.0, 1.0, 1.0))
FLIPS = 60
GZIP_HEADER_BYTES = 10


def ball() -> np.ndarray:
    """A smooth scan with some noise: unlike pure noise, it is really compressed."""
    z, y, x = np.indices(GRID.shape)
    smooth = 1000 - ((z - 19) ** 2 + (y - 31) ** 2 + (x - 32) ** 2) / 4
    return (smooth + np.random.default_rng(0).normal(0, 5, GRID.shape)).astype(np.int16)


def packed(name: str, folder: Path) -> tuple[Path, Path]:
    """Write a scan under that name; returns it and the file with its packed voxels."""
    path = folder / name
    if path.suffix in (".mhd", ".nhdr"):
        sitk.WriteImage(sitk.GetImageFromArray(ball()), str(path), useCompression=True)
    elif name == "scaled.nii.gz":
        # Whole numbers that become fractions are left to ITK.
        write_volume(path, Volume(ball(), GRID))
        content = bytearray(gzip.decompress(path.read_bytes()))
        content[112:116] = np.float32(0.5).tobytes()
        path.write_bytes(gzip.compress(bytes(content)))
    else:
        write_volume(path, Volume(ball(), GRID))
    return path, next((file for file in folder.iterdir() if file != path), path)


def check_flips(read: Callable[[], Any], data: Path, start: int = 0) -> None:
    """Change one bit after another of a file from `start` on, and read: never anything else than before."""
    content = data.read_bytes()
    right = read()
    random = np.random.default_rng(0)
    refusals = 0
    for position in random.integers(start, len(content), FLIPS):
        changed = bytearray(content)
        changed[position] ^= 1 << int(random.integers(8))
        data.write_bytes(changed)
        try:
            assert np.array_equal(read(), right), f"byte {position}"
        except ImageError as error:
            assert "damaged" in error.what or "not an image" in error.what
            refusals += 1
    data.write_bytes(content)
    assert np.array_equal(read(), right)
    assert refusals > FLIPS * 0.9


NAMES = ["a.nii.gz", "scaled.nii.gz", "a.nrrd", "a.mha", "a.mhd", "a.nhdr"]


@pytest.mark.parametrize("name", NAMES)
def test_a_scan_with_a_changed_bit_is_never_read_as_another(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path, data = packed(name, tmp_path)
    check_flips(lambda: read_volume(path).array, data, payload_start(data))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["a.seg.nrrd", "a.nii.gz", "a.mha"])
def test_a_segmentation_with_a_changed_bit_is_never_read_as_another(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    red, green = (255, 0, 0), (0, 255, 0)
    segments = (Segment(name="ball", value=1, colour=red), Segment(name="shell", value=2, colour=green))
    schema = LabelSchema(segments=segments)
    write_labels(path, (ball() > 940).astype(np.uint8) + (ball() > 900).astype(np.uint8), GRID, schema)
    check_flips(lambda: read_labels(path).volume.array, path, payload_start(path))


def test_channels_and_scans_that_travel_as_one_file_are_checked_too(tmp_path: Path) -> None:
    both = tmp_path / "both.nrrd"
    sitk.WriteImage(sitk.GetImageFromArray(np.stack([ball()] * 2, -1), isVector=True), str(both), True)
    check_flips(lambda: read_channels([both], 2)[1].array, both, payload_start(both))
    path, data = packed("a.mhd", tmp_path)
    data = tmp_path / "a.zraw"

    def sent() -> np.ndarray:
        with as_one_file(path) as copy:
            return read_volume(copy).array

    check_flips(sent, data)


def test_voxels_of_another_length_than_the_header_says_are_refused(tmp_path: Path) -> None:
    voxels = ball().tobytes()
    for path, pack in ((tmp_path / "a.mha", zlib.compress), (tmp_path / "a.nrrd", gzip.compress)):
        write_volume(path, Volume(ball(), GRID))
        header = path.read_bytes()[: payload_start(path)]
        for length in (len(voxels) - 10, len(voxels), len(voxels) + 10):
            content = pack((voxels + bytes(10))[:length])
            size = f"CompressedDataSize = {len(content)}\n".encode()
            lines = [size if b"edDataSize" in line else line for line in header.splitlines(keepends=True)]
            path.write_bytes(b"".join(lines) + content)
            if length == len(voxels):
                assert np.array_equal(read_volume(path).array, ball())
            else:
                with pytest.raises(ImageError, match="is damaged"):
                    read_volume(path)


def test_a_meta_image_that_does_not_say_where_its_packed_voxels_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mha"
    write_volume(path, Volume(ball(), GRID))
    content = path.read_bytes()
    lines = [line for line in content.splitlines(keepends=True) if b"CompressedDataSize" not in line]
    path.write_bytes(b"".join(lines))
    with pytest.raises(ImageError, match="is damaged"):
        read_volume(path)


def test_every_way_to_write_packed_voxels_is_still_read(tmp_path: Path) -> None:
    voxels = ball().tobytes()
    (tmp_path / "apart.gz").write_bytes(b"a line\n" + gzip.compress(b"12345" + voxels))
    (tmp_path / "members.gz").write_bytes(gzip.compress(voxels[:500]) + gzip.compress(voxels[500:]))
    (tmp_path / "apart.zraw").write_bytes(gzip.compress(voxels))
    nrrd = (
        "NRRD0004\r\n# a comment\r\ntype: signed short int\ndimension: 3\nSizes: 64 60 40\nendian: little\n"
    )
    meta = "NDims = 3\nDimSize = 64 60 40\nElementType = MET_SHORT\nBinaryData = True\nCompressedData = 1\n"
    texts = {
        "skips.nhdr": f"{nrrd}encoding: GZip\nbyteskip: 5\nline skip: 1\nDataFile: apart.gz\n",
        "last.nhdr": f"{nrrd}encoding: gz\nbyte skip: -1\nline skip: 1\ndata file: apart.gz\n",
        "members.nhdr": f"{nrrd}encoding: gzip\nnote:=encoding: raw\ndata file: members.gz\n",
        "apart.mhd": f"{meta}ElementDataFile = apart.zraw\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, newline="")
        assert np.array_equal(read_volume(tmp_path / name).array, ball()), name


def test_packed_voxels_in_several_files_are_refused_with_what_to_do(tmp_path: Path) -> None:
    for number, plane in enumerate(ball()):
        (tmp_path / f"{number}.z").write_bytes(zlib.compress(plane.tobytes()))
    path = tmp_path / "list.mhd"
    path.write_text(
        "NDims = 3\nDimSize = 64 60 40\nElementType = MET_SHORT\nBinaryData = True\nCompressedData = True\n"
        "ElementDataFile = %d.z 0 39 1\n"
    )
    with pytest.raises(ImageError, match=r"several files\. Save it as one file"):
        read_volume(path)


def payload_start(path: Path) -> int:
    """Where the packed voxels begin: bits of a text header may say something else and be as right."""
    content = path.read_bytes()
    if path.suffix == ".nrrd":
        return content.index(b"\n\n") + 2
    return content.index(b"LOCAL\n") + 6 if path.suffix == ".mha" else 0


def test_a_packed_header_that_makes_no_sense_is_told_as_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.nii.gz"
    write_volume(path, Volume(np.zeros((4, 5, 6), np.int16), Grid((6, 5, 4), (1.0, 1.0, 1.0))))
    content = path.read_bytes()
    for position in range(GZIP_HEADER_BYTES, len(content)):
        for bit in range(8):
            changed = bytearray(content)
            changed[position] ^= 1 << bit
            path.write_bytes(changed)
            try:
                assert not read_volume(path).array.any()
            except ImageError as error:
                assert "is damaged" in error.what, (position, bit)
