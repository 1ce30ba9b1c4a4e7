"""What somebody without the token can try: on the network, and as another user of the same computer."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest
import requests
import uvicorn
from medssl.cli.app import run
from medssl.cli.journeys import Journey
from medssl.cli.luggage import Luggage
from medssl.client import EngineError, Folder, FolderEntry, attach, engine_state
from medssl.endpoint import ENDPOINT_FILE, TOKEN_FILE, Endpoint, endpoint_text, state_folder
from medssl.errors import StorageError, UsageError
from medssl.events import Monitor
from medssl.jobs import ExportModelResult, ImportRequest, JobResult
from medssl.jobs.files import LOG_FILE, RESULT_FILE
from medssl.jobs.launching import open_log, start_worker
from medssl.jobs.run import queue_job
from medssl.labels import LabelSchema, Segment
from medssl.project import Project
from medssl.service import protocol
from medssl.service.routers import files
from medssl.service.token import closing_command
from service_engine import Engine, environment, write_scan
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Message


def connection_to(engine: Engine) -> socket.socket:
    host, port = engine.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=30)


def test_a_head_that_never_ends_is_not_listened_to(engine: Engine) -> None:
    before = engine.process.memory_info().rss
    for opening in (b"GET /v1/health?x=", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: "):
        with connection_to(engine) as stranger, pytest.raises(OSError, match=r"reset|pipe"):
            stranger.sendall(opening)
            for _ in range(2000):
                stranger.sendall(bytes([120]) * 65536)
    assert engine.process.memory_info().rss - before < 20 << 20
    assert engine.client.service()


def test_a_large_first_piece_is_an_ordinary_request(engine: Engine) -> None:
    """A head and its body that come at once, and a refused body that goes on coming."""
    many = {f"X-{number}": "y" * 1000 for number in range(40)}
    headers = {**many, "Authorization": f"Bearer {engine.token}"}
    body = {"folder": "x" * 500_000}
    assert engine.request("POST", "/v1/projects/open", headers=headers, json=body).status_code == 403
    assert engine.request("POST", "/v1/uploads", headers=many, data=bytes(3 << 20)).status_code in (401, 429)


@contextmanager
def patient_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A small server with the service's protocol and little patience; gives its port."""
    monkeypatch.setattr(protocol, "HEAD_S", 0.3)
    bound = socket.create_server(("127.0.0.1", 0))
    answer = PlainTextResponse("here")
    config = uvicorn.Config(answer, http=protocol.PatientProtocol, log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[bound])), daemon=True)
    thread.start()
    yield bound.getsockname()[1]
    server.should_exit = True
    thread.join(10)


def test_whoever_connects_and_says_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    with patient_server(monkeypatch) as port:
        silent = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(5)]
        silent[0].sendall(b"GET / HTT")
        silent[1].sendall(b"GET / HTTP/1.1\r\nX: ")
        with pytest.raises(OSError, match=r"reset|pipe"):  # whoever goes on and on is not heard longer
            for _ in range(1000):
                silent[1].sendall(b"x")
                time.sleep(0.01)
        silent.pop(1).close()
        for each in silent:
            assert each.recv(100) == b""
            each.close()
        with requests.Session() as session:  # between two requests, uvicorn's longer patience counts
            for _ in range(2):
                assert session.get(f"http://127.0.0.1:{port}/").text == "here"
                time.sleep(0.5)


class Squatter(ThreadingHTTPServer):
    """Another user's program on the port of an engine that was killed; hands questions on to a real one."""

    def __init__(self, real: str) -> None:
        self.real = real
        self.told: list[str] = []
        super().__init__(("127.0.0.1", 0), _Squatting)


