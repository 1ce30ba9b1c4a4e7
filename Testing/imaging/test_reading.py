"""Reading files that are no scans ends in one sentence with the file, and one with what to do."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from medssl.errors import ImageError
from medssl.imaging.reading import read_grid, read_volume
from medssl.imaging.volume import Grid, Volume
from medssl.imaging.writing import write_volume

FORMATS = [".nii.gz", ".nii", ".nrrd", ".mha"]
GRID = Grid((12, 11, 10), (1.0, 1.0, 1.0))


def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 1000, GRID.shape).astype(np.int16)


def refused(path: Path, capfd: pytest.CaptureFixture[str]) -> ImageError:
    """Read a file that must be refused, and check what every refusal has."""
    with pytest.raises(ImageError) as caught:
        read_volume(path)
    assert str(path) in caught.value.what
    assert caught.value.remedy.endswith(".")
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")  # nothing of ITK's on the terminal
    return caught.value


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_truncated_file_is_refused(suffix: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / f"scan{suffix}"
    write_volume(path, Volume(noise(), GRID))
    content = path.read_bytes()
    # The last one ends inside the header.
    for length in (len(content) - 20, len(content) * 2 // 3, 700, 100):
        path.write_bytes(content[:length])
        assert "incomplete" in refused(path, capfd).what


def test_a_truncated_file_without_compression_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for suffix in (".nrrd", ".mha"):
        path = tmp_path / f"scan{suffix}"
        sitk.WriteImage(sitk.GetImageFromArray(noise()), str(path), useCompression=False)
        path.write_bytes(path.read_bytes()[:-1])
        assert "incomplete" in refused(path, capfd).what


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (b"NDims = 3", b"NDims =-3"),  # which ITK's reader does not survive
        (b"NDims = 3", b"NDims = 9"),
        (b"CompressedDataSize = ", b"CompressedDataSize = x"),
        (b"ElementType", b"ElementNumberOfChannels = two\nElementType"),
    ],
)
def test_fields_that_contradict_each_other_are_refused(
    field: bytes, value: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "scan.mha"
    write_volume(path, Volume(noise(), GRID))
    content = path.read_bytes()
    assert field in content
    path.write_bytes(content.replace(field, value))
    assert "its header is wrong" in refused(path, capfd).what


@pytest.mark.parametrize("suffix", [*FORMATS, ".mhd", ".nhdr", ".seg.nrrd"])
def test_empty_files_and_other_files_are_refused(
    suffix: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"scan{suffix}"
    path.write_bytes(b"")
    assert "is empty (0 bytes)" in refused(path, capfd).what
    path.write_text("Dear colleague, please find the report attached.\n" * 50)
    assert "is not an image" in refused(path, capfd).what
    path.write_bytes(np.random.default_rng(0).bytes(5000))
    assert "is not an image" in refused(path, capfd).what


@pytest.mark.parametrize("start", [-5.0, 0.0, 344.0, np.nan])
def test_voxels_that_begin_inside_the_header_are_refused(
    start: float, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "scan.nii"
    _rewrite(path, lambda content: content[:108] + struct.pack("<f", start) + content[112:])
    assert f"at byte {int(np.nan_to_num(start))}, inside the header" in refused(path, capfd).what


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_nifti_2_file_is_told_as_what_it_is(
    suffix: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"scan{suffix}"
    header = struct.pack("<i4s4s2h", 540, b"n+2\0", b"\r\n\x1a\n", 4, 16)
    header += struct.pack("<8q3d8d3q", 3, 12, 11, 10, 1, 1, 1, 1, *[0.0] * 3, *[1.0] * 8, 544, 0, 0)
    content = header.ljust(544, b"\0") + noise().tobytes()
    path.write_bytes(content if suffix == ".nii" else gzip.compress(content))
    assert "is a NIfTI-2 file" in refused(path, capfd).what
    with pytest.raises(ImageError, match="Save it as NIfTI-1"):
        read_volume(path)


def test_formats_that_are_not_in_the_list_are_refused_also_where_itk_knows_them(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    image = sitk.GetImageFromArray(noise())
    for name in ("scan.tif", "scan.vtk", "scan.nrrd"):
        sitk.WriteImage(image, str(tmp_path / name))
    (tmp_path / "scan.nrrd").rename(tmp_path / "scan")
    for name in ("scan.tif", "scan.vtk", "scan"):
        error = refused(tmp_path / name, capfd)
        assert "is not an image" in error.what
        assert ".nii.gz" in error.remedy


@pytest.mark.parametrize("name", ["scan.hdr", "scan.img"])
def test_a_half_of_a_pair_is_refused_with_what_to_do(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(noise()), str(tmp_path / "scan.img"))
    error = refused(tmp_path / name, capfd)
    assert "one half of a pair" in error.what
    assert error.remedy == "Save it as .nii.gz."


def test_a_file_that_is_missing_is_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert "no file" in refused(tmp_path / "gone.nii.gz", capfd).what


def test_a_file_that_may_not_be_read_is_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "scan.nii.gz"
    write_volume(path, Volume(noise(), GRID))

    def deny(self: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    # The tests may run as root, whom no mode of a file keeps out.
    monkeypatch.setattr(Path, "open", deny)
    assert "may not be read" in refused(path, capfd).what


def test_a_picture_and_a_series_of_volumes_are_refused_with_their_shape(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for suffix in (".nii.gz", ".nrrd", ".mha"):
        flat, moving = tmp_path / f"flat{suffix}", tmp_path / f"moving{suffix}"
        sitk.WriteImage(sitk.GetImageFromArray(np.zeros((10, 11), np.int16)), str(flat))
        assert "two dimensions (11 x 10)" in refused(flat, capfd).what
        sitk.WriteImage(
            sitk.GetImageFromArray(np.zeros((3, 4, 10, 11), np.int16), isVector=False), str(moving)
        )
        assert "4 dimensions (11 x 10 x 4 x 3)" in refused(moving, capfd).what
        with pytest.raises(ImageError, match="4 dimensions"):
            read_grid(moving)


def test_a_fourth_dimension_of_one_volume_is_no_matter(tmp_path: Path) -> None:
    array = noise()
    for suffix in (".nii.gz", ".nrrd", ".mha"):
        path = tmp_path / f"scan{suffix}"
        sitk.WriteImage(sitk.GetImageFromArray(array[None], isVector=False), str(path))
        assert np.array_equal(read_volume(path).array, array)
        assert read_grid(path) == GRID


def test_colours_and_vectors_are_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for suffix in (".nii.gz", ".nrrd", ".mha"):
        path = tmp_path / f"colour{suffix}"
        sitk.WriteImage(sitk.GetImageFromArray(np.zeros((4, 5, 6, 3), np.uint8), isVector=True), str(path))
        assert "3 numbers for each voxel" in refused(path, capfd).what


def test_a_volume_without_voxels_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for path, old, new in (
        (tmp_path / "scan.nrrd", b"sizes: 12 ", b"sizes: 0 "),
        (tmp_path / "scan.mha", b"DimSize = 12 ", b"DimSize = 0 "),
    ):
        _rewrite(path, lambda content, old=old, new=new: content.replace(old, new))
        assert "holds no voxels" in refused(path, capfd).what
    path = tmp_path / "scan.nii"
    _rewrite(path, lambda content: content[:42] + struct.pack("<h", 0) + content[44:])
    assert "holds no voxels" in refused(path, capfd).what


def test_a_singular_direction_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for path, old, new in (
        (tmp_path / "scan.nrrd", b"(0,1,0)", b"(1,0,0)"),
        (tmp_path / "scan.mha", b"TransformMatrix = 1 0 0 0 1 0", b"TransformMatrix = 1 0 0 1 0 0"),
    ):
        _rewrite(path, lambda content, old=old, new=new: content.replace(old, new))
        assert "singular direction" in refused(path, capfd).what
        with pytest.raises(ImageError, match="singular direction"):
            read_grid(path)
    path = tmp_path / "scan.nii"
    no_affine = struct.pack("<2h", 0, 1) + bytes(24) + bytes(48)
    _rewrite(path, lambda content: content[:252] + no_affine + content[328:])
    assert "singular direction" in refused(path, capfd).what


def test_skewed_axes_and_a_spacing_of_zero_are_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    skewed, zero = tmp_path / "skewed.nrrd", tmp_path / "zero.mha"
    _rewrite(skewed, lambda content: content.replace(b"(0,1,0)", b"(0.3,1,0)"))
    assert "not at right angles (73.3 degrees)" in refused(skewed, capfd).what
    _rewrite(zero, lambda content: content.replace(b"ElementSpacing = 1 1 1", b"ElementSpacing = 1 0 1"))
    assert "spacing of 1 x 0 x 1 mm" in refused(zero, capfd).what
    _rewrite(zero, lambda content: content.replace(b"ElementSpacing = 1 1 1", b"ElementSpacing = 1 1e30 1"))
    assert "spacing of 1 x 1e+30 x 1 mm, which no scan can have" in refused(zero, capfd).what


def with_sform(path: Path, qform_code: int, *numbers: float) -> None:
    """Write a NIfTI file with these twelve numbers for its sform, and a qform that is straight."""

    def change(content: bytes) -> bytes:
        codes = struct.pack("<2h", qform_code, 1)
        return content[:252] + codes + content[256:280] + struct.pack("<12f", *numbers) + content[328:]

    _rewrite(path, change)


def test_a_nifti_affine_that_is_no_number_is_told_as_that(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "scan.nii"
    for numbers in ((np.nan, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0), (1, 0, 0, np.inf, 0, 1, 0, 0, 0, 0, 1, 0)):
        with_sform(path, 1, *numbers)
        assert "a position or a direction that is not a number" in refused(path, capfd).what


def test_a_sheared_nifti_affine_is_told_as_that(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "scan.nii"
    for shear, angle in ((0.3, "73.3"), (0.001, "89.94")):
        with_sform(path, 0, 1, shear, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0)
        assert f"not at right angles ({angle} degrees)" in refused(path, capfd).what


def test_a_sheared_nifti_affine_beside_another_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "scan.nii"
    with_sform(path, 1, 1, 0.3, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0)
    volume = read_volume(path)
    assert np.allclose(volume.grid.matrix[:3, :3], np.eye(3))
    assert "its sform has axes that are not at right angles; its qform places it" in volume.notes[0]
    # Micrometres, which ITK turns into millimetres.
    _rewrite(path, lambda content: content[:123] + b"\3" + content[124:])
    assert read_volume(path).grid.spacing_mm == (0.001, 0.001, 0.001)
    assert read_volume(path).notes == ()


def test_a_negative_spacing_turns_the_axis_round(tmp_path: Path) -> None:
    path = tmp_path / "scan.mha"
    _rewrite(path, lambda content: content.replace(b"ElementSpacing = 1 1 1", b"ElementSpacing = 1 -2 1"))
    grid = read_grid(path)
    assert grid.spacing_mm == (1.0, 2.0, 1.0)
    assert np.allclose(grid.matrix[:3, :3], np.diag([1, -2, 1]))


@pytest.mark.parametrize("suffix", FORMATS)
def test_some_voxels_that_are_not_finite_are_replaced_and_noted(suffix: str, tmp_path: Path) -> None:
    array = noise().astype(np.float32)
    array[0, 0, :3] = np.nan, np.inf, -np.inf
    path = tmp_path / f"scan{suffix}"
    write_volume(path, Volume(array, GRID))
    volume = read_volume(path)
    lowest = array[np.isfinite(array)].min()
    assert volume.array[0, 0, :3].tolist() == [lowest] * 3
    assert np.array_equal(volume.array[1:], array[1:])
    assert len(volume.notes) == 1
    assert str(path) in volume.notes[0]
    assert "3 voxels" in volume.notes[0]


@pytest.mark.parametrize("suffix", FORMATS)
def test_voxels_too_large_for_32_bits_are_infinite(suffix: str, tmp_path: Path) -> None:
    array = noise().astype(np.float64)
    largest = float(np.finfo(np.float32).max)
    array[0, 0, :4] = 1e300, -1e300, np.nan, largest
    path = tmp_path / f"scan{suffix}"
    write_volume(path, Volume(array, GRID))
    volume = read_volume(path)
    assert volume.array.dtype == np.float64
    assert volume.array[0, 0, :4].tolist() == [0, 0, 0, largest]
    assert "3 voxels" in volume.notes[0]


def test_a_volume_of_mostly_nan_is_refused_with_the_numbers(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, count in (("half", GRID.shape[0] // 2), ("all", GRID.shape[0])):
        array = noise().astype(np.float64)
        array[:count] = np.nan
        path = tmp_path / f"{name}.nii.gz"
        write_volume(path, Volume(array, GRID))
        assert f"holds {count * 132} voxels of 1320 that are not finite" in refused(path, capfd).what


def test_a_constant_volume_is_read_without_a_word(tmp_path: Path) -> None:
    path = tmp_path / "scan.nii.gz"
    write_volume(path, Volume(np.full(GRID.shape, 7, np.int16), GRID))
    volume = read_volume(path)
    assert (volume.array == 7).all()
    assert volume.notes == ()


def test_a_header_whose_voxels_are_in_a_file_that_is_gone_names_that_file(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for suffix in (".mhd", ".nhdr"):
        path = tmp_path / f"scan{suffix}"
        sitk.WriteImage(sitk.GetImageFromArray(noise()), str(path), useCompression=False)
        assert np.array_equal(read_volume(path).array, noise())
        data = next(p for p in tmp_path.iterdir() if p.stem == "scan" and p.suffix in (".raw", ".zraw"))
        data.write_bytes(data.read_bytes()[:-10])
        assert "incomplete" in refused(path, capfd).what
        data.unlink()
        assert str(data) in refused(path, capfd).what


@pytest.mark.parametrize(
    "name", ["two words", "v1.2.final", "Herz Größe ä — 心臓", "x" * 200, " leading", "per%cent #1 'quoted'"]
)
@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_any_name_works(name: str, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"dir {name[:50]}" / f"{name}{suffix}"
    write_volume(path, Volume(noise(), GRID))
    assert np.array_equal(read_volume(path).array, noise())
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_capital_letters_in_the_suffix_work(tmp_path: Path) -> None:
    write_volume(tmp_path / "a.nii.gz", Volume(noise(), GRID))
    (tmp_path / "a.nii.gz").rename(tmp_path / "A.NII.GZ")
    assert np.array_equal(read_volume(tmp_path / "A.NII.GZ").array, noise())


def test_a_padded_nifti_file_is_whole(tmp_path: Path) -> None:
    write_volume(tmp_path / "a.nii", Volume(noise(), GRID))
    content = (tmp_path / "a.nii").read_bytes()
    # Padding, and two gzip members: the length at the file's end is not the whole length.
    (tmp_path / "b.nii.gz").write_bytes(gzip.compress(content[:2000]) + gzip.compress(content[2000:]))
    (tmp_path / "c.nii.gz").write_bytes(gzip.compress(content + bytes(512)))
    for name in ("b.nii.gz", "c.nii.gz"):
        assert np.array_equal(read_volume(tmp_path / name).array, noise())


def test_voxels_are_not_copied_and_outlive_their_image(tmp_path: Path) -> None:
    path = tmp_path / "scan.nrrd"
    write_volume(path, Volume(noise(), GRID))
    volumes = [read_volume(path) for _ in range(20)]
    assert all(np.array_equal(v.array, noise()) for v in volumes)
    assert not any(v.array.flags.owndata for v in volumes)
    assert volumes[0].array.flags.writeable


def _rewrite(path: Path, change: Callable[[bytes], bytes]) -> None:
    """Write an uncompressed volume and change its bytes."""
    sitk.WriteImage(sitk.GetImageFromArray(noise()), str(path), useCompression=False)
    content = path.read_bytes()
    changed = change(content)
    assert changed != content
    path.write_bytes(changed)
