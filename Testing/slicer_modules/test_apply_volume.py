"""A volume of the scene that is cancelled on its way, or whose result the network keeps back for a while."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import slicer
from learning import ActedEngine, new_project
from medssl.client import Client, EngineError, Project
from MedSSLLib import apply_files
from MedSSLLib.volumes import add_volume
from MedSSLLib.voxel_files import read_volume
from panels import OpenPanel
from test_apply_section import begin, finish
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


def lose_result(
    panel: OpenPanel, project: Project, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> pytest.MonkeyPatch:
    """Let a volume be segmented while results cannot be fetched; `undo` of what is returned mends that."""
    acted, broken = ActedEngine(monkeypatch, project), pytest.MonkeyPatch()

    def unreachable(*_arguments: object) -> None:
        raise EngineError("unreachable", "The engine at X does not answer.", "Check that it runs.")

    output = begin(panel, acted, add_scan(dataset))
    broken.setattr(apply_files, "fetch_result", unreachable)
    finish(acted.jobs[0], output, dataset)
    panel.wait_until(lambda: "does not answer" in panel.find("volumeBusyLabel").text)
    return broken


def test_a_result_that_the_network_kept_back_is_fetched_when_the_engine_answers_again(
    opened: OpenPanel, project: Project, small_dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = handed_over(opened)
    broken = lose_result(opened, project, small_dataset, monkeypatch)
    assert opened.find("volumeBusyLabel").text == (
        "T1 is segmented, but the engine does not answer. The segmentation is fetched as soon as it does."
    )
    assert not slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    broken.undo()
    opened.widget.panel.views["apply"].volume._again.interval = 1
    opened.wait_until(lambda: slicer.util.getNodesByClass("vtkMRMLSegmentationNode"))
    assert opened.find("volumeBusyLabel").text == ""
    assert opened.find("segmentVolumeButton").enabled
    settled(opened)
    assert handed_over(opened) == before


def test_a_result_that_the_network_kept_back_is_fetched_once_the_panel_has_an_engine_again(
    opened: OpenPanel, project: Project, small_dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = lose_result(opened, project, small_dataset, monkeypatch)
    client, shares_disk = opened.session.client, opened.session.files.shares_disk
    opened.session.set_client(None)
    broken.undo()
    opened.widget.panel.views["apply"].volume._look()  # its time to try comes while there is no engine
    settled(opened)
    assert not opened.find("segmentVolumeButton").enabled
    opened.session.set_client(client, shares_disk)
    opened.wait_until(lambda: slicer.util.getNodesByClass("vtkMRMLSegmentationNode"))


def test_a_result_that_cannot_be_fetched_can_be_given_up(
    opened: OpenPanel, project: Project, small_dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = handed_over(opened)
    broken = lose_result(opened, project, small_dataset, monkeypatch)
    opened.click("cancelVolumeButton")
    assert opened.find("volumeOutcomeLabel").text == CANCELLED
    settled(opened)
    assert handed_over(opened) == before
    broken.undo()
    opened.session.engine_changed.emit()
    settled(opened)
    assert not slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    assert opened.find("segmentVolumeButton").enabled
