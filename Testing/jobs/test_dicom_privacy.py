"""A batch over DICOM series tells of nobody: not in names, tables, reports, pictures, events or logs."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest
from dicom_making import PATIENT_ID, change, write_series
from medssl.events import Monitor
from medssl.imaging.formats import SeriesNames
from medssl.jobs import PredictRequest, PredictResult, TrainRequest, read_events, run_job, settings_for
from medssl.phantom import make_phantom
from medssl.project import Project

# What a hospital's folders, headers and descriptions would tell. Long enough, each, not to come about
# by chance in an identifier or a compressed picture.
_SECRETS = ("WINTERMANN", "MARIETTA", PATIENT_ID, "19400229", "MÜLLER", "ACCESSION", "KNIEGELENK")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """One series that can be segmented, and others that fail in their own ways, in telling folders."""
    scan = make_phantom(0, (16, 24, 20)).image
    folder, array, (x, y, z) = tmp_path / "archive", scan.array, scan.grid.spacing_mm
    patient = folder / "WINTERMANN^MARIETTA 1940" / "Müller"
    common = {"PatientName": "Wintermann^Marietta", "PixelSpacing": [y, x], "SliceThickness": z}
    heights = [z * index for index in range(16)]
    write_series(patient / "good", array, heights, "Marietta Wintermann Kniegelenk", **common)
    write_series(patient / "ct", array, heights, "Marietta Wintermann Kniegelenk", Modality="CT", **common)
    write_series(patient / "page", array[:1], [0.0], "Marietta Wintermann Kniegelenk", **common)
    burnt_in = {"BurnedInAnnotation": "YES", **common}
    write_series(patient / "burnt in", array, heights, "Marietta Wintermann Kniegelenk", **burnt_in)
    cut = write_series(patient / "cut", array, heights, "Marietta Wintermann Kniegelenk", **common)
    cut[2].write_bytes(cut[2].read_bytes()[:-9])
    two = write_series(patient / "two", array, heights, "Marietta Wintermann Kniegelenk", **common)
    change(two[3], PatientID="DOE-2")
    odd = write_series(patient / "odd", array, heights, "Marietta Wintermann Kniegelenk", **common)
    for file in odd:  # readable, but no DICOM segmentation can say where it lies
        change(file, FrameOfReferenceUID=None)
    return folder


def told(folder: Path) -> str:
    """All names and texts below a folder, but for those of DICOM objects, which are the patient's own."""
    found = []
    for path in folder.rglob("*"):
        found.append(str(path.relative_to(folder)))
        if path.is_file() and path.suffix != ".dcm":
            found.append(path.read_bytes().decode("utf-8", "ignore"))
    return "\n".join(found).upper()


def test_nothing_that_a_batch_leaves_tells_of_the_patient(
    project: Project, tree: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run_job(project, TrainRequest(settings=settings_for("quick", steps=2, device="cpu")), Monitor())
    request = PredictRequest(
        inputs=(tree,), output=tmp_path / "out", device="cpu", format="dicom-seg", measurements=True
    )
    ended = run_job(project, request, Monitor())
    result = ended.result
    assert isinstance(result, PredictResult)
    assert (result.done, len(result.failed), len(result.unfit)) == (2, 3, 2)
    job = project.folder / "jobs" / ended.job_id
    assert list(read_events(job))
    captured = "".join(capfd.readouterr()).upper()
    everything = "\n".join((told(tmp_path / "out"), told(job), captured, result.model_dump_json().upper()))
    assert [secret for secret in _SECRETS if secret in everything] == []
    for kind in ("seg", "sr"):  # which go back to the patient's own records
        written = list((tmp_path / "out").rglob(f"*.{kind}.dcm"))
        assert {str(pydicom.dcmread(path).PatientName) for path in written} == {"Wintermann^Marietta"}


def test_a_report_shows_no_pictures_into_which_writing_is_burnt(
    project: Project, tree: Path, tmp_path: Path
) -> None:
    run_job(project, TrainRequest(settings=settings_for("quick", steps=2, device="cpu")), Monitor())
    shown: tuple[tuple[SeriesNames, int], ...] = (("neutral", 1), ("folders", 2))
    (patient,) = tree.glob("*/*")
    for names, pictures in shown:
        out, inputs = tmp_path / names, (patient / "good", patient / "burnt in")
        request = PredictRequest(inputs=inputs, output=out, device="cpu", names=names)
        run_job(project, request, Monitor())
        page = (out / "report.html").read_text(encoding="utf-8")
        assert page.count('class="slices"') == pictures
        assert page.count("Writing is burnt into its pictures") == 2 - pictures
