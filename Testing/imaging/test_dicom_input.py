"""What scanners and archives really send: compressed, enhanced, scaled by the slice, broken in every way."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import gdcm
import numpy as np
import pydicom
import pytest
from dicom_making import change, complaints, write_enhanced, write_series
from medssl.errors import ImageError, MissingPackageError
from medssl.imaging.dicom import list_series, read_series
from medssl.imaging.dicom_geometry import NotAScanError
from medssl.imaging.dicom_seg_writing import Algorithm, make_segmentation, write_dicom
from medssl.imaging.labels import fit_to_grid, read_labels
from medssl.imaging.reading import read_volume
from medssl.labels import LabelSchema
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEGLSLossless, RLELossless

ARRAY = np.random.default_rng(0).integers(-100, 1000, (5, 12, 8)).astype(np.int16)


def compress(file: Path, syntax: str) -> Path:
    data = pydicom.dcmread(file)
    data.compress(syntax, generate_instance_uid=False)
    data.save_as(file)
    return file


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless])
def test_compressed_slices_are_unpacked(tmp_path: Path, syntax: str) -> None:
    for file in write_series(tmp_path, ARRAY):
        compress(file, syntax)
    assert np.array_equal(read_volume(tmp_path).array, ARRAY)


@pytest.mark.parametrize("enhanced", [False, True])
@pytest.mark.parametrize("syntax", ["JPEGLosslessProcess14_1", "JPEG2000Lossless"])
def test_what_archives_compress_with_is_unpacked(tmp_path: Path, syntax: str, enhanced: bool) -> None:
    files = [write_enhanced(tmp_path / "IM1", ARRAY)] if enhanced else write_series(tmp_path, ARRAY)
    for file in files:
        reader, change_syntax, writer = (
            gdcm.ImageReader(),
            gdcm.ImageChangeTransferSyntax(),
            gdcm.ImageWriter(),
        )
        reader.SetFileName(str(file))
        assert reader.Read()
        change_syntax.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, syntax)))
        change_syntax.SetInput(reader.GetImage())
        assert change_syntax.Change()
        writer.SetFile(reader.GetFile())
        writer.SetImage(change_syntax.GetOutput())
        writer.SetFileName(str(file))
        assert writer.Write()
    assert np.array_equal(read_volume(tmp_path).array, ARRAY)


@pytest.mark.parametrize("enhanced", [False, True])
@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless])
@pytest.mark.parametrize("missing", [9, 60])  # the sign of the end and a byte; half a picture
def test_compressed_slices_that_end_early_are_named(
    tmp_path: Path, syntax: str, enhanced: bool, missing: int
) -> None:
    files = [write_enhanced(tmp_path / "IM1", ARRAY)] if enhanced else write_series(tmp_path, ARRAY)
    for file in files:
        compress(file, syntax)
    content = files[-1].read_bytes()
    files[-1].write_bytes(content[:-missing])
    with pytest.raises(ImageError, match="is incomplete: it ends before its last pixel"):
        read_volume(tmp_path)


def test_an_enhanced_file_with_fewer_compressed_frames_than_it_says_is_damaged(tmp_path: Path) -> None:
    file = compress(write_enhanced(tmp_path / "IM1", ARRAY), RLELossless)
    content = file.read_bytes()
    last = content.rindex(b"\xfe\xff\x00\xe0")
    file.write_bytes(content[:last] + b"\xfe\xff\xdd\xe0" + bytes(4))
    with pytest.raises(ImageError, match="is damaged, or packed"):
        read_volume(tmp_path)


def test_frames_that_end_the_process_that_unpacks_them_are_damaged(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(-100, 1000, (3, 16, 15)).astype(np.int16)
    file = compress(write_enhanced(tmp_path / "IM1", array), JPEGLSLossless)
    assert np.array_equal(read_volume(tmp_path).array, array)
    content = bytearray(file.read_bytes())
    pixels = content.index(b"\xe0\x7f\x10\x00OB")
    for place, value in ((82, 217), (388, 3), (826, 39), (938, 180)):
        content[pixels + place] = value
    file.write_bytes(content)
    with pytest.raises(ImageError, match="is damaged, or packed"):
        read_volume(tmp_path)


def test_a_part_of_compressed_pixels_that_claims_more_than_there_is_makes_nobody_wait(tmp_path: Path) -> None:
    files = write_series(tmp_path, ARRAY)
    for file in files:
        compress(file, RLELossless)
    content = files[2].read_bytes()
    second = content.index(b"\xfe\xff\x00\xe0", content.index(b"\xfe\xff\x00\xe0") + 4)
    files[2].write_bytes(content[: second + 4] + (9999).to_bytes(4, "little") + content[second + 8 :])
    with pytest.raises(ImageError, match="is incomplete: it ends before its last pixel"):
        read_volume(tmp_path)


def test_compressed_pixels_whose_end_is_not_marked_are_read(tmp_path: Path) -> None:
    for file in write_series(tmp_path, ARRAY):
        compress(file, JPEGLSLossless)
        file.write_bytes(file.read_bytes().removesuffix(b"\xfe\xff\xdd\xe0" + bytes(4)))
    assert np.array_equal(read_volume(tmp_path).array, ARRAY)


def test_each_slice_may_have_its_own_slope(tmp_path: Path) -> None:
    files = write_series(tmp_path, ARRAY)
    slopes = [1, 0.25, 3, 1.5, 2]
    for file, slope in zip(files, slopes, strict=True):
        change(file, RescaleSlope=slope, RescaleIntercept=slope - 10)
    expected = ARRAY * np.array(slopes)[:, None, None] + np.array(slopes)[:, None, None] - 10
    assert np.allclose(read_volume(tmp_path).array, expected)


def test_numbers_that_overflow_are_replaced_and_told_of(tmp_path: Path) -> None:
    files = write_series(tmp_path, np.abs(ARRAY) + 1)
    change(files[1], RescaleSlope="1e308", RescaleIntercept="1e308")
    volume = read_volume(tmp_path)
    assert np.isfinite(volume.array).all()
    assert "96 voxels that are not finite numbers were read as the smallest value" in volume.notes[0]
    for file in files:
        change(file, RescaleSlope="1e308", RescaleIntercept="1e308")
    with pytest.raises(ImageError, match="holds 480 voxels of 480 that are not finite"):
        read_volume(tmp_path)


def test_a_constant_series_is_read_like_any_other(tmp_path: Path) -> None:
    write_series(tmp_path, np.full((5, 12, 8), 7, np.int16))
    assert (read_volume(tmp_path).array == 7).all()


@pytest.mark.parametrize("compressed", [False, True])
def test_the_frames_of_an_enhanced_file_are_a_volume(tmp_path: Path, compressed: bool) -> None:
    file = write_enhanced(tmp_path / "IM1", ARRAY, order=[3, 0, 4, 2, 1], slopes=[1, 2, 0.5, 1, 1])
    if compressed:
        compress(file, JPEGLSLossless)
    volume = read_volume(tmp_path)
    assert np.allclose(volume.array, ARRAY * np.array([1, 2, 0.5, 1, 1])[:, None, None])
    assert volume.grid.spacing_mm == (0.5, 0.75, 2.5)
    assert volume.grid.origin_mm == (-10, 20, 0)
    assert np.array_equal(read_volume(file).array, volume.array)


def test_whole_slopes_keep_an_enhanced_file_in_whole_numbers(tmp_path: Path) -> None:
    write_enhanced(tmp_path / "IM1", ARRAY, slopes=[2] * 5)
    volume = read_volume(tmp_path)
    assert (volume.array.dtype.kind, volume.array.max()) == ("i", 2 * ARRAY.max())


def test_the_segmentation_of_an_enhanced_file_lies_on_its_frames(tmp_path: Path) -> None:
    write_enhanced(tmp_path / "scan" / "IM1", ARRAY, order=[3, 0, 4, 2, 1])
    (series,) = list_series(tmp_path / "scan")
    assert series.grid is not None
    values = np.zeros(ARRAY.shape, np.uint8)
    values[3, 2:6, 1:4] = 1
    schema = LabelSchema.of_names({1: "Lesion"})
    made = make_segmentation(values, series, schema, Algorithm("Model", "1"))
    write_dicom(tmp_path / "a.seg.dcm", made)
    (group,) = made.PerFrameFunctionalGroupsSequence
    assert group.PlanePositionSequence[0].ImagePositionPatient == [-10, 20, 7.5]
    source = group.DerivationImageSequence[0].SourceImageSequence[0]
    assert source.ReferencedFrameNumber == 1
    assert complaints(tmp_path / "a.seg.dcm") == []
    labels = read_labels(tmp_path / "a.seg.dcm")
    assert np.array_equal(fit_to_grid(labels.volume, series.grid, "a").array, values)


def test_what_cannot_be_unpacked_here_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compress(write_enhanced(tmp_path / "IM1", ARRAY), RLELossless)

    class Nothing:
        is_available = False

    monkeypatch.setattr("medssl.imaging.dicom_voxels.get_decoder", lambda syntax: Nothing())
    with pytest.raises(MissingPackageError, match=r"compressed \(RLE Lossless\).*pip install .*gdcm"):
        read_volume(tmp_path)


def test_an_enhanced_file_that_ends_early_is_named(tmp_path: Path) -> None:
    file = write_enhanced(tmp_path / "IM1", ARRAY)
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(ImageError, match="IM1 is incomplete: it ends before its last pixel"):
        read_volume(tmp_path)


def test_an_enhanced_file_without_places_is_no_scan(tmp_path: Path) -> None:
    write_enhanced(tmp_path / "IM1", ARRAY, PerFrameFunctionalGroupsSequence=None)
    with pytest.raises(NotAScanError, match="does not say where its slices lie"):
        read_volume(tmp_path)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"PatientID": "SOMEBODY-ELSE"}, "holds images of 2 patients under one series number"),
        ({"PatientName": "Doe^John"}, "holds images of 2 patients under one series number"),
        ({"StudyInstanceUID": "1.2.3.4"}, "holds images of 2 studies under one series number"),
        ({"ImagePositionPatient": None}, "does not say where its slices lie"),
        ({"ImageOrientationPatient": None}, "does not say where its slices lie"),
        ({"ImagePositionPatient": ["nan", "0", "0"]}, "does not say where its slices lie"),
        ({"Rows": 500}, "slices of different sizes: 8 x 12, 8 x 500"),
    ],
)
def test_one_slice_that_does_not_belong_stops_the_series(
    tmp_path: Path, changed: dict[str, Any], words: str
) -> None:
    files = write_series(tmp_path, ARRAY)
    before = pydicom.config.settings.writing_validation_mode
    pydicom.config.settings.writing_validation_mode = pydicom.config.IGNORE
    try:
        change(files[2], **changed)
    finally:
        pydicom.config.settings.writing_validation_mode = before
    with pytest.raises(ImageError, match=words):
        read_volume(tmp_path)


def test_a_name_that_is_only_written_otherwise_is_no_other_patient(tmp_path: Path) -> None:
    files = write_series(tmp_path, ARRAY)
    change(files[2], PatientName="DOE^JANE^^^")
    assert np.array_equal(read_volume(tmp_path).array, ARRAY)


def test_images_of_another_patient_are_no_copies_however_their_numbers_were_made(tmp_path: Path) -> None:
    files = write_series(tmp_path / "one", ARRAY)
    for file in files:  # a program that makes the same image UIDs for everybody
        other = tmp_path / "two" / file.name
        other.parent.mkdir(exist_ok=True)
        other.write_bytes(file.read_bytes())
        change(other, PatientID="SOMEBODY-ELSE", PixelData=(ARRAY[0] + 7).tobytes())
    with pytest.raises(ImageError, match="holds images of 2 patients under one series number"):
        read_volume(tmp_path)


def test_one_image_number_at_several_places_is_not_one_image(tmp_path: Path) -> None:
    write_series(tmp_path, ARRAY, SOPInstanceUID="1.2.3.4.5")
    assert np.array_equal(read_volume(tmp_path).array, ARRAY)


def test_a_deflated_series_is_read(tmp_path: Path) -> None:
    for file in write_series(tmp_path, ARRAY):
        data = pydicom.dcmread(file)
        data.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
        data.save_as(file)
    assert np.array_equal(read_volume(tmp_path).array, ARRAY)


@pytest.mark.parametrize("enhanced", [False, True])
@pytest.mark.parametrize("said", [10, ARRAY[0].nbytes + 40, 2**31])
def test_pixels_of_a_wrong_length_are_refused_or_read_but_never_made_up(
    tmp_path: Path, said: int, enhanced: bool
) -> None:
    file = write_enhanced(tmp_path / "IM1", ARRAY) if enhanced else write_series(tmp_path, ARRAY)[2]
    content = file.read_bytes()
    at = content.index(b"\xe0\x7f\x10\x00OW") + 8
    file.write_bytes(content[:at] + said.to_bytes(4, "little") + content[at + 4 :])
    try:
        assert np.array_equal(read_volume(tmp_path).array, ARRAY)
    except ImageError as error:
        assert "damaged, or packed" in str(error) or "incomplete" in str(error)


def test_a_colour_picture_with_the_name_burnt_in_is_no_scan(tmp_path: Path) -> None:
    for file in write_series(tmp_path, ARRAY):
        change(
            file, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0, BitsAllocated=8,
            BitsStored=8, HighBit=7, PixelRepresentation=0, BurnedInAnnotation="YES",
            PixelData=bytes(12 * 8 * 3),
        )  # fmt: skip
    with pytest.raises(NotAScanError, match="colour pictures"):
        read_volume(tmp_path)


def test_an_element_longer_than_its_file_takes_only_that_file_out(tmp_path: Path) -> None:
    files = write_series(tmp_path, ARRAY)
    content = files[0].read_bytes()
    at = content.index(b"\x28\x00\x10\x00US")  # Rows, whose length is then 65535
    files[0].write_bytes(content[: at + 6] + b"\xff\xff" + content[at + 8 :])
    (series,) = list_series(tmp_path)
    assert len(series.files) == 4
    assert np.array_equal(read_series(series).array, ARRAY[1:])


@pytest.mark.parametrize("enhanced", [False, True])
def test_no_damage_to_a_file_stops_those_beside_it(tmp_path: Path, enhanced: bool) -> None:
    write_series(tmp_path / "sound", ARRAY)
    (tmp_path / "damaged").mkdir()
    file = write_enhanced(tmp_path / "IM1", ARRAY) if enhanced else write_series(tmp_path / "other", ARRAY)[0]
    content = file.read_bytes()
    header = content.index(b"\xe0\x7f\x10\x00OW")
    random = np.random.default_rng(0)
    for number, cut in enumerate(range(136, header + 12, 5)):  # also amid lengths and amid numbers
        (tmp_path / "damaged" / f"cut{number}").write_bytes(content[:cut])
    for number in range(200):
        changed = bytearray(content)
        for at in random.integers(132, header, 4):
            changed[at] = random.integers(256)
        (tmp_path / "damaged" / f"changed{number}").write_bytes(changed)
    for series in list_series(tmp_path / "damaged"):
        with suppress(ImageError):  # anything else would end a folder's run
            read_series(series)
    sound = [s for s in list_series(tmp_path) if s.folder == tmp_path / "sound"]
    assert np.array_equal(read_series(sound[0]).array, ARRAY)


@pytest.mark.parametrize("syntax", ["1.2.840.113619.5.2", "1.2.3"])
def test_slices_packed_in_a_way_of_their_own_are_refused(tmp_path: Path, syntax: str) -> None:
    for file in write_series(tmp_path, ARRAY):
        data = pydicom.dcmread(file)
        data.file_meta.TransferSyntaxUID = syntax
        data.save_as(file, implicit_vr=False, little_endian=True)
    with pytest.raises(ImageError, match="damaged, or packed in a way that cannot be read"):
        read_volume(tmp_path)


def test_private_elements_odd_dates_and_any_alphabet_disturb_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pydicom.config.settings.writing_validation_mode, before = (
        pydicom.config.IGNORE,
        pydicom.config.settings.writing_validation_mode,
    )
    try:
        files = write_series(
            tmp_path, ARRAY, SpecificCharacterSet="ISO_IR 13", PatientName="ﾔﾏﾀﾞ^ﾀﾛｳ", StudyDate="99999999",
            PatientBirthDate="yesterday", PatientAge="1000 years", SeriesNumber=None,
        )  # fmt: skip
    finally:
        pydicom.config.settings.writing_validation_mode = before
    for file in files:
        data = pydicom.dcmread(file)
        block = data.private_block(0x0019, "SOMEBODY 1.0", create=True)
        block.add_new(0x10, "OB", bytes(range(256)))
        block.add_new(0x11, "UN", b"\xff\xfe not text")
        data.save_as(file)
        # A character set that nobody knows, behind everybody's back.
        file.write_bytes(file.read_bytes().replace(b"ISO_IR 13 ", b"ISO_IR 999"))
    assert np.array_equal(read_volume(tmp_path).array, ARRAY)
    assert capfd.readouterr() == ("", "")


def test_a_neutral_series_says_nothing_of_its_files(tmp_path: Path) -> None:
    from medssl.imaging.dicom import series_of

    files = write_series(tmp_path / "DOE JANE 1940", ARRAY, description="JANE DOE knee")
    files[1].write_bytes(files[1].read_bytes()[:-4])
    (series,) = series_of(files, "neutral")
    assert "incomplete" in str(series.refusal)
    assert not any(word in f"{series.refusal} {series.title}".upper() for word in ("DOE", "JANE", "KNEE"))
    assert series.neutral_name.startswith("study-")
    assert "/series-012-" in series.neutral_name
    (again,) = series_of(files[2:], "neutral")
    assert again.neutral_name == series.neutral_name
