"""What other computers sent leaves the service's computer after a day, whoever died meanwhile."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from medssl.jobs import ImportRequest
from medssl.jobs.engine import Engine
from medssl.labels import LabelSchema
from medssl.project import Project
from medssl.service import ServiceSettings, app
from medssl.service.uploads import KEPT_S
from service_engine import write_scan

_PATIENCE_S = 60.0


@pytest.fixture
def settings(tmp_path: Path) -> ServiceSettings:
    """Those of a service that is open to others: it never ends by itself."""
    found = ServiceSettings(
        roots=(tmp_path / "root",), host="0.0.0.0", idle_s=None, state_folder=tmp_path / "state"
    )
    found.uploads.mkdir(parents=True)
    return found


def upload(settings: ServiceSettings, digit: str, days_old: float) -> Path:
    """Leave a folder with a scan in it, as one that was sent so many days ago."""
    folder = settings.uploads / (digit * 32)
    inside = folder / "sub"
    inside.mkdir(parents=True)
    scan = write_scan(inside / "scan.nii.gz")
    _make_old(days_old, scan, inside, folder)
    return folder


def _make_old(days: float, *places: Path) -> None:
    then = time.time() - days * KEPT_S
    for place in places:
        os.utime(place, (then, then))


async def _until(reached: Callable[[], bool]) -> None:
    began = time.monotonic()
    while not reached():
        assert time.monotonic() - began < _PATIENCE_S, "it did not happen"
        await asyncio.sleep(0.02)


def test_uploads_go_while_the_service_runs_but_not_those_of_a_job_that_outlived_another_service(
    settings: ServiceSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(app, "_TIDY_S", 0.2)  # an hour
    old, recent, wanted = (upload(settings, digit, days) for digit, days in (("a", 2), ("b", 0.5), ("c", 2)))
    written = upload(settings, "d", 2)  # results, the last of which was just written
    _make_old(0, written / "sub" / "scan.nii.gz")
    torn = settings.uploads / ".partial-1"
    torn.mkdir()
    _make_old(2, torn)
    with Project.create(tmp_path / "root" / "p", LabelSchema.of_names({1: "Head"})) as project:
        killed = Engine(memory=settings.state_folder / "unfinished.json")  # it never came to start the job
        job = killed.submit(project.folder, ImportRequest(folder=wanted, copy_files=True))

        async def run() -> None:
            made = app.create_app(settings)
            async with made.router.lifespan_context(made):
                await _until(lambda: not old.exists() and not torn.exists())
                assert recent.exists()
                assert written.exists()
                await _until(lambda: project.job(job.id).state == "finished")
                assert project.count_cases() == 1
                _make_old(2, recent / "sub" / "scan.nii.gz", recent / "sub", recent)
                await _until(lambda: not recent.exists() and not wanted.exists())
                assert written.exists()

        asyncio.run(run())
