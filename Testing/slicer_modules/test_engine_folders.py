"""Folders outside the home folder, with real engines that may touch no more than it at first."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import slicer
from medssl.client import Job
from medssl.phantom import SCHEMA
from medssl.project import Project as OpenProject
from MedSSLLib.project_logic import ProjectLogic
from MedSSLLib.schema_logic import added
from panels import OpenPanel


@pytest.fixture
def home(alone: OpenPanel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home folder of a person whose engine is set up, and does not run."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("MEDSSL_ENGINE_PYTHON", sys.executable)
    monkeypatch.setattr(slicer.util, "startupEnvironment", lambda: dict(os.environ))
    return folder


@pytest.fixture
def busy(alone: OpenPanel, home: Path) -> Iterator[Job]:
    """A job that runs for as long as the test, in a project that is open."""
    _make_project(home / "kidneys")
    alone.session.engine.start()
    alone.ready()
    client = alone.session.client
    project = client.open_project(home / "kidneys")
    job = client.submit(project.key, {"kind": "sample", "cases": 1000})
    alone.session.set_project(project)
    alone.wait_until(lambda: alone.session.jobs.active, 60)
    yield job
    client.cancel(project.key, job.id)


def _make_project(folder: Path) -> None:
    with OpenProject.create(folder, SCHEMA, name=folder.name):
        pass


def _logic(panel: OpenPanel) -> ProjectLogic:
    return panel.widget.panel.views["project"].logic


def _folder(panel: OpenPanel) -> str:
    project = panel.session.project
    return "" if project is None else project.folder


def test_a_folder_chosen_while_the_engine_works_is_refused_and_all_else_goes_on(
    alone: OpenPanel, home: Path, busy: Job, tmp_path: Path
) -> None:
    _make_project(tmp_path / "elsewhere")
    client, logic = alone.session.client, _logic(alone)
    logic.open(str(tmp_path / "elsewhere"))
    alone.wait_until(lambda: "it is working" in alone.message, 60)
    assert "Wait for its job" in alone.message
    alone.wait_until(lambda: not logic.busy)
    assert alone.session.client is client
    assert alone.session.engine.status.grade == "ready"
    assert _folder(alone) == str(home / "kidneys")
    assert alone.session.settings.texts("engine.folders") == ()
    done = len(client.events(client.open_project(home / "kidneys").key, busy.id))
    track = alone.session.jobs.track(busy.id)
    alone.wait_until(lambda: track.last > done, 60)  # it is still listened to


def test_an_engine_that_works_is_taken_as_it_is_where_remembered_folders_are_not_allowed(
    alone: OpenPanel, busy: Job, tmp_path: Path
) -> None:
    settings = alone.session.settings
    settings.remember("engine.folders", [str(tmp_path)])
    alone.session.set_client(None)
    alone.session.engine.start()
    alone.ready()
    assert alone.session.engine.status.grade == "ready"
    assert "it is working" in alone.message


def test_scans_of_a_folder_are_refused_while_the_engine_works_and_may_be_added_later(
    alone: OpenPanel, busy: Job, tmp_path: Path
) -> None:
    (tmp_path / "scans").mkdir()
    adding = alone.widget.panel.views["project"].adding
    adding.from_disk(tmp_path / "scans", copy_files=True)
    alone.wait_until(lambda: "it is working" in alone.message, 60)
    alone.wait_until(lambda: not adding.busy)


def test_a_project_is_made_in_a_folder_outside_that_is_not_there_yet(
    alone: OpenPanel, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "disk").mkdir()
    folder, logic = tmp_path / "disk" / "studies" / "kidneys", _logic(alone)
    logic.create("Kidneys", folder, added(()), (), ["image"])
    alone.wait_until(lambda: alone.session.project is not None or alone.message, 60)
    assert _folder(alone) == str(folder), alone.message
    assert alone.session.settings.value("project.parent", "") == str(folder.parent)
    assert alone.session.settings.texts("engine.folders") == (str(folder),)


def test_a_place_where_no_project_could_be_made_is_not_proposed_again(
    alone: OpenPanel, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    _logic(alone).create("Kidneys", tmp_path / "file" / "kidneys", added(()), (), ["image"])
    alone.wait_until(lambda: alone.message and not _logic(alone).busy, 60)
    assert alone.session.project is None
    assert alone.session.settings.value("project.parent", "") == ""


def test_a_project_of_sample_scans_comes_into_a_folder_outside(
    alone: OpenPanel, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("MedSSLLib.sample_data._SCANS", 4)
    alone.session.settings.remember("project.parent", str(tmp_path / "disk" / "studies"))
    alone.session.samples.make_up()
    alone.wait_until(lambda: alone.session.project is not None or alone.message, 60)
    assert _folder(alone) == str(tmp_path / "disk" / "studies" / "Made-up kidneys"), alone.message
    alone.wait_until(lambda: not alone.session.jobs.active, 60)


def test_the_project_of_last_time_is_opened_by_an_engine_that_must_be_started(
    alone: OpenPanel, home: Path, tmp_path: Path
) -> None:
    _make_project(tmp_path / "elsewhere")
    alone.session.settings.remember("project.folder", str(tmp_path / "elsewhere"))
    alone.reopen()
    alone.wait_until(lambda: alone.session.project is not None or alone.message, 60)
    assert _folder(alone) == str(tmp_path / "elsewhere"), alone.message


def test_sample_scans_are_made_however_soon_they_are_asked_for(
    alone: OpenPanel, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from MedSSLLib import sample_data

    monkeypatch.setattr(sample_data, "_SCANS", 4)
    alone.close()
    alone._open()
    sample_data._open_module().make_up()  # as Slicer's module Sample Data does it
    alone.wait_until(lambda: alone.session.project is not None, 60)
    alone.wait_until(lambda: not alone.session.jobs.active, 60)
