"""DICOM series go to an engine on another computer without the patient, and come back as segmentations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
import slicer
from dicom_making import PATIENT_ID, PATIENT_NAME, write_enhanced, write_series
from learning import ActedEngine
from medssl.client import Client, Project
from medssl.events import Row
from medssl.imaging.labels import write_labels
from medssl.imaging.reading import read_volume
from medssl.imaging.scans import Scan, find_scans
from medssl.phantom import SCHEMA
from panels import OpenPanel

VOXELS = np.random.default_rng(3).integers(0, 900, (6, 12, 10)).astype(np.int16)
DESCRIPTION = "T1 of Jane before the operation"
TOLD = (PATIENT_NAME, PATIENT_ID, "19400229", "20190102", "ACCESSION-A77", "Dr^Who", DESCRIPTION)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """The bytes of every file that goes to the engine."""
    files: list[bytes] = []
    upload = Client.upload

    def note(client: Client, file: Path, **where: object) -> object:
        files.append(Path(file).read_bytes())
        return upload(client, file, **where)  # type: ignore[arg-type]  # handed on as it came

    monkeypatch.setattr(Client, "upload", note)
    before = files_here()
    yield files
    assert files_here() == before


def files_here() -> set[Path]:
    return set(Path(slicer.app.temporaryPath).glob("MedSSL-*"))


def identifiers(files: list[Path]) -> set[str]:
    names = ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID")
    return {str(pydicom.dcmread(file)[name].value) for file in files for name in names}


def own_names(folder: Path) -> dict[str, Scan]:
    """What the engine of this computer would call the scans of a folder."""
    return {scan.name: scan for scan in find_scans(folder, names="neutral")}


def add_from_disk(remote: OpenPanel, folder: Path) -> None:
    remote.find("diskEdit").currentPath = str(folder)
    remote.click("addDiskButton")


def choose_folders(remote: OpenPanel, scans: Path, results: Path) -> None:
    remote.widget.panel.open("apply")
    remote.wait_until(lambda: remote.find("applyModelBox").count > 0)
    remote.find("scansEdit").currentPath = str(scans)
    remote.find("outputEdit").currentPath = str(results)
    remote.click("segmentFolderButton")


def test_a_series_becomes_a_case_with_every_voxel_in_its_place_and_without_the_patient(
    remote: OpenPanel, project: Project, sent: list[bytes], tmp_path: Path
) -> None:
    scans = tmp_path / "scans"
    files = write_series(scans / "subject 7", VOXELS, description=DESCRIPTION)
    enhanced = write_enhanced(scans / "subject 8" / "all.dcm", VOXELS, slopes=[2.0] * len(VOXELS))
    add_from_disk(remote, scans)
    remote.wait_until(lambda: remote.message == "2 scans were added.", 90.0)
    client = remote.session.client
    for name, source in (("subject 7", scans / "subject 7"), ("subject 8", scans / "subject 8")):
        case = client.case(project.key, name)
        assert Path(case.channels[0]).is_relative_to(project.folder)
        kept, own = read_volume(Path(case.channels[0])), read_volume(source)
        assert np.array_equal(kept.array, own.array)
        assert kept.grid.agrees_with(own.grid)
    assert len(sent) == len(VOXELS) + 1
    for content in sent:
        for text in (*TOLD, *identifiers([*files, enhanced])):
            assert text.encode() not in content


def test_series_of_a_folder_are_segmented_elsewhere_and_shown_with_what_came_back(
    remote: OpenPanel, acted: ActedEngine, sent: list[bytes], tmp_path: Path
) -> None:
    scans, here = tmp_path / "Doe" / "study", tmp_path / "results"
    write_series(scans, VOXELS[::-1].copy(), description="other")
    for file in write_series(tmp_path / "more", VOXELS):
        file.rename(scans / f"second-{file.name}")
    wanted = own_names(scans)
    assert len(wanted) == 2
    choose_folders(remote, scans, here)
    remote.wait_until(lambda: acted.jobs, 60.0)
    (there,) = (Path(each) for each in acted.asked[0]["inputs"])
    found = {scan.name: scan for scan in find_scans(there, names=acted.asked[0]["names"])}
    assert set(found) == set(wanted)
    for name, scan in found.items():
        own, arrived = wanted[name].read(), scan.read()
        assert np.array_equal(own.array, arrived.array)
        assert own.grid == arrived.grid
    name = next(name for name, scan in wanted.items() if np.array_equal(scan.read().array, VOXELS))
    output = Path(str(acted.asked[0]["output"]))
    drawn = (VOXELS > 500).astype(np.uint8)
    (output / name).parent.mkdir(parents=True)
    write_labels(output / f"{name}.seg.nrrd", drawn, found[name].read().grid, SCHEMA)
    acted.jobs[0].report(Row(name=name, state="done", source=str(there / name), output=f"{name}.seg.nrrd"))
    ended = {"failed": {}, "output": output, "table": output / "volumes.csv", "report": output / "r.html"}
    acted.jobs[0].end(kind="predict", model_id="m", done=1, skipped=0, **ended)
    remote.wait_until(lambda: remote.message == f"The results are in {here}.")
    assert not there.exists()
    remote.find("rowsTable").cellDoubleClicked.emit(0, 0)
    remote.wait_until(lambda: remote.message == f"{name} is in the scene.")
    volume = slicer.util.getNode(name)
    assert np.array_equal(slicer.util.arrayFromVolume(volume), VOXELS)
    (node,) = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    shown = slicer.util.arrayFromSegmentBinaryLabelmap(node, "Segment_1", volume)
    assert np.array_equal(shown > 0, drawn > 0)


def test_a_series_with_a_broken_image_is_not_sent_in_part_and_stops_no_other(
    remote: OpenPanel, acted: ActedEngine, sent: list[bytes], tmp_path: Path
) -> None:
    write_series(tmp_path / "scans" / "whole", VOXELS)
    broken = write_series(tmp_path / "scans" / "broken", VOXELS)[3]
    broken.write_bytes(broken.read_bytes().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.9\0"))
    choose_folders(remote, tmp_path / "scans", tmp_path / "results")
    remote.wait_until(lambda: acted.jobs, 60.0)
    assert len(sent) == len(VOXELS)
    acted.jobs[0].end("cancelled")
    table = remote.find("rowsTable")
    remote.wait_until(lambda: table.rowCount == 1)
    table.selectRow(0)
    assert str(broken) in remote.find("rowNoteLabel").text


def test_a_dicom_segmentation_is_not_made_where_the_patient_is_not_known(
    remote: OpenPanel, acted: ActedEngine, tmp_path: Path
) -> None:
    write_series(tmp_path / "scans", VOXELS)
    remote.widget.panel.open("apply")
    box = remote.find("formatBox")
    box.currentIndex = box.findText("DICOM segmentation")
    choose_folders(remote, tmp_path / "scans", tmp_path / "results")
    remote.wait_until(lambda: "names the patient" in remote.message)
    assert not acted.jobs
    assert remote.find("segmentFolderButton").enabled
