"""Segmentations become DICOM objects of their series, which validators, highdicom and MedSSL itself read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
from dicom_making import PATIENT_ID, PATIENT_NAME, change, complaints, write_series
from medssl.errors import ImageError
from medssl.imaging.dicom import Series, list_series, read_series, series_grid
from medssl.imaging.dicom_measurements import make_measurements
from medssl.imaging.dicom_seg_writing import Algorithm, make_segmentation, write_dicom
from medssl.imaging.labels import fit_to_grid, match_schema, read_labels
from medssl.labels import Code, LabelSchema, Segment, Terminology
from numpy.typing import NDArray

ARRAY = np.random.default_rng(0).integers(0, 900, (7, 16, 12)).astype(np.int16)
MODEL = Algorithm("Hippocampus from 4 cases", "m0003-1f2e")
SCHEMA = LabelSchema(
    segments=(
        Segment(
            name="Vorderer Teil (größer)",
            value=9,
            colour=(230, 159, 0),
            terminology=Terminology(
                category=Code(value="123037004", scheme="SCT", meaning="Anatomical Structure"),
                type=Code(value="5366008", scheme="SCT", meaning="Hippocampus"),
                type_modifier=Code(value="7771000", scheme="SCT", meaning="Left"),
                region=Code(value="12738006", scheme="SCT", meaning="Brain"),
                region_modifier=Code(value="7771000", scheme="SCT", meaning="Left"),
            ),
        ),
        Segment(name="Posterior", value=2, colour=(0, 114, 178)),
    )
)


def series_in(folder: Path) -> Series:
    (series,) = list_series(folder)
    return series


def drawn(series: Series) -> NDArray[np.uint8]:
    """Two segments that fill neither the first nor the last slice."""
    values = np.zeros(series_grid(series).shape, np.uint8)
    values[2:4, 3:9, 2:7] = 9
    values[3:6, 9:12, 4:11] = 2
    return values


def written(path: Path, series: Series, values: NDArray[np.uint8], **more: Any) -> pydicom.Dataset:
    write_dicom(path, make_segmentation(values, series, SCHEMA, MODEL, **more))
    return pydicom.dcmread(path)


def test_the_file_says_what_the_segments_are_and_where_they_come_from(tmp_path: Path) -> None:
    files = write_series(tmp_path / "scan", ARRAY)
    series = series_in(tmp_path / "scan")
    found = written(tmp_path / "a.seg.dcm", series, drawn(series))
    first, second = found.SegmentSequence
    assert (first.SegmentNumber, first.SegmentLabel, second.SegmentLabel) == (
        1,
        "Vorderer Teil (größer)",
        "Posterior",
    )
    assert first.SegmentedPropertyCategoryCodeSequence[0].CodeValue == "123037004"
    kind = first.SegmentedPropertyTypeCodeSequence[0]
    assert (kind.CodeMeaning, kind.SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning) == (
        "Hippocampus",
        "Left",
    )
    assert first.AnatomicRegionSequence[0].CodeMeaning == "Brain"
    assert second.SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "Tissue"
    assert (first.SegmentAlgorithmType, first.SegmentAlgorithmName) == ("AUTOMATIC", MODEL.name)
    assert first.SegmentationAlgorithmIdentificationSequence[0].AlgorithmVersion == MODEL.version
    assert highdicom.color.CIELabColor.from_dicom_value(first.RecommendedDisplayCIELabValue).to_rgb() == (
        230,
        159,
        0,
    )
    source = pydicom.dcmread(files[0])
    for name in (
        "StudyInstanceUID", "FrameOfReferenceUID", "PatientBirthDate", "PatientSex", "StudyDate",
        "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName",
    ):  # fmt: skip
        assert found[name].value == source[name].value, name
    assert (found.PatientName, found.PatientID) == (PATIENT_NAME, PATIENT_ID)
    assert (found.Modality, found.SeriesNumber) == ("SEG", 1012)
    assert found.SeriesInstanceUID != source.SeriesInstanceUID
    referenced = found.ReferencedSeriesSequence[0]
    assert referenced.SeriesInstanceUID == source.SeriesInstanceUID
    assert {item.ReferencedSOPInstanceUID for item in referenced.ReferencedInstanceSequence} == {
        pydicom.dcmread(file).SOPInstanceUID for file in files
    }


def test_every_frame_lies_on_the_slice_that_it_refers_to(tmp_path: Path) -> None:
    files = {pydicom.dcmread(f).SOPInstanceUID: pydicom.dcmread(f) for f in write_series(tmp_path, ARRAY)}
    series = series_in(tmp_path)
    found = written(tmp_path.parent / f"{tmp_path.name}.dcm", series, drawn(series))
    assert found.NumberOfFrames == 2 + 3
    for group in found.PerFrameFunctionalGroupsSequence:
        (uid,) = {
            image.ReferencedSOPInstanceUID
            for derivation in group.DerivationImageSequence
            for image in derivation.SourceImageSequence
        }
        assert group.PlanePositionSequence[0].ImagePositionPatient == files[uid].ImagePositionPatient


@pytest.mark.parametrize("fractional", [False, True])
def test_the_validator_has_nothing_against_it(tmp_path: Path, fractional: bool) -> None:
    write_series(tmp_path / "scan", ARRAY)
    series = series_in(tmp_path / "scan")
    more = {"probabilities": np.full((2, *ARRAY.shape), 0.25, np.float32)} if fractional else {}
    found = written(tmp_path / "a.seg.dcm", series, drawn(series), **more)
    assert complaints(tmp_path / "a.seg.dcm") == []
    del found.SegmentSequence[0].SegmentAlgorithmType
    found.save_as(tmp_path / "wrong.dcm")
    assert any("SegmentAlgorithmType" in line for line in complaints(tmp_path / "wrong.dcm"))


def test_the_validator_has_nothing_against_the_report_of_the_volumes(tmp_path: Path) -> None:
    write_series(tmp_path / "scan", ARRAY)
    series = series_in(tmp_path / "scan")
    made = make_segmentation(drawn(series), series, SCHEMA, MODEL)
    volumes_ml = {"Vorderer Teil (größer)": 12.3456789, "Posterior": 0.0}
    write_dicom(tmp_path / "a.sr.dcm", make_measurements(made, series, SCHEMA, volumes_ml, MODEL))
    assert complaints(tmp_path / "a.sr.dcm") == []


def test_it_reads_back_voxel_by_voxel_with_names_codes_and_colours(tmp_path: Path) -> None:
    write_series(tmp_path / "scan", ARRAY)
    series = series_in(tmp_path / "scan")
    values = drawn(series)
    written(tmp_path / "a.seg.dcm", series, values)
    labels = read_labels(tmp_path / "a.seg.dcm")
    assert labels.volume.grid.size == (12, 16, 4)  # the planes that hold something
    assert labels.segments is not None
    for read, own in zip(labels.segments, SCHEMA.segments, strict=True):
        assert (read.name, read.colour) == (own.name, own.colour)
    assert labels.segments[0].terminology == SCHEMA.segments[0].terminology
    known = match_schema(labels, SCHEMA, "a")
    assert np.array_equal(fit_to_grid(known, series_grid(series), "a").array, values)


def test_it_reads_back_on_the_very_voxels_of_micro_ct(tmp_path: Path) -> None:
    write_series(tmp_path / "scan", ARRAY, [0.0092 * i for i in range(7)], PixelSpacing=[0.0092, 0.0092])
    series = series_in(tmp_path / "scan")
    values = drawn(series)
    written(tmp_path / "a.seg.dcm", series, values)
    known = match_schema(read_labels(tmp_path / "a.seg.dcm"), SCHEMA, "a")
    found = fit_to_grid(known, series_grid(series), "a")
    assert np.array_equal(found.array, values)
    assert found.notes == ()


def test_highdicom_reads_the_same(tmp_path: Path) -> None:
    write_series(tmp_path / "scan", ARRAY)
    series = series_in(tmp_path / "scan")
    values = drawn(series)
    written(tmp_path / "a.seg.dcm", series, values)
    volume = highdicom.seg.segread(tmp_path / "a.seg.dcm").get_volume(combine_segments=True)
    labels = read_labels(tmp_path / "a.seg.dcm").volume
    assert np.array_equal(np.sort(volume.array.ravel()), np.sort(labels.array.ravel()))
    place = np.argwhere(volume.array == 1).mean(axis=0)
    z, y, x = np.argwhere(labels.array == 1).mean(axis=0)
    assert np.allclose(volume.affine @ [*place, 1], labels.grid.matrix @ [x, y, z, 1], atol=1e-4)


def test_probabilities_are_kept_in_a_fractional_one(tmp_path: Path) -> None:
    write_series(tmp_path / "scan", ARRAY)
    series = series_in(tmp_path / "scan")
    chances = np.zeros((2, *ARRAY.shape), np.float32)
    chances[0, 2:5, 4:9, 4:9], chances[1, 2:5, 6:12, 4:9] = 0.6, 0.4
    chances[1, 3, 6:9, 4:9] = 0.8
    found = written(tmp_path / "a.seg.dcm", series, drawn(series), probabilities=chances)
    assert (found.SegmentationType, found.SegmentationFractionalType) == ("FRACTIONAL", "PROBABILITY")
    frames = pydicom.pixels.pixel_array(tmp_path / "a.seg.dcm") / found.MaximumFractionalValue
    assert set(np.round(np.unique(frames), 2)) == {0, 0.4, 0.6, 0.8}
    values = fit_to_grid(read_labels(tmp_path / "a.seg.dcm").volume, series_grid(series), "a").array
    expected = np.where(chances[0] > 0.5, 1, 0)
    expected[chances[1] > 0.7] = 2
    assert np.array_equal(values, expected)


@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP"])
def test_segmentations_of_other_programs_are_read(tmp_path: Path, kind: str) -> None:
    files = write_series(tmp_path / "scan", ARRAY)
    stacked = np.zeros((*ARRAY.shape, 2), np.uint8)
    stacked[2:5, 3:9, 2:7, 0], stacked[4:6, 5:12, 4:11, 1] = 1, 1
    if kind == "LABELMAP":  # which has no place for voxels of two segments
        stacked[..., 0] *= 1 - stacked[..., 1]
    by_hand = [
        highdicom.seg.SegmentDescription(
            segment_number=number,
            segment_label=name,
            segmented_property_category=highdicom.sr.CodedConcept("123037004", "SCT", "Anatomical Structure"),
            segmented_property_type=highdicom.sr.CodedConcept("10200004", "SCT", "Liver"),
            algorithm_type="MANUAL",
        )
        for number, name in enumerate(("Liver", "Lesion"), 1)
    ]
    made = highdicom.seg.Segmentation(
        [pydicom.dcmread(file) for file in files],
        stacked if kind == "BINARY" else stacked.max(axis=-1) + stacked[..., 1],
        kind,
        by_hand,
        series_instance_uid="1.2.3",
        series_number=1,
        sop_instance_uid="1.2.3.4",
        instance_number=1,
        manufacturer="Somebody",
        manufacturer_model_name="Else",
        software_versions="1",
        device_serial_number="1",
    )
    made.save_as(tmp_path / "other.dcm")
    labels = read_labels(tmp_path / "other.dcm")
    assert [segment.name for segment in labels.segments or ()] == ["Liver", "Lesion"]
    expected = np.where(stacked[..., 1], 2, stacked[..., 0])
    values = fit_to_grid(labels.volume, series_grid(series_in(tmp_path / "scan")), "other").array
    assert np.array_equal(values, expected)
    assert bool(labels.volume.notes) == (kind == "BINARY")  # where voxels belong to both segments


def test_a_segmentation_without_any_voxel_is_written_and_read(tmp_path: Path) -> None:
    write_series(tmp_path / "scan", ARRAY)
    series = series_in(tmp_path / "scan")
    written(tmp_path / "a.seg.dcm", series, np.zeros(ARRAY.shape, np.uint8))
    assert complaints(tmp_path / "a.seg.dcm") == []
    labels = read_labels(tmp_path / "a.seg.dcm")
    assert not fit_to_grid(labels.volume, series_grid(series), "a").array.any()


def test_a_tilted_gantry_is_straightened_and_its_segmentation_lies_on_the_slices(tmp_path: Path) -> None:
    # A ball of 6 mm in the patient, seen in slices that each begin 0.9 mm further down than the one before.
    shift = 0.9
    z, y, x = np.indices((9, 40, 30)).astype(float)
    ball = (2.5 * (z - 4)) ** 2 + (0.75 * (y - 20) + shift * (z - 4)) ** 2 + (0.5 * (x - 15)) ** 2 < 36
    write_series(tmp_path / "scan", np.where(ball, 500, 0).astype(np.int16), shift_mm=shift)
    series = series_in(tmp_path / "scan")
    volume = read_series(series)
    assert "gantry tilted by 19.8 degrees" in volume.notes[0]
    assert volume.grid.size == (30, 50, 9)
    inside = volume.array > 250
    middles = [np.argwhere(plane)[:, 0].mean() for plane in inside if plane.any()]
    assert np.ptp(middles) < 1  # straight up, within a pixel; in the slices they wander by 4.8
    values = np.where(inside, 9, 0).astype(np.uint8)
    found = written(tmp_path / "a.seg.dcm", series, values)
    assert (found.Rows, found.Columns) == (40, 30)
    heights = [
        group.PlanePositionSequence[0].ImagePositionPatient[2]
        for group in found.PerFrameFunctionalGroupsSequence
    ]
    frames = pydicom.pixels.pixel_array(tmp_path / "a.seg.dcm")[np.argsort(heights)]
    shown = ball[ball.any(axis=(1, 2))]
    assert 2 * np.count_nonzero(frames & shown) / (frames.sum() + shown.sum()) > 0.93
    assert complaints(tmp_path / "a.seg.dcm") == []
    again = fit_to_grid(read_labels(tmp_path / "a.seg.dcm").volume, volume.grid, "a").array > 0
    assert 2 * np.count_nonzero(again & inside) / (again.sum() + inside.sum()) > 0.93


@pytest.mark.parametrize(
    ("changes", "lost"),
    [
        ({"PatientBirthDate": "00000000", "StudyDate": "20261399"}, ["PatientBirthDate", "StudyDate"]),
        ({"PatientSex": "unknown", "StudyTime": "noon"}, ["PatientSex", "StudyTime"]),
        ({"PatientID": None, "PatientName": None, "StudyID": None}, ["PatientID", "PatientName", "StudyID"]),
    ],
)
def test_what_headers_may_not_say_is_left_empty(
    tmp_path: Path, changes: dict[str, str | None], lost: list[str]
) -> None:
    pydicom.config.settings.writing_validation_mode, before = (
        0,
        pydicom.config.settings.writing_validation_mode,
    )
    try:
        write_series(tmp_path / "scan", ARRAY, **changes)
    finally:
        pydicom.config.settings.writing_validation_mode = before
    series = series_in(tmp_path / "scan")
    found = written(tmp_path / "a.seg.dcm", series, drawn(series))
    assert {name: str(found[name].value or "") for name in lost} == dict.fromkeys(lost, "")
    assert complaints(tmp_path / "a.seg.dcm") == []


@pytest.mark.parametrize(
    ("charset", "name"),
    [
        ("ISO_IR 100", "Müller^Jürgen"),
        ("ISO_IR 144", "Иванов^Пётр"),
        ("GB18030", "王^小东"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
    ],
)
def test_names_in_every_alphabet_are_carried_over(tmp_path: Path, charset: Any, name: str) -> None:
    write_series(tmp_path / "scan", ARRAY, SpecificCharacterSet=charset, PatientName=name)
    series = series_in(tmp_path / "scan")
    made = make_segmentation(drawn(series), series, SCHEMA, MODEL)
    write_dicom(tmp_path / "a.seg.dcm", made)
    report = make_measurements(made, series, SCHEMA, {"Vorderer Teil (größer)": 1.5}, MODEL)
    write_dicom(tmp_path / "a.sr.dcm", report)
    for path in (tmp_path / "a.seg.dcm", tmp_path / "a.sr.dcm"):
        found = pydicom.dcmread(path)
        assert (str(found.PatientName), found.SpecificCharacterSet) == (name, "ISO_IR 192")
        assert complaints(path) == []
    (group,) = highdicom.sr.srread(tmp_path / "a.sr.dcm").content.get_volumetric_roi_measurement_groups()
    assert group.tracking_identifier == "Vorderer Teil (größer)"


def test_a_series_that_nothing_can_refer_to_is_refused(tmp_path: Path) -> None:
    files = write_series(tmp_path / "scan", ARRAY)
    for file in files:
        change(file, FrameOfReferenceUID=None)
    series = series_in(tmp_path / "scan")
    with pytest.raises(ImageError, match="names no frame of reference"):
        make_segmentation(drawn(series), series, SCHEMA, MODEL)
    change(series.files[0], SOPClassUID=None)
    with pytest.raises(ImageError, match="refer to it: SOPClassUID"):
        make_segmentation(drawn(series), series, SCHEMA, MODEL)


def test_what_is_no_segmentation_is_refused(tmp_path: Path) -> None:
    files = write_series(tmp_path / "scan", ARRAY)
    with pytest.raises(ImageError, match="no segmentation"):
        read_labels(files[0])
    series = series_in(tmp_path / "scan")
    written(tmp_path / "a.dcm", series, drawn(series))
    content = (tmp_path / "a.dcm").read_bytes()
    (tmp_path / "short.dcm").write_bytes(content[: len(content) - 20])
    with pytest.raises(ImageError, match="damaged"):
        read_labels(tmp_path / "short.dcm")
