"""Projects for tests of the panels that learn: made-up scans, proposals, and jobs that a test acts itself.

A real training takes seconds of everyone's time before its first step. Where only its reports matter, a test
writes them as a job's own process would; the engine reads and sends them like any others.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from medssl.client import Client, Job, Options, Project
from medssl.events import Event, Metric, Monitor, Progress, State
from medssl.imaging.reading import read_volume
from medssl.jobs import REQUEST
from medssl.jobs.files import RESULT_FILE, JobFiles
from medssl.learning.card import CARD, ModelCard
from medssl.phantom import SCHEMA
from medssl.processes import process_mark
from medssl.project import DATABASE_NAME
from medssl.project import Project as OpenProject
from medssl.project.records import UncertainRegion
from medssl.storage import write_text


def new_project(client: Client, dataset: Path, annotated: int = 1, validation: int = 1) -> Project:
    """Open a project of the small data set: 6 cases, some of them annotated, the last ones for validation."""
    made = _made(dataset, annotated, validation)
    folder = dataset.parent / f"project {uuid.uuid4().hex[:8]}"
    shutil.copytree(made, folder)
    return client.open_project(folder)


@cache
def _made(dataset: Path, annotated: int, validation: int) -> Path:
    """Make a project once for all tests, each of which works on a copy."""
    folder = dataset.parent / f"made {annotated} {validation}"
    with OpenProject.create(folder, SCHEMA, name="Kidneys") as project:
        for number in range(1, 7):
            name = f"small_{number}"
            role = "validation" if number > 6 - validation else "training"
            project.add_case(name, [dataset / "imagesTr" / f"{name}.nii.gz"], role=role)
            if number <= annotated or role == "validation":
                project.save_annotation(name, dataset / "labelsTr" / f"{name}.nii.gz")
    return folder


def propose(project: Project, *cases: str) -> None:
    """Let a made-up model propose a block for cases, the first one the most uncertain.

    The block's outline is uncertain, one corner of it most.
    """
    with OpenProject.open(Path(project.folder)) as opened:
        for place, name in enumerate(cases):
            shape = read_volume(opened.case(name).channels[0]).grid.shape
            values = np.zeros(shape, np.uint8)
            values[4:12, 6:16, 5:14] = 1
            values[6:10, 9:12, 8:11] = 2
            uncertain = np.zeros(shape, np.float32)
            uncertain[3:13, 5:17, 4:15] = 0.4
            uncertain[5:11, 7:15, 6:13] = 0.02
            uncertain[3:6, 5:8, 4:7] = 0.9
            opened.add_pseudo_label(
                name,
                values,
                uncertain,
                score=0.5 - 0.1 * place,
                model_id="model-1",
                worst_slice=4,
                regions=(
                    UncertainRegion((3, 5, 4, 6, 8, 7), (4, 6, 5), 0.3),
                    UncertainRegion((3, 5, 4, 13, 17, 15), (8, 11, 9), 0.7),
                ),
            )


def project_with_proposals(client: Client, dataset: Path, *cases: str) -> Project:
    """A new project with an annotated case, and proposals for others, the most uncertain first."""
    project = new_project(client, dataset)
    propose(project, *cases)
    return client.project(project.key)


class ActedJob:
    """A job whose process only sleeps, while the test says what it reports."""

    def __init__(self, project: Project, request: Mapping[str, Any]) -> None:
        self._project = OpenProject.open(Path(project.folder))
        wanted = REQUEST.validate_python(request)
        self._row = self._project.new_job(wanted.kind, wanted.model_dump_json())
        self._project.advance_job(self._row, "running")
        # Not this process: the engine ends that of a job which does not stop when it is asked to.
        self._sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
        with closing(sqlite3.connect(Path(project.folder) / DATABASE_NAME)) as database, database:
            database.execute(
                "UPDATE job SET process_id = ?, process_mark = ? WHERE id = ?",
                (self._sleeper.pid, process_mark(self._sleeper.pid), self._row.id),
            )
        self._files = JobFiles(self._row.folder, Monitor())
        self.report(State(state="running"))

    @property
    def id(self) -> str:
        return self._row.id

    @property
    def folder(self) -> Path:
        return self._row.folder

    def report(self, *events: Event) -> None:
        """Write events as a job does."""
        for event in events:
            self._files.emit(event)

    def learn(self, steps: Sequence[int], dice: bool = True, of: int = 100) -> None:
        """Report the progress and the losses of a training's steps, and the Dice now and then."""
        for step in steps:
            self.report(
                Progress(stage="Training", done=step, total=of, left_s=float(of - step)),
                Metric(name="loss", value=1 / step, step=step),
                Metric(name="segmentation", value=0.9 / step, step=step),
            )
            if dice and step % 2 == 0:
                self.report(
                    Metric(name="dice/Kidney", value=1 - 1 / step, step=step),
                    Metric(name="dice/Renal pelvis", value=0.5 - 0.5 / step, step=step),
                )

    def end(self, state: str = "finished", error: str = "", remedy: str = "", **result: Any) -> None:
        """Come to the end; `result` is what a finished job of its kind gives back."""
        if result:
            write_text(self._row.folder / RESULT_FILE, json.dumps(result, default=str))
        last = State.model_validate({"state": state, "error": error, "remedy": remedy})
        self._project.set_job_state(self.id, last.state, error=error, remedy=remedy)
        self.report(last)
        self._files.__exit__()
        self._project.close()
        self._sleeper.kill()
        self._sleeper.wait()


