"""A volume of the scene that is cancelled on its way to the engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from learning import new_project
from medssl.client import Client, EngineError, Project
from MedSSLLib import apply_files
from MedSSLLib.volumes import add_volume
from MedSSLLib.voxel_files import read_volume
from panels import OpenPanel
from test_remote_refusals import left_there

CANCELLED = "The segmentation was cancelled."


@pytest.fixture(params=["this computer", "another computer"])
def opened(panel: OpenPanel, project: Project, request: pytest.FixtureRequest) -> OpenPanel:
    """The section Apply with an engine of this computer, and with one of another."""
    panel.ready()
    client = panel.session.client
    panel.session.set_client(client, shares_disk=request.param == "this computer")
    panel.session.set_project(client.project(project.key))
    panel.widget.panel.open("apply")
    panel.wait_until(lambda: panel.find("applyModelBox").count > 0)
    return panel


def add_scan(dataset: Path) -> Any:
    return add_volume(read_volume(dataset / "imagesTs" / "small_7.nii.gz"), "T1")


def handed_over(panel: OpenPanel) -> set[Path]:
    """The scans that lie where the engine finds them."""
    cache = Path(panel.session.project.folder) / "cache"
    return {*cache.rglob("scan.nrrd"), *left_there(panel)}


def settled(panel: OpenPanel) -> None:
    panel.wait_until(lambda: not panel.session.background._pending, 60)


def held_back(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, after: bool) -> tuple[Event, Event]:
    """Let a call wait, before it does anything or after it did; returns what tells of it, and lets it go."""
    reached, go_on = Event(), Event()
    call: Callable[..., object] = getattr(owner, name)

    def slow(*arguments: object, **more: object) -> object:
        found = call(*arguments, **more) if after else None
        reached.set()
        assert go_on.wait(60)
        return found if after else call(*arguments, **more)

    monkeypatch.setattr(owner, name, slow)
    return reached, go_on


def test_a_volume_that_is_cancelled_before_it_is_handed_over_begins_no_job(
    opened: OpenPanel, project: Project, small_dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, jobs = handed_over(opened), opened.session.client.jobs(project.key)
    reached, go_on = held_back(monkeypatch, apply_files, "write_snapshot", after=True)
    opened.find("volumeSelector").setCurrentNode(add_scan(small_dataset))
    opened.click("segmentVolumeButton")
    opened.wait_until(reached.is_set)
    opened.click("cancelVolumeButton")
    assert opened.find("volumeOutcomeLabel").text == CANCELLED
    assert opened.find("segmentVolumeButton").enabled
    go_on.set()
    settled(opened)
    assert opened.session.client.jobs(project.key) == jobs
    assert handed_over(opened) == before
    assert opened.find("volumeOutcomeLabel").text == CANCELLED
    assert not opened.find("cancelVolumeButton").enabled


def test_a_volume_that_is_cancelled_while_it_is_uploaded_does_not_stay_there(
    remote: OpenPanel, project: Project, small_dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote.widget.panel.open("apply")
    before, jobs = left_there(remote), remote.session.client.jobs(project.key)
    reached, go_on = held_back(monkeypatch, Client, "upload", after=True)
    remote.find("volumeSelector").setCurrentNode(add_scan(small_dataset))
    remote.click("segmentVolumeButton")
    remote.wait_until(reached.is_set)
    assert left_there(remote) != before
    remote.click("cancelVolumeButton")
    go_on.set()
    settled(remote)
    assert remote.session.client.jobs(project.key) == jobs
    assert left_there(remote) == before
    assert remote.find("volumeOutcomeLabel").text == CANCELLED


def test_a_job_that_had_begun_just_before_its_volume_was_cancelled_is_cancelled_too(
    opened: OpenPanel,
    project: Project,
    engine: Client,
    small_dataset: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = handed_over(opened)
    reached, go_on = held_back(monkeypatch, Client, "submit", after=True)
    opened.find("volumeSelector").setCurrentNode(add_scan(small_dataset))
    opened.click("segmentVolumeButton")
    opened.wait_until(reached.is_set)
    opened.click("cancelVolumeButton")
    opened.session.set_project(new_project(engine, small_dataset))  # the job is of the one before
    go_on.set()
    opened.wait_until(lambda: all(job.over for job in engine.jobs(project.key)), 60)
    (job,) = engine.jobs(project.key)
    assert job.state == "cancelled"
    settled(opened)
    opened.session.set_project(project)
    assert handed_over(opened) == before
    assert opened.find("volumeOutcomeLabel").text == CANCELLED


def test_an_error_after_a_cancel_is_of_no_interest(
    opened: OpenPanel, small_dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(client: Client, *arguments: object) -> None:
        raise EngineError("too_large", "The scan is too large.", "Use a smaller one.")

    monkeypatch.setattr(Client, "upload", refuse)
    monkeypatch.setattr(Client, "submit", refuse)
    reached, go_on = held_back(monkeypatch, apply_files, "write_snapshot", after=False)
    opened.find("volumeSelector").setCurrentNode(add_scan(small_dataset))
    opened.click("segmentVolumeButton")
    opened.wait_until(reached.is_set)
    opened.click("cancelVolumeButton")
    go_on.set()
    settled(opened)
    assert opened.find("volumeOutcomeLabel").text == CANCELLED
    assert "too large" not in opened.message
