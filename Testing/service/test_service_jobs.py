"""Jobs over HTTP: started, watched live and from any event on, cancelled, resumed, and found again."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from medssl.client import Client, EngineError, Event, Job, Project
from medssl.events import Log, Metric, Monitor, Progress, State
from medssl.jobs.files import EVENTS_FILE, JobFiles
from medssl.project import Project as OpenProject
from service_engine import Engine, write_drawing, write_scan


@pytest.fixture(scope="module")
def project(engine: Engine) -> Project:
    return engine.new_project()


def write_dataset(folder: Path, count: int) -> Path:
    """Write a Decathlon-style data set."""
    training = []
    for number in range(count):
        name = f"case{number}.nii.gz"
        write_scan(folder / "imagesTr" / name, seed=number)
        write_drawing(folder / "labelsTr" / name)
        training.append({"image": f"./imagesTr/{name}", "label": f"./labelsTr/{name}"})
    labels = {"0": "background", "1": "Head", "2": "Body"}
    content = {"name": "made up", "channel_names": {"0": "image"}, "modality": {"0": "MRI"}, "labels": labels}
    (folder / "dataset.json").write_text(json.dumps({**content, "training": training, "test": []}))
    return folder


@pytest.fixture(scope="module")
def finished(engine: Engine, project: Project) -> Iterator[tuple[Job, list[Event]]]:
    """An import that was watched from its start to its end, and the events that were told."""
    dataset = write_dataset(engine.root / "dataset", 4)
    job = engine.client.submit(
        project.key, {"kind": "import", "folder": str(dataset), "annotated": 2, "role": "validation"}
    )
    told: list[Event] = []
    states: list[str] = []
    reader = engine.client.watch(project.key, job.id, told.append, states.append)
    assert reader.join(90)
    assert states == ["finished"]
    yield engine.client.job(project.key, job.id), told


def test_a_job_is_watched_from_its_start_to_its_result(
    engine: Engine, project: Project, finished: tuple[Job, list[Event]]
) -> None:
    job, told = finished
    assert (job.state, job.over, job.error) == ("finished", True, "")
    assert job.result is not None
    assert (job.result["cases"], job.result["annotated"]) == (4, 2)
    assert job.request is not None
    assert job.request["annotated"] == 2
    assert engine.client.cases(project.key).total == 4
    assert engine.client.cases(project.key, role="validation").total == 4
    assert [event.state for event in told if event.kind == "state"] == ["queued", "running", "finished"]
    last = [event for event in told if event.kind == "progress"][-1]
    assert (last.done, last.total) == (4, 4)
    assert "finished" in engine.client.job_log(project.key, job.id)


def test_jobs_come_page_by_page_with_the_number_of_all(engine: Engine) -> None:
    project = engine.new_project()
    with OpenProject.open(Path(project.folder)) as opened:
        ids = [opened.new_job("predict", "{}").id for _ in range(5)][::-1]
    pages = [engine.client.jobs(project.key, offset=offset, limit=2) for offset in (0, 2, 4, 6)]
    assert [[job.id for job in page] for page in pages] == [ids[:2], ids[2:4], ids[4:], []]
    last = engine.request("GET", f"/v1/projects/{project.key}/jobs?offset=4&limit=2").json()
    assert (last["total"], len(last["jobs"])) == (5, 1)


def test_all_events_of_a_job_are_read_in_whatever_pages_they_come(engine: Engine) -> None:
    project = engine.new_project()
    with OpenProject.open(Path(project.folder)) as opened:
        job = opened.new_job("predict", "{}")
        opened.set_job_state(job.id, "cancelled")
    lines = [Log(text=f"line {number}").model_dump_json() for number in range(1, 12_001)]
    (job.folder / EVENTS_FILE).write_text("\n".join([*lines, ""]), encoding="utf-8")
    page = engine.request("GET", f"/v1/projects/{project.key}/jobs/{job.id}/events").json()
    assert len(page["events"]) < len(lines)
    events = engine.client.events(project.key, job.id, after=3)
    assert [event.number for event in events] == list(range(4, 12_001))


def test_events_are_the_same_by_polling_by_stream_and_from_any_number_on(
    engine: Engine, project: Project, finished: tuple[Job, list[Event]]
) -> None:
    job, told = finished
    assert list(engine.client.events(project.key, job.id)) == told
    middle = told[len(told) // 2].number
    rest = [event for event in told if event.number > middle]
    assert list(engine.client.events(project.key, job.id, after=middle)) == rest
    again: list[Event] = []
    assert engine.client.watch(project.key, job.id, again.append, after=middle).join(30)
    assert again == rest
    headers = {"Authorization": f"Bearer {engine.token}", "Last-Event-ID": str(middle)}
    address = f"/v1/projects/{project.key}/jobs/{job.id}/events/stream"
    stream = engine.request("GET", address, headers=headers).text
    assert [int(line[4:]) for line in stream.splitlines() if line.startswith("id: ")] == [
        event.number for event in rest
    ]
    assert stream.endswith("event: end\ndata: finished\n\n")


def test_a_model_is_pretrained_over_http_and_not_asked_to_segment(engine: Engine) -> None:
    project = engine.new_project()
    folder = engine.root / "unannotated"
    for number in range(2):
        write_scan(folder / f"{number}.nii.gz", seed=number)
    settings = {"method": "relative_location", "steps": 1, "device": "cpu"}
    body = {"kind": "pretrain", "settings": settings, "scans": str(folder)}
    job = engine.client.submit(project.key, body)
    assert engine.client.watch(project.key, job.id, lambda event: None).join(90)
    done = engine.client.job(project.key, job.id)
    assert done.result is not None, done.error
    (model,) = engine.client.models(project.key)
    assert (model.id, model.can_segment) == (done.result["model_id"], False)
    with pytest.raises(EngineError, match="is pretrained and cannot segment yet"):
        engine.client.submit(project.key, {"kind": "propose", "model": model.id})


@pytest.fixture
def running(project: Project) -> Iterator[tuple[OpenProject, JobFiles, str]]:
    """A job that this very process runs, so that the test decides what happens when."""
    with OpenProject.open(Path(project.folder)) as opened:
        row = opened.new_job("propose", json.dumps({"kind": "propose", "model": "m"}))
        with JobFiles(row.folder, Monitor()) as files:
            opened.set_job_state(row.id, "running")
            files.emit(State(state="running"))
            yield opened, files, row.id


def test_what_happens_is_told_while_it_happens(
    engine: Engine, project: Project, running: tuple[OpenProject, JobFiles, str]
) -> None:
    opened, files, job_id = running
    heard: list[Event] = []
    came = threading.Condition()

    def hear(event: Event) -> None:
        with came:
            heard.append(event)
            came.notify_all()

    reader = engine.client.watch(project.key, job_id, hear)
    for number in range(3):
        files.emit(Progress(stage="Proposing", done=number, total=3, left_s=1.0))
        files.emit(Metric(name="loss", value=float("nan"), step=number))
        with came:
            assert came.wait_for(lambda n=number: len(heard) >= 1 + 2 * (n + 1), timeout=20)
    assert heard[2].value != heard[2].value
    now = engine.client.job(project.key, job_id)
    assert now.progress is not None
    assert (now.state, now.progress.stage, now.progress.done) == ("running", "Proposing", 2)
    opened.set_job_state(job_id, "finished")
    files.emit(Log(text="one more"))
    files.emit(State(state="finished"))
    assert reader.join(20)
    assert (reader.state, heard[-1].state) == ("finished", "finished")
    assert [event.number for event in heard] == list(range(1, len(heard) + 1))


def test_who_hears_that_a_job_is_over_is_not_told_otherwise_after(engine: Engine, project: Project) -> None:
    client = engine.client
    told: dict[str, str] = {}
    with OpenProject.open(Path(project.folder)) as opened, ExitStack() as folders:
        readers = []
        for turn in range(8):
            row = opened.new_job("propose", json.dumps({"kind": "propose", "model": "m"}))
            files = folders.enter_context(JobFiles(row.folder, Monitor()))
            opened.set_job_state(row.id, "running")
            files.emit(State(state="running"))
            began = threading.Event()

            def ask(_: str, job: str = row.id) -> None:
                told[job] = client.job(project.key, job).state

            reader = client.watch(project.key, row.id, lambda _, began=began: began.set(), ask)
            assert began.wait(20)
            time.sleep(0.1 + 0.05 * turn)  # the service looks for events every half second
            assert client.job(project.key, row.id).state == "running"
            opened.set_job_state(row.id, "finished")
            files.emit(State(state="finished"))
            readers.append(reader)
        assert all(reader.join(20) for reader in readers)
    assert list(told.values()) == ["finished"] * 8


def test_a_job_that_a_list_called_finished_is_not_told_otherwise_after(
    engine: Engine, project: Project, running: tuple[OpenProject, JobFiles, str]
) -> None:
    opened, _, job_id = running
    assert engine.client.job(project.key, job_id).state == "running"
    opened.set_job_state(job_id, "finished")
    assert {job.id: job.state for job in engine.client.jobs(project.key)}[job_id] == "finished"
    assert engine.client.job(project.key, job_id).state == "finished"


def test_a_job_that_cannot_work_says_why(engine: Engine, project: Project) -> None:
    job = engine.client.submit(project.key, {"kind": "import", "folder": str(engine.root / "nowhere")})
    reader = engine.client.watch(project.key, job.id, lambda event: None)
    assert reader.join(90)
    failed = engine.client.job(project.key, job.id)
    assert failed.state == "failed"
    assert "nowhere" in failed.error
    with pytest.raises(EngineError, match="nothing to cancel"):
        engine.client.cancel(project.key, job.id)
    assert engine.client.jobs(project.key)[0].id == job.id


def test_a_reader_survives_the_engine_and_hears_the_rest_from_the_next_one(
    start_engine: Iterator[Engine], tmp_path: Path
) -> None:
    first = start_engine("--port", "0")  # type: ignore[operator]  # a fixture's function
    project = first.new_project()
    with OpenProject.open(Path(project.folder)) as opened:
        row = opened.new_job("propose", json.dumps({"kind": "propose", "model": "m"}))
        with JobFiles(row.folder, Monitor()) as files:
            opened.set_job_state(row.id, "running")
            files.emit(State(state="running"))
            heard: list[Event] = []
            reader = first.client.watch(project.key, row.id, heard.append)
            wait_until(lambda: len(heard) == 1)
            first.process.kill()
            first.process.wait(20)
            wait_until(lambda: not reader.connected)
            files.emit(Log(text="meanwhile"))
            port = first.url.rsplit(":", 1)[1]
            second = start_engine("--port", port)  # type: ignore[operator]  # a fixture's function
            assert second.url == first.url
            second.client.open_project(project.folder)
            wait_until(lambda: len(heard) == 2)
            opened.set_job_state(row.id, "finished")
            files.emit(State(state="finished"))
            assert reader.join(30)
    assert [event.number for event in heard] == [1, 2, 3]


def test_a_reader_that_cannot_read_says_so_and_one_that_is_stopped_says_nothing(
    engine: Engine, project: Project, running: tuple[OpenProject, JobFiles, str]
) -> None:
    stranger = Client(engine.url, "wrong")
    told: list[EngineError] = []
    assert stranger.watch(project.key, "x", lambda event: None, on_error=told.append).join(20)
    assert told[0].code in ("token", "too_many")
    heard: list[Event] = []
    reader = engine.client.watch(project.key, running[2], heard.append)
    wait_until(lambda: bool(heard))
    reader.stop()
    running[1].emit(Log(text="nobody listens"))
    assert reader.join(20)
    assert len(heard) == 1


def wait_until(condition: object, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]  # a function without arguments
        assert time.monotonic() < deadline, "this did not happen in time"
        time.sleep(0.05)