class _Squatting(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Squatter)
        server.told += self.headers.get_all("Authorization") or []
        answer = requests.get(server.real + self.path, timeout=10).content
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_GET  # noqa: N815 - the server calls it so

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def test_a_program_that_took_an_engines_port_does_not_get_the_token(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("HOME", "XDG_STATE_HOME", "LOCALAPPDATA"):  # of one system each
        monkeypatch.setenv(name, str(tmp_path))
    own = state_folder()
    own.mkdir(parents=True)
    squatter = Squatter(engine.url)
    threading.Thread(target=squatter.serve_forever, daemon=True).start()
    found = Endpoint(**{**vars(engine.endpoint), "url": f"http://127.0.0.1:{squatter.server_port}"})
    (own / ENDPOINT_FILE).write_text(endpoint_text(found))
    (own / TOKEN_FILE).write_text(engine.token)
    try:
        assert requests.get(f"{found.url}/v1/health", timeout=10).json()["instance"] == found.instance
        assert attach() is None
        assert not engine_state().running
        code = run(["--remote", found.url, "case", "list", "--project", str(engine.root)])
    finally:
        squatter.shutdown()
        squatter.server_close()
    assert squatter.told == []
    assert (code, "nothing else there gets its token" in capsys.readouterr().err) == (1, True)
    (own / ENDPOINT_FILE).write_text(endpoint_text(engine.endpoint))
    assert attach() is not None
    assert run(["--remote", engine.url, "case", "list", "--project", engine.new_project().folder]) == 0


def test_jobs_that_came_with_a_project_keep_to_the_allowed_folders(engine: Engine, tmp_path: Path) -> None:
    """Whoever may write in a shared project could ask our engine for the scans of our other folders."""
    private = tmp_path / "private"
    private.mkdir()
    write_scan(private / "scan.nii.gz")
    schema = LabelSchema(segments=(Segment(name="Head", value=1, colour=(1, 2, 3)),))
    with Project.create(engine.root / "shared", schema, ("image",), "Shared") as project:
        row = queue_job(project, ImportRequest(folder=private, copy_files=True))
    client = engine.client
    key = client.open_project(engine.root / "shared").key
    later = client.submit(key, {"kind": "import", "folder": str(engine.root / "shared")})
    while not client.job(key, later.id).over:
        time.sleep(0.1)
    assert (client.job(key, row.id).state, client.cases(key).total) == ("queued", 0)
    assert client.cancel(key, row.id).state == "cancelled"
    with pytest.raises(EngineError, match="outside the folders") as told:
        client.resume(key, row.id)
    assert told.value.status == 403
    assert client.job(key, row.id).state == "cancelled"


def test_modules_that_lie_in_a_shared_folder_are_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python before 3.11 always, and others without PYTHONSAFEPATH, look for modules where they start."""
    monkeypatch.setattr(
        "medssl.jobs.launching.worker_environment",
        lambda variables: {**variables, "PYTHONPATH": str(Path(protocol.__file__).parents[2].resolve())},
    )
    schema = LabelSchema(segments=(Segment(name="Head", value=1, colour=(1, 2, 3)),))
    with Project.create(tmp_path / "shared", schema, ("image",), "Shared") as project:
        row = queue_job(project, ImportRequest(folder=tmp_path / "nothing"))
        (row.folder / "faulthandler.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()")
        (row.folder / "psutil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()")
        with open_log(row) as log:
            start_worker(project.folder, row, log).wait(60)
        assert project.job(row.id).state == "failed"  # because there is no such folder
    assert not (tmp_path / "ran").exists()


def test_a_service_works_in_its_own_folder_wherever_it_is_started(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    script = "import sys; from medssl.cli import main; sys.argv[0] = 'medssl'; main()"
    command = [sys.executable, "-c", script, "serve", "--json", "--root", "scans", "--state-folder", "state"]
    with subprocess.Popen(command, cwd=shared, env=environment(), stdout=subprocess.PIPE) as started:
        assert started.stdout is not None
        assert b"state_folder" in started.stdout.readline()
        try:
            client = attach(shared / "state")
            assert client is not None
            assert client.service().roots == (str(shared / "scans"),)
            assert Path(psutil.Process(started.pid).cwd()) == shared / "state"
        finally:
            started.terminate()


def test_windows_is_told_to_close_the_token_to_everybody_else() -> None:
    told = '"kłinik\\müller","S-1-5-21-1004336348-1177238915-682003330-512"\r\n'
    path = Path("C:/Users/m/AppData/token")
    assert closing_command(path, told) == [
        "icacls",
        str(path),
        "/inheritance:r",
        "/grant:r",
        "*S-1-5-21-1004336348-1177238915-682003330-512:F",
    ]
    with pytest.raises(ValueError, match="no user"):
        closing_command(path, "ERROR: Access is denied.")


@pytest.mark.parametrize(
    ("whoami", "icacls"),
    [("exit 1", "exit 0"), ('echo \'"a","S-1-5-21-7"\'', "echo no such file system >&2; exit 5")],
    ids=["nobody", "refused"],
)
def test_a_token_that_windows_cannot_close_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whoami: str, icacls: str
) -> None:
    """The programs of Windows are scripts here; without any of them it is the same."""
    from medssl.service import token

    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}/bin")
    monkeypatch.setattr(token.sys, "platform", "win32")
    with pytest.raises(StorageError, match="could not be closed to other users"):
        token.TokenFile(tmp_path / "state")
    for name, text in (("whoami", whoami), ("icacls", icacls)):
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    with pytest.raises(StorageError, match="NTFS"):
        token.TokenFile(tmp_path / "state")
    assert not [path for path in (tmp_path / "state").iterdir() if path.read_text()]


def test_an_upload_keeps_its_place_in_a_folder_and_never_leaves_it(engine: Engine, tmp_path: Path) -> None:
    scan, client = write_scan(tmp_path / "scan.nii.gz"), engine.client
    folder = client.make_folder()
    made = client.upload(scan, folder=folder, place="Kopf: 1/b c/scan.nii.gz")
    assert (made.id, made.path) == (folder.id, f"{folder.path}/Kopf: 1/b c/scan.nii.gz")
    with pytest.raises(EngineError, match="exists already"):
        client.upload(scan, folder=folder, place="Kopf: 1/b c/scan.nii.gz")
    for place in (
        "../x.nii.gz",
        "a/../../x.nii.gz",
        "/x.nii.gz",
        "a//x.nii.gz",
        ".a/x.nii.gz",
        "a\\x.nii.gz",
    ):
        with pytest.raises(EngineError) as told:
            client.upload(scan, folder=folder, place=place)
        assert told.value.status == 400, place
    answer = engine.request(
        "POST", "/v1/uploads", params={"name": "x.nii.gz", "folder": ".."}, data=scan.read_bytes()
    )
    assert answer.status_code == 404
    client.remove_upload(folder.id)
    assert not list((engine.state / "uploads").iterdir())


@pytest.mark.parametrize("name", ["../evil.nii.gz", "..", "a/b", "a\\b", "", "C:evil.nii.gz"])
def test_an_engine_does_not_say_where_on_this_computer_its_results_go(tmp_path: Path, name: str) -> None:
    class Hostile:
        """An engine of somebody else's."""

        def folder(self, path: str, offset: int = 0) -> Folder:
            entry = FolderEntry(name, "/there/x", is_folder=False, is_project=False, size_bytes=1)
            return Folder(path, (entry,), complete=True)

        def download(self, path: str, target: Path) -> Path:
            raise AssertionError(f"{path} was written to {target}")

    journey = Journey(there="/there", here=tmp_path / "out")
    luggage = Luggage(Hostile(), str, "job", journey)  # type: ignore[arg-type]  # it has what is asked for
    result = ExportModelResult(model_id="m", output=Path("/there"))
    with pytest.raises(EngineError, match="a result with the name"):
        luggage.unpack(JobResult(job_id="job", seconds=1.0, result=result), Monitor())


def test_an_upload_that_says_nothing_any_more_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cable that is pulled closes no connection."""
    monkeypatch.setattr(files, "_SILENCE_S", 0.2)

    async def a_piece_and_silence() -> Message:
        if pieces:
            return pieces.pop()
        await asyncio.sleep(60)
        raise AssertionError("it should not have been waited for")

    async def read() -> list[bytes]:
        request = Request({"type": "http", "method": "POST", "headers": []}, a_piece_and_silence)
        return [chunk async for chunk in files._chunks(request)]

    pieces: list[Message] = [{"type": "http.request", "body": b"some", "more_body": True}]
    with pytest.raises(UsageError, match="went away"):
        asyncio.run(read())
    pieces = [{"type": "http.request", "body": b"all", "more_body": False}]
    assert asyncio.run(read()) == [b"all", b""]


def test_a_folder_of_many_files_is_listed_to_its_end(engine: Engine) -> None:
    folder = engine.root / "many"
    folder.mkdir()
    for number in range(2101):
        (folder / f"{number}.txt").touch()
    first = engine.client.folder(folder)
    rest = engine.client.folder(folder, offset=len(first.entries))
    assert (len(first.entries), first.complete, rest.complete) == (2000, False, True)
    assert len({entry.name for entry in (*first.entries, *rest.entries)}) == 2101


def test_links_that_others_put_into_a_shared_project_lead_nowhere(engine: Engine, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("a secret")
    record = engine.new_project()
    case = engine.client.add_case(record.key, "a", [write_scan(engine.root / "linked.nii.gz")])
    assert engine.client.thumbnail(record.key, case.id).startswith(b"\x89PNG")
    (picture,) = (Path(record.folder) / "cache" / "thumbnails").iterdir()
    with Project.open(Path(record.folder)) as project:
        row = project.new_job("propose", '{"kind": "propose"}')
        project.set_job_state(row.id, "cancelled")
    for link in (picture, row.folder / LOG_FILE):
        link.unlink(missing_ok=True)
        link.symlink_to(secret)
    for read in (
        lambda: engine.client.thumbnail(record.key, case.id),
        lambda: engine.client.job_log(record.key, row.id),
    ):
        with pytest.raises(EngineError, match="outside the folders") as told:
            read()
        assert told.value.status == 403


def test_a_result_that_is_damaged_hides_no_other_job(engine: Engine) -> None:
    record = engine.new_project()
    with Project.open(Path(record.folder)) as project:
        for damage in (b"\xff\xfe{", b"{}"):
            row = project.new_job("propose", '{"kind": "propose"}')
            project.set_job_state(row.id, "finished")
            (row.folder / RESULT_FILE).write_bytes(damage)
    assert [job.result for job in engine.client.jobs(record.key)] == [None, None]


@pytest.mark.skipif(os.name == "nt", reason="Windows has access lists instead of modes")
def test_a_folder_that_was_there_keeps_its_mode_and_is_refused_where_others_may_write(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as taken:  # so that it comes no further
        port = str(taken.getsockname()[1])
        for mode, told in ((0o777, "Others may"), (0o775, "Others may"), (0o755, "cannot listen")):
            shared.chmod(mode)
            arguments = ["--port", port, "--state-folder", str(shared), "--root", str(tmp_path)]
            assert run(["serve", *arguments]) == 2
            assert told in capsys.readouterr().err
            assert shared.stat().st_mode & 0o777 == mode
    assert (shared / "uploads").stat().st_mode & 0o777 == 0o700