class ActedEngine:
    """Takes what a panel submits, checks it as the real engine would, and leaves the acting to the test.

    Attributes:
        asked: the requests, the last one at the end.
        jobs: what came of them.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, project: Project) -> None:
        self.asked: list[Mapping[str, Any]] = []
        self.jobs: list[ActedJob] = []

        def submit(client: Client, key: str, request: Mapping[str, Any]) -> Job:
            self.asked.append(request)
            self.jobs.append(ActedJob(project, request))
            return client.job(key, self.jobs[-1].id)

        monkeypatch.setattr(Client, "submit", submit)


def run(client: Client, project: str, request: Mapping[str, Any]) -> Job:
    """Do a job to its end, which must be a good one."""
    job = client.submit(project, request)
    end = time.monotonic() + 100
    while not job.over:
        assert time.monotonic() < end, f"The job {job.kind} took too long."
        time.sleep(0.05)
        job = client.job(project, job.id)
    assert job.state == "finished", job.error
    return job


def shorten(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let every effort that the engine offers take only so long."""
    asked = Client.options

    def options(client: Client) -> Options:
        found = asked(client)
        short = {"seconds": seconds}
        efforts = tuple(
            dataclasses.replace(
                each,
                train={**each.train, **short},
                refine={**each.refine, **short},
                pretrain={**each.pretrain, **short},
            )
            for each in found.efforts
        )
        return dataclasses.replace(found, efforts=efforts)

    monkeypatch.setattr(Client, "options", options)


def register_model(project: Project, annotated: int = 1, name: str = "Supervised", **card: Any) -> str:
    """Give a project a model with a card and no weights; returns its id."""
    facts = {
        "name": name,
        "method": "supervised",
        "heads": ("segmentation",),
        "created": "2026-01-02T03:04:05+00:00",
        "medssl_version": "0.1.0",
        "annotated_cases": annotated,
        "unannotated_cases": 0,
        "steps": 10,
        "seconds": 5.0,
        "seed": 0,
        **card,
    }
    with OpenProject.open(Path(project.folder)) as opened:
        model_id, folder = opened.new_model_folder()
        folder.mkdir(parents=True, exist_ok=True)
        made = ModelCard.model_validate({"id": model_id, **facts})
        write_text(folder / CARD, made.model_dump_json())
        opened.register_model(model_id, name=name, method=made.method, can_segment=bool(made.heads))
    return model_id
