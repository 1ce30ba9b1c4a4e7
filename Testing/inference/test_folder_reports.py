"""What a run writes beside plain DICOM segmentations: probabilities, and reports of the volumes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pydicom
from dicom_making import change, write_series
from medssl.events import Monitor
from medssl.imaging.volume import Volume
from medssl.inference.folder import segment_folder
from medssl.inference.rows import FolderResult
from medssl.inference.settings import FolderSettings
from medssl.learning.model import Model

DICOM = FolderSettings(format="dicom-seg", device="cpu")
ModelMaker = Callable[..., Model]
ScanMaker = Callable[..., Volume]


def run(model: Model, inputs: Path, output: Path, settings: FolderSettings = DICOM) -> FolderResult:
    return segment_folder(model, [inputs], output, settings, Monitor())


def test_what_is_asked_for_later_is_made_though_the_scan_was_segmented_before(
    make_model: ModelMaker, make_scan: ScanMaker, tmp_path: Path
) -> None:
    write_series(tmp_path / "tree", make_scan().array)
    both = DICOM.model_copy(update={"fractional": True, "measurements": True})
    fractional, measured = (DICOM.model_copy(update={name: True}) for name in ("fractional", "measurements"))
    out = tmp_path / "out"

    def state(settings: FolderSettings) -> tuple[str, str, int]:
        (row,) = run(make_model(), tmp_path / "tree", out, settings).rows
        assert row.output is not None
        return row.state, pydicom.dcmread(row.output).SegmentationType, len(list(out.rglob("*.sr.dcm")))

    assert state(DICOM) == ("done", "BINARY", 0)
    assert state(measured) == ("done", "BINARY", 1)
    assert state(DICOM) == ("skipped", "BINARY", 1)
    assert state(both) == ("done", "FRACTIONAL", 1)
    assert state(both) == state(fractional) == ("skipped", "FRACTIONAL", 1)
    (report,) = out.rglob("*.sr.dcm")
    report.unlink()
    assert state(both) == ("done", "FRACTIONAL", 1)
    report.write_text("corrected by a person")
    assert state(both) == ("skipped", "FRACTIONAL", 1)
    assert state(DICOM) == ("done", "BINARY", 1)


def test_a_report_of_the_volumes_is_of_the_segmentation_beside_it(
    make_model: ModelMaker, make_scan: ScanMaker, tmp_path: Path
) -> None:
    """One of an earlier segmentation does not count as made."""
    files = write_series(tmp_path / "tree", make_scan().array)
    measured = DICOM.model_copy(update={"measurements": True})
    out = tmp_path / "out"
    run(make_model(), tmp_path / "tree", out, measured)
    change(files[0], PatientComments="changed since")
    assert run(make_model(), tmp_path / "tree", out).count("done") == 1
    (row,) = run(make_model(), tmp_path / "tree", out, measured).rows
    assert row.state == "done"
    assert row.output is not None
    (report,) = out.rglob("*.sr.dcm")
    (evidence,) = pydicom.dcmread(report).CurrentRequestedProcedureEvidenceSequence
    told = [
        item.ReferencedSOPInstanceUID
        for s in evidence.ReferencedSeriesSequence
        for item in s.ReferencedSOPSequence
    ]
    assert pydicom.dcmread(row.output).SOPInstanceUID in told


def test_a_report_of_somebody_else_is_left_alone(
    make_model: ModelMaker, make_scan: ScanMaker, tmp_path: Path
) -> None:
    write_series(tmp_path / "tree", make_scan().array)
    out = tmp_path / "out"
    (row,) = run(make_model(), tmp_path / "tree", out).rows
    assert row.output is not None
    report = row.output.with_name(row.output.name.replace(".seg.dcm", ".sr.dcm"))
    report.write_text("mine")
    (row,) = run(make_model(), tmp_path / "tree", out, DICOM.model_copy(update={"measurements": True})).rows
    assert row.state == "failed"
    assert report.name in row.note
    assert report.read_text() == "mine"
