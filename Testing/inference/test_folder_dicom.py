"""Trees of DICOM series are segmented into DICOM segmentations of their series."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
from dicom_making import PATIENT_ID, change, complaints, write_enhanced, write_series
from medssl.errors import Cancelled, MissingPackageError, UsageError
from medssl.events import Event, Monitor, Progress
from medssl.imaging.labels import fit_to_grid, match_schema, read_labels
from medssl.imaging.reading import read_volume
from medssl.imaging.volume import Volume
from medssl.inference.channels import ChannelRules, read_channel_rules
from medssl.inference.folder import segment_folder
from medssl.inference.rows import FolderResult
from medssl.inference.settings import FolderSettings
from medssl.learning.card import TrainingScans
from medssl.learning.model import Model

DICOM = FolderSettings(format="dicom-seg", device="cpu")
ModelMaker = Callable[..., Model]
ScanMaker = Callable[..., Volume]
MR_SCANS = TrainingScans(
    modalities=("MR",),
    finest_mm=(2.0, 0.7, 0.5),
    coarsest_mm=(3.0, 0.8, 0.5),
    smallest_mm=(40.0, 14.0, 10.0),
    largest_mm=(50.0, 16.0, 12.0),
    planes=("axial",),
)


def run(model: Model, inputs: Path, output: Path, settings: FolderSettings = DICOM) -> FolderResult:
    return segment_folder(model, [inputs], output, settings, Monitor())


def test_a_series_gets_a_dicom_segmentation_that_names_the_model(
    make_model: ModelMaker, make_scan: ScanMaker, tmp_path: Path
) -> None:
    array = make_scan(size=(22, 20, 18)).array
    write_series(tmp_path / "scans" / "a", array, PixelSpacing=[1, 1], SliceThickness=1)
    model = make_model()
    (row,) = run(model, tmp_path / "scans", tmp_path / "out").rows
    assert row.output is not None
    assert row.output.name.endswith(".seg.dcm")
    found = pydicom.dcmread(row.output)
    assert [item.SegmentLabel for item in found.SegmentSequence] == ["Shell", "Core"]
    assert {item.SegmentAlgorithmName for item in found.SegmentSequence} == {"Thresholding"}
    labels = match_schema(read_labels(row.output), model.plan.label_schema, "a")
    scan = read_volume(tmp_path / "scans" / "a")
    values = fit_to_grid(labels, scan.grid, "a").array
    np.testing.assert_array_equal(values == 3, scan.array > 200)


def test_a_file_that_is_no_dicom_fails_with_a_sentence_and_the_series_beside_it_is_done(
    make_model: ModelMaker, make_scan: ScanMaker, write_scan: Callable[..., Path], tmp_path: Path
) -> None:
    write_series(tmp_path / "scans" / "a", make_scan().array)
    write_scan(tmp_path / "scans" / "b.nii.gz")
    result = run(make_model(), tmp_path / "scans", tmp_path / "out")
    assert result.count("done") == 1
    assert "b.nii.gz is no DICOM series, and a DICOM segmentation refers to one" in result.failed["b"]


def test_without_highdicom_the_run_says_at_once_how_to_get_it(
    make_model: ModelMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(
        "medssl.imaging.dicom_packages.find_spec", lambda name: None if name == "highdicom" else there(name)
    )
    with pytest.raises(MissingPackageError, match="pip install highdicom"):
        run(make_model(), tmp_path, tmp_path / "out")


def learned_from(model: Model, scans: TrainingScans | None = MR_SCANS) -> Model:
    return replace(model, card=model.card.model_copy(update={"scans": scans}))


def rows_by_end(result: FolderResult) -> dict[str, tuple[str, str]]:
    """State and note of each row, by the last part of its folder."""
    return {Path(row.scan).name: (row.state, row.note) for row in result.rows}


def write_tree(folder: Path, make_scan: ScanMaker) -> None:
    array = make_scan(size=(22, 20, 18)).array
    write_series(folder / "fits", array)
    write_series(folder / "ct", array, Modality="CT")
    write_series(folder / "coarse", array[:7], heights_mm=[6.5 * i for i in range(7)])
    write_series(folder / "wide", array, PixelSpacing=[0.75, 2.0])
    write_series(folder / "overview", array, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    write_series(folder / "page", array[:1])
    broken = write_series(folder / "broken", array)
    broken[3].write_bytes(broken[3].read_bytes()[:-7])
    write_series(folder / "gap", array, heights_mm=[2.5 * i for i in range(18) if i != 5] + [45])
    write_series(folder / "tilted", array, shift_mm=0.5)
    write_enhanced(folder / "enhanced" / "IM1", array)
    write_series(folder / "twice", array)
    shutil.copytree(folder / "twice", folder / "zz copies" / "twice")
    two = write_series(folder / "two patients", array)
    change(two[4], PatientID="SOMEBODY-ELSE")
    for file in write_series(folder / "screenshot", array):
        change(file, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0)
    (folder / "DICOMDIR").write_bytes(bytes(128) + b"DICM" + bytes(5))
    (folder / "readme").write_text("From the archive.")


def test_the_card_tells_which_series_fit_and_the_others_are_left_out_with_numbers(
    make_model: ModelMaker, make_scan: ScanMaker, tmp_path: Path
) -> None:
    write_tree(tmp_path / "tree", make_scan)
    folders = FolderSettings(device="cpu", names="folders")
    rows = rows_by_end(run(learned_from(make_model()), tmp_path / "tree", tmp_path / "out", folders))
    assert {name: state for name, (state, _) in rows.items()} == {
        "fits": "done", "ct": "unfit", "coarse": "unfit", "wide": "unfit", "overview": "unfit",
        "page": "unfit", "broken": "failed", "gap": "failed", "tilted": "done", "enhanced": "done",
        "twice": "done", "two patients": "failed", "screenshot": "unfit",
    }  # fmt: skip
    notes = {name: note for name, (_, note) in rows.items()}
    assert notes["ct"].startswith("It is CT; the model learned from MR.")
    assert "6.5 mm apart up-down; the model learned from 2 to 3 mm, and up to 6 mm fit" in notes["coarse"]
    assert "2 mm apart left-right" in notes["wide"]
    assert "is an overview for planning" in notes["overview"]
    assert "single slice" in notes["page"]
    assert "is incomplete" in notes["broken"]
    assert "misses 1 slice:" in notes["gap"]
    assert "--any-series" in notes["ct"]
    assert "gantry tilted" in notes["tilted"]
    assert "images of 2 patients" in notes["two patients"]
    assert "colour pictures" in notes["screenshot"]


def test_looking_at_a_large_tree_is_heard_of_and_can_be_cancelled(
    make_model: ModelMaker, tmp_path: Path
) -> None:
    write_series(tmp_path / "tree", np.zeros((420, 2, 2), np.int16))
    events: list[Event] = []
    monitor = Monitor(events.append)
    result = segment_folder(learned_from(make_model()), [tmp_path / "tree"], tmp_path / "out", DICOM, monitor)
    assert result.count("unfit") == 1
    heard = [(e.stage, e.done, e.total) for e in events if isinstance(e, Progress)]
    assert heard[:2] == [("Looking at the files", 200, 420), ("Looking at the files", 400, 420)]
    monitor.cancel()
    with pytest.raises(Cancelled):
        segment_folder(make_model(), [tmp_path / "tree"], tmp_path / "other", DICOM, monitor)


def test_series_of_other_sizes_are_left_out(
    make_model: ModelMaker, make_scan: ScanMaker, tmp_path: Path
) -> None:
    write_series(tmp_path / "tree" / "small", make_scan(size=(22, 20, 18)).array[:7])
    write_series(tmp_path / "tree" / "fits", make_scan(size=(22, 20, 18)).array)
    settings = FolderSettings(device="cpu", names="folders")
    rows = rows_by_end(run(learned_from(make_model()), tmp_path / "tree", tmp_path / "out", settings))
    assert rows["fits"][0] == "done"
    assert (
        "It shows 17.5 mm up-down; the model learned from 40 to 50 mm, and 20 to 100 mm fit"
        in rows["small"][1]
    )


@pytest.mark.parametrize("known", [True, False])
def test_any_series_is_segmented_when_asked_for_or_when_the_card_does_not_know(
    make_model: ModelMaker, make_scan: ScanMaker, tmp_path: Path, known: bool
) -> None:
    write_series(tmp_path / "tree" / "ct", make_scan().array, Modality="CT")
    model = learned_from(make_model(), MR_SCANS if known else None)
    settings = FolderSettings(device="cpu", any_series=known)
    (row,) = run(model, tmp_path / "tree", tmp_path / "out", settings).rows
    assert row.state == "done"


def test_names_tell_of_the_patient_only_when_asked(
    make_model: ModelMaker, make_scan: ScanMaker, tmp_path: Path
) -> None:
    write_series(tmp_path / "tree" / "DOE^JANE" / "s1", make_scan().array, description="Knie: Größe")
    names = {}
    for style in ("neutral", "folders", "patient-id"):
        settings = FolderSettings(device="cpu", names=style)
        (row,) = run(make_model(), tmp_path / "tree", tmp_path / style, settings).rows
        assert row.output == tmp_path / style / f"{row.scan}.seg.nrrd"
        names[style] = (row.scan, row.shown)
    assert "DOE" not in "".join(names["neutral"])
    assert names["neutral"][0].split("/")[1].startswith("series-012-")
    assert names["neutral"][1] == "MR, series 12, 18 images"
    assert names["folders"][0] == "DOE^JANE/s1"
    assert names["patient-id"][0] == f"{PATIENT_ID}/series-012-Knie_Größe"


def study(folder: Path, make_scan: ScanMaker, **series: dict[str, Any]) -> None:
    """Write series of one study and one place, each called after its argument unless that says otherwise."""
    array = make_scan(size=(22, 20, 18)).array
    for number, (name, elements) in enumerate(series.items(), 1):
        common = {"StudyInstanceUID": f"1.2.{len(folder.name)}", "SeriesNumber": number}
        write_series(folder / name, array, **{"description": name, **common, **elements})


def test_channels_come_from_the_series_of_a_study_that_the_rules_name(
    make_model: ModelMaker, make_scan: ScanMaker, tmp_path: Path
) -> None:
    agent = {"description": "t1_tse km", "ContrastBolusAgent": "Gd"}
    study(tmp_path / "tree" / "p1", make_scan, t1={"description": "T1_TSE"}, t1c=agent, dwi={})
    study(tmp_path / "tree" / "patient2", make_scan, t1={"description": "T1_TSE"}, dwi={})
    model = make_model(channel_names=("T1", "T1Gd"))
    rules = ChannelRules.model_validate(
        {
            "T1": [{"description": "^t1", "contrast": False, "not_description": "fs"}],
            "T1Gd": [
                {"description": "never there"},
                {"description": "t1", "contrast": True, "modality": "mr"},
            ],
        }
    )
    settings = FolderSettings(device="cpu", names="folders", channels=rules)
    rows = {row.scan: row for row in run(model, tmp_path / "tree", tmp_path / "out", settings).rows}
    assert {name: row.state for name, row in rows.items()} == {
        "p1": "done", "p1/dwi": "unfit", "patient2/t1": "unfit", "patient2/dwi": "unfit",
    }  # fmt: skip
    assert "No series of the study is its channel T1Gd" in rows["patient2/t1"].note
    assert rows["p1/dwi"].note == "No channel of the model is such a series."


def test_without_rules_the_channels_names_are_looked_for_in_the_descriptions(
    make_model: ModelMaker, make_scan: ScanMaker, tmp_path: Path
) -> None:
    study(tmp_path / "tree", make_scan, a={"description": "ax_T1 tse"}, b={"description": "T1Gd"}, c={})
    settings = FolderSettings(format="dicom-seg", device="cpu")
    result = run(make_model(channel_names=("T1", "T1Gd")), tmp_path / "tree", tmp_path / "out", settings)
    (done,) = (row for row in result.rows if row.state == "done")
    assert done.output is not None
    series = pydicom.dcmread(done.output).ReferencedSeriesSequence[0].SeriesInstanceUID
    assert series == pydicom.dcmread(next((tmp_path / "tree" / "a").iterdir())).SeriesInstanceUID


def test_no_other_series_takes_the_place_of_a_channel_that_cannot_be_read(
    make_model: ModelMaker, make_scan: ScanMaker, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    other = {"description": "MPR ax", "ProtocolName": "FLAIR brain"}
    study(tree, make_scan, T1={}, flair={"description": "ax FLAIR"}, mpr=other)
    broken = next((tree / "flair").iterdir())
    broken.write_bytes(broken.read_bytes()[:-7])
    model, folders = make_model(channel_names=("T1", "FLAIR")), FolderSettings(device="cpu", names="folders")
    rows = rows_by_end(run(model, tree, tmp_path / "out", folders))
    assert {name: state for name, (state, _) in rows.items()} == {
        "T1": "unfit", "flair": "failed", "mpr": "unfit",
    }  # fmt: skip
    assert "is incomplete" in rows["flair"][1]
    assert rows["T1"][1] == f"The study's channel FLAIR cannot be read. {rows['flair'][1]}"
    study(tree, make_scan, again={"description": "ax FLAIR", "SeriesNumber": 4})
    result = run(model, tree, tmp_path / "out", folders)
    assert (result.count("done"), list(result.failed), list(result.unfit)) == (1, ["flair"], ["mpr"])


def test_two_series_that_could_be_one_channel_are_not_guessed_between(
    make_model: ModelMaker, make_scan: ScanMaker, tmp_path: Path
) -> None:
    study(tmp_path / "tree", make_scan, a={"description": "T1"}, b={"description": "T1 again"})
    rules = ChannelRules.model_validate({"image": [{"description": "t1"}]})
    settings = FolderSettings(device="cpu", channels=rules)
    result = run(make_model(), tmp_path / "tree", tmp_path / "out", settings)
    assert {row.state for row in result.rows} == {"unfit"}
    assert "2 series of the study could be its channel image (series 1, 2)" in result.rows[0].note


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "should be an object"),
        ('{"T1": [{"descripton": "t1"}]}', "descripton"),
        ('{"T1": [{"description": "t1("}]}', "'t1\\(' is no regular expression"),
    ],
)
def test_wrong_rules_say_what_is_wrong(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "rules.json").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=words):
        read_channel_rules(tmp_path / "rules.json")


def test_rules_for_other_channels_than_the_models_are_wrong_use(
    make_model: ModelMaker, make_scan: ScanMaker, tmp_path: Path
) -> None:
    write_series(tmp_path / "tree", make_scan().array)
    settings = FolderSettings(device="cpu", channels=ChannelRules.model_validate({"T2": [{}]}))
    with pytest.raises(UsageError, match="no rule for: image; not a channel of the model: T2"):
        run(make_model(), tmp_path / "tree", tmp_path / "out", settings)


def test_probabilities_and_a_report_of_the_volumes_are_written_when_asked(
    make_model: ModelMaker, make_scan: ScanMaker, tmp_path: Path
) -> None:
    write_series(tmp_path / "tree", make_scan().array)
    settings = FolderSettings(format="dicom-seg", device="cpu", fractional=True, measurements=True)
    (row,) = run(make_model(), tmp_path / "tree", tmp_path / "out", settings).rows
    assert row.output is not None
    assert row.measured is not None
    segmentation = pydicom.dcmread(row.output)
    assert segmentation.SegmentationType == "FRACTIONAL"
    path = row.output.with_name(row.output.name.replace(".seg.dcm", ".sr.dcm"))
    report = highdicom.sr.srread(path)
    groups = report.content.get_volumetric_roi_measurement_groups()
    assert [group.tracking_identifier for group in groups] == ["Shell", "Core"]
    for group, name in zip(groups, ("Shell", "Core"), strict=True):
        (measurement,) = group.get_measurements()
        assert measurement.value == pytest.approx(row.measured.volumes_ml[name], abs=1e-4)
        assert measurement.unit.value == "mL"
        assert group.reference_type.meaning == "Referenced Segment"
    assert report.PatientID == PATIENT_ID
    again = run(make_model(), tmp_path / "tree", tmp_path / "out", settings)
    assert again.count("skipped") == 1


def test_what_only_dicom_has_is_refused_for_other_formats(make_model: ModelMaker, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no place for probabilities"):
        run(make_model(), tmp_path, tmp_path / "out", FolderSettings(device="cpu", fractional=True))


def test_segmentations_beside_their_series_are_no_scans(
    make_model: ModelMaker, make_scan: ScanMaker, tmp_path: Path
) -> None:
    write_series(tmp_path / "tree" / "a", make_scan().array)
    for folder in (tmp_path / "tree", tmp_path / "tree" / "elsewhere"):
        assert len(run(make_model(), tmp_path / "tree", folder).rows) == 1
    (file, *_) = (tmp_path / "tree" / "a").iterdir()
    change(file, PatientComments="changed since")
    assert run(make_model(), tmp_path / "tree", tmp_path / "tree").count("done") == 1


def test_the_crops_of_three_real_studies_are_segmented_and_the_others_listed(
    make_model: ModelMaker, data_folder: Path, tmp_path: Path
) -> None:
    if not (data_folder / "dicom").is_dir():
        pytest.skip("there is no folder 'dicom' among the data sets")
    crops = TrainingScans(
        modalities=("MR",),
        finest_mm=(1.0, 1.0, 1.0),
        coarsest_mm=(1.0, 1.0, 1.0),
        smallest_mm=(26.0, 40.0, 31.0),
        largest_mm=(44.0, 58.0, 43.0),
        planes=("axial",),
    )
    settings = FolderSettings(format="dicom-seg", device="cpu", measurements=True)
    result = run(learned_from(make_model(), crops), data_folder / "dicom", tmp_path / "out", settings)
    assert [result.count("done"), len(result.failed), len(result.unfit)] == [3, 0, 2]
    assert all("6.5 mm apart" in reason for reason in result.unfit.values())
    written = sorted((tmp_path / "out").rglob("*.dcm"))
    assert sorted("".join(path.suffixes[-2:]) for path in written) == [".seg.dcm"] * 3 + [".sr.dcm"] * 3
    for path in written:
        assert complaints(path) == []
