"""Requests made up from the API's own description, fitting and not fitting it: none breaks the service.

MEDSSL_FUZZ=500 tries so many of each kind at every address; without it a few are tried.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from medssl.client import Project
from medssl.events import Monitor, State
from medssl.jobs.files import JobFiles
from medssl.project import Project as OpenProject
from schemathesis import Case, GenerationMode
from schemathesis.schemas import APIOperation
from service_engine import Engine, propose, write_drawing, write_scan

_TRIED = int(os.environ.get("MEDSSL_FUZZ", "0")) or 2
# The first ends the service, the second never ends by itself, the third loads torch.
_LEFT_OUT = ("/v1/shutdown", "/v1/projects/{project}/jobs/{job}/events/stream", "/v1/doctor")
# Of the real ones, these would leave nothing to ask for: the one forgets the project, the other ends the
# process of the job, which is this one.
_NOT_OF_THE_REAL = {
    ("delete", "/v1/projects/{project}"): "project",
    ("post", "/v1/projects/{project}/jobs/{job}/cancel"): "job",
}
_ANSWER_S = 60


@pytest.fixture(scope="module")
def busy_project(engine: Engine) -> Iterator[tuple[Project, str]]:
    """A project with something of everything, and a job that keeps the device busy: jobs wait behind it."""
    made = engine.new_project()
    client = engine.client
    scan, drawing = write_scan(engine.root / "schema.nii.gz"), write_drawing(engine.root / "schema-d.nii.gz")
    for name in ("a", "b"):
        case = client.add_case(made.key, name, [scan])
    client.save_annotation(made.key, case.id, drawing)
    with OpenProject.open(Path(made.folder)) as opened:
        propose(opened, "a", 0.5)
        row = opened.new_job("propose", json.dumps({"kind": "propose", "model": "m"}))
        with JobFiles(row.folder, Monitor()) as files:
            opened.set_job_state(row.id, "running")
            files.emit(State(state="running"))
            client.forget_project(made.key)
            yield client.open_project(made.folder), row.id
            opened.set_job_state(row.id, "cancelled")


@pytest.mark.timeout(120 + 30 * _TRIED)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["fitting", "not"])
def test_no_request_made_up_from_the_description_breaks_the_service(
    engine: Engine, busy_project: tuple[Project, str], mode: GenerationMode
) -> None:
    described = requests.get(f"{engine.url}/openapi.json", timeout=60).json()
    project, job = busy_project
    real: dict[str, object] = {"project": project.key}
    if mode is GenerationMode.POSITIVE:
        real |= {"case": 1, "job": job, "version": 1, "channel": 0}
    tried = 0
    for found in schemathesis.openapi.from_dict(described).get_all_operations():
        operation = found.ok()
        if operation.path in _LEFT_OUT:
            continue
        spared = _NOT_OF_THE_REAL.get((operation.method, operation.path))
        known = {name: value for name, value in real.items() if name != spared}
        with suppress(Unsatisfiable):  # there is no wrong way to ask for what takes nothing
            tried += _ask(operation, engine, known, mode)
    assert tried > 40
    assert engine.client.service().version


def _ask(operation: APIOperation, engine: Engine, known: dict[str, object], mode: GenerationMode) -> int:
    """Ask in many ways, and return in how many."""
    headers = {"Authorization": f"Bearer {engine.token}"}
    tried = 0

    @settings(
        max_examples=_TRIED,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Case) -> None:
        nonlocal tried
        tried += 1
        path = case.path_parameters or {}
        case.path_parameters = {name: known.get(name, value) for name, value in path.items()}
        answer = case.call(base_url=engine.url, headers=headers, timeout=_ANSWER_S)
        assert answer.status_code < 500, f"{case.as_curl_command()}\n{answer.text}"
        if answer.status_code >= 400:
            assert set(answer.json()) == {"code", "message", "remedy", "detail"}

    ask()
    return tried
