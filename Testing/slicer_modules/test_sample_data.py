"""Scans to try things out with come by a click, and only by a click."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import slicer
from MedSSLLib import asking, hippocampus, sample_data
from MedSSLLib.grids import Grid
from MedSSLLib.problems import Problem
from MedSSLLib.voxel_files import write_nrrd
from panels import OpenPanel

GRID = Grid((6, 5, 4), np.diag([-1.0, -1.0, 1.0, 1.0]))


@pytest.fixture
def panel_here(panel: OpenPanel, tmp_path: Path) -> OpenPanel:
    """A panel whose new projects come into a folder of the test."""
    panel.ready()
    panel.session.settings.remember("project.parent", str(tmp_path / "MedSSL"))
    return panel


@pytest.fixture
def official(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An archive laid out as the official one, with made-up scans, on a server of this computer."""
    served = tmp_path / "server"
    served.mkdir()
    content = _archive(tmp_path)
    (served / hippocampus.ARCHIVE).write_bytes(content)
    handler = partial(_Quiet, directory=str(served))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/{hippocampus.ARCHIVE}"
    monkeypatch.setattr(hippocampus, "ADDRESS", address)
    monkeypatch.setattr(hippocampus.download, "__defaults__", (address,))
    monkeypatch.setattr(hippocampus, "CHECKSUM", f"MD5:{hashlib.md5(content).hexdigest()}")
    yield served / hippocampus.ARCHIVE
    server.shutdown()
    server.server_close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_arguments: object) -> None:
        pass


def _archive(tmp_path: Path) -> bytes:
    names = [f"hippocampus_{number:03d}.nrrd" for number in range(12)]
    description = {
        "name": "Hippocampus",
        "modality": {"0": "MRI"},
        "labels": {"0": "background", "1": "Anterior", "2": "Posterior"},
        "training": [{"image": f"./imagesTr/{n}", "label": f"./labelsTr/{n}"} for n in names],
        "test": [],
    }
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        _put(archive, "Task04_Hippocampus/dataset.json", json.dumps(description).encode())
        _put(archive, "Task04_Hippocampus/imagesTr/._hippocampus_000.nrrd", b"of a Mac")
        _put(archive, "../outside.txt", b"not for this folder")
        for seed, name in enumerate(names):
            voxels = np.random.default_rng(seed).integers(0, 9, GRID.shape).astype(np.int16)
            labels = np.zeros(GRID.shape, np.uint8)
            labels[1, 1:3], labels[2, 1:3] = 1, 2
            for kind, array in (("images", voxels), ("labels", labels)):
                write_nrrd(tmp_path / "one.nrrd", array, GRID)
                _put(archive, f"Task04_Hippocampus/{kind}Tr/{name}", (tmp_path / "one.nrrd").read_bytes())
    return content.getvalue()


def _put(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def test_a_project_of_made_up_scans_is_one_click_away(
    panel_here: OpenPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample_data, "_SCANS", 4)
    monkeypatch.setattr(sample_data, "_VALIDATION", 1)
    panel_here.click("trySampleButton")
    panel_here.wait_until(lambda: panel_here.session.project is not None)
    project = panel_here.session.project
    assert project.name == "Made-up kidneys"
    panel_here.wait_until(lambda: panel_here.session.project.cases == 4, 60)
    panel_here.wait_until(lambda: panel_here.session.project.annotated == 3)
    panel_here.wait_until(lambda: panel_here.find("casesTable").rowCount == 4)


def test_the_hippocampus_scans_are_downloaded_checked_and_made_a_project(
    panel_here: OpenPanel, official: Path, tmp_path: Path
) -> None:
    assert not panel_here.shows("removeSamplesButton")
    panel_here.click("downloadButton")
    panel_here.wait_until(lambda: panel_here.session.project is not None, 60)
    panel_here.wait_until(lambda: panel_here.session.project.cases == 12, 60)
    panel_here.wait_until(lambda: panel_here.session.project.annotated == 10)
    project = panel_here.session.project
    assert [(s.name, s.value) for s in project.segments] == [
        ("Anterior hippocampus", 1),
        ("Posterior hippocampus", 2),
    ]
    kept = tmp_path / "MedSSL" / "Sample data"
    assert not list(kept.rglob(".*"))
    assert not (tmp_path / "MedSSL" / "outside.txt").exists()
    panel_here.widget.panel.views["project"].logic.leave()
    panel_here.click("removeSamplesButton")
    panel_here.wait_until(lambda: not kept.exists())


def test_only_what_was_downloaded_is_removed_and_only_after_a_question(
    panel_here: OpenPanel, official: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, settings = tmp_path / "MedSSL" / "Sample data", panel_here.session.settings
    panel_here.click("downloadButton")
    panel_here.wait_until(lambda: panel_here.session.project is not None, 60)
    panel_here.widget.panel.views["project"].logic.leave()
    mine = [
        kept / "thesis.txt",
        kept / "Task04_Hippocampus" / "labelsTr" / "hippocampus_003.nrrd",  # a corrected one
        tmp_path / "study" / "Sample data" / "patients.csv",
    ]
    for path in mine:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("years of work", encoding="utf-8")
    # The next project was made elsewhere.
    settings.remember("project.parent", str(tmp_path / "study"))
    asked: list[str] = []
    answers = [1, 0]

    def choose(_title: str, text: str, *_: object, **_more: object) -> int:
        asked.append(text)
        return answers[len(asked) - 1]

    monkeypatch.setattr(asking, "choose", choose)
    panel_here.click("removeSamplesButton")
    assert str(kept) in asked[0]
    assert panel_here.shows("removeSamplesButton")
    panel_here.click("removeSamplesButton")
    panel_here.wait_until(lambda: "What else is in" in panel_here.message)
    assert not panel_here.shows("removeSamplesButton")
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file() and "Sample data" in path.parts) == (
        sorted(mine)
    )
    # What stayed is in nobody's way.
    settings.remember("project.parent", str(tmp_path / "MedSSL"))
    panel_here.click("downloadButton")
    panel_here.wait_until(lambda: panel_here.session.project is not None, 60)
    assert hippocampus.is_there(kept.with_name("Sample data 2"))


def test_a_folder_called_sample_data_is_nothing_to_remove(panel_here: OpenPanel, tmp_path: Path) -> None:
    (tmp_path / "MedSSL" / "Sample data").mkdir(parents=True)
    panel_here.session.samples.changed.emit()
    assert not panel_here.shows("removeSamplesButton")


def test_a_damaged_download_is_told_and_leaves_nothing(official: Path, tmp_path: Path) -> None:
    official.write_bytes(official.read_bytes()[:-100])
    with pytest.raises(Problem, match="is damaged"):
        hippocampus.download(tmp_path / "kept", lambda done, total: None)
    official.unlink()
    with pytest.raises(Problem, match="cannot be downloaded"):
        hippocampus.download(tmp_path / "kept", lambda done, total: None)
    assert not list((tmp_path / "kept").iterdir())


def test_both_are_offered_in_slicers_sample_data_with_licence_and_checksum(panel_here: OpenPanel) -> None:
    slicer.app.startupCompleted.emit()
    sources = {each.sampleName: each for each in slicer.modules.sampleDataSources["MedSSL"]}
    assert set(sources) == {"Made-up kidneys", "Hippocampus (MSD Task04)"}
    assert sources["Hippocampus (MSD Task04)"].checksums == ["MD5:9d24dba78a72977dbd1d2e110310f31b"]
    assert all(Path(each.thumbnailFileName).is_file() for each in sources.values())
    assert "CC-BY-SA 4.0" in panel_here.find("downloadButton").toolTip
