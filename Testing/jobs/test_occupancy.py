"""An environment in which a job runs is not removed, also when no engine knows of the job any more."""

from __future__ import annotations

import os
import site
import subprocess
import sys
import time
import venv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import medssl
import psutil
import pytest
from bootstrap_lib.installation import program
from bootstrap_lib.stamp import Stamp, read_stamp, write_stamp
from medssl.jobs import ImportRequest
from medssl.jobs.launching import WORKER
from medssl.jobs.run import queue_job
from medssl.occupancy import occupants
from medssl.phantom import SCHEMA
from medssl.processes import end_tree
from medssl.project import Project

_BACKEND = Path(medssl.__file__).parents[1]
_PATIENCE_S = 120.0


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """An environment as `bootstrap.py` makes it, which finds its packages where the tests find theirs."""
    folder = tmp_path / "environment"
    venv.create(folder, symlinks=os.name != "nt")
    packages = next(folder.rglob("site-packages"))
    places = [str(_BACKEND), *site.getsitepackages()]
    (packages / "elsewhere.pth").write_text("\n".join(places), encoding="utf-8")
    write_stamp(folder, Stamp("ready", folder=str(folder), backend=str(_BACKEND), torch="cpu"))
    return folder


def _bootstrap(command: str, environment: Path) -> subprocess.CompletedProcess[str]:
    bootstrap = [sys.executable, _BACKEND / "bootstrap.py", command, "--env", environment]
    return subprocess.run(bootstrap, capture_output=True, text=True, check=False, timeout=_PATIENCE_S)


def _until(reached: Callable[[], bool]) -> None:
    began = time.monotonic()
    while not reached():
        assert time.monotonic() - began < _PATIENCE_S, "it did not happen"
        time.sleep(0.02)


def test_an_environment_is_removed_only_when_no_job_runs_in_it(
    environment: Path, tmp_path: Path, large_dataset: Path
) -> None:
    with Project.create(tmp_path / "project", SCHEMA) as project:
        job = queue_job(project, ImportRequest(folder=large_dataset))
        command = [program(environment, "python"), "-m", WORKER, project.folder, job.id]
        with subprocess.Popen(command) as worker:
            _until(lambda: bool(occupants(environment)))

            refused = _bootstrap("remove", environment)

            assert refused.returncode == 1
            assert f"the job {job.id} (import) of the project {project.folder} runs in it" in refused.stderr
            assert "cancel" in refused.stderr
            assert program(environment, "python").exists()
            stamp = read_stamp(environment)
            assert stamp is not None
            write_stamp(environment, replace(stamp, state="unfinished"))  # installing would empty the folder
            assert "is needed" in _bootstrap("install", environment).stderr
            assert project.job(job.id).state == "running"

            end_tree(psutil.Process(worker.pid))

    assert _bootstrap("remove", environment).returncode == 0
    assert not environment.exists()


def test_a_job_that_has_ended_leaves_nothing_in_its_environment(
    environment: Path, tmp_path: Path, small_dataset: Path
) -> None:
    before = sorted(environment.iterdir())
    with Project.create(tmp_path / "project", SCHEMA) as project:
        job = queue_job(project, ImportRequest(folder=small_dataset, annotated=0))
        command = [program(environment, "python"), "-m", WORKER, project.folder, job.id]
        subprocess.run(command, check=True, timeout=_PATIENCE_S)
        assert project.job(job.id).state == "finished"
    assert sorted(environment.iterdir()) == before
