"""The client by itself: what it needs, when it asks again, and what it never does."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import medssl
import pytest
from medssl.cli.app import run
from medssl.client import Client, EngineError, attach
from medssl.client.answers import record
from medssl.client.records import ServiceInfo
from medssl.endpoint import ENDPOINT_FILE, TOKEN_FILE, state_folder
from service_engine import Engine

PACKAGE = Path(medssl.__file__).parent
NEEDED = [
    *(PACKAGE / "client").glob("*.py"),
    *(PACKAGE / f"{name}.py" for name in ("__init__", "endpoint", "host", "occupancy")),
]


def test_it_needs_requests_and_the_standard_library_only() -> None:
    script = "import sys; import medssl.client; print(*{name.split('.')[0] for name in sys.modules})"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    heavy = {
        "torch",
        "monai",
        "numpy",
        "SimpleITK",
        "sqlalchemy",
        "pydantic",
        "psutil",
        "fastapi",
        "filelock",
    }
    assert not heavy & set(told.stdout.split())


@pytest.mark.parametrize("path", NEEDED, ids=lambda path: path.name)
def test_its_files_are_written_for_python_3_9(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))
    # Every annotation stays text; what runs must not use what Python 3.10 brought.
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            names = {keyword.arg for keyword in node.keywords}
            called = node.func.id if isinstance(node.func, ast.Name) else ""
            assert not (called == "zip" and "strict" in names), f"{path.name}:{node.lineno}"
            assert not (called == "dataclass" and names & {"slots", "kw_only"}), f"{path.name}:{node.lineno}"


class Flaky(ThreadingHTTPServer):
    """A server that answers with what a test lays down, one after the other."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, bytes]] = []
        self.asked: list[tuple[str, str]] = []
        super().__init__(("127.0.0.1", 0), _Answer)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Answer(BaseHTTPRequestHandler):
    def _answer(self) -> None:
        server = self.server
        assert isinstance(server, Flaky)
        server.asked.append((self.command, self.path))
        status, body = server.answers.pop(0) if server.answers else (500, b"{}")
        if status == 0:
            self.connection.close()
            return
        self.send_response(status)
        if status == 302:
            self.send_header("Location", f"{server.url}/elsewhere")
        self.send_header("Content-Length", str(len(body) + (10 if status == 299 else 0)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_DELETE = do_PUT = _answer  # noqa: N815 - http.server's names

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Flaky]:
    made = Flaky()
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


PROBLEM = b'{"code": "project", "message": "No.", "remedy": "Do.", "detail": []}'


def test_questions_are_asked_again_when_the_network_fails(server: Flaky) -> None:
    server.answers = [(0, b""), (503, PROBLEM), (200, b"[]")]
    assert Client(server.url, "t").projects() == ()
    assert len(server.asked) == 3


def test_changes_are_never_asked_for_twice(server: Flaky) -> None:
    for answer in ((0, b""), (503, PROBLEM)):
        server.asked.clear()
        server.answers = [answer, (200, b"{}")]
        with pytest.raises(EngineError):
            Client(server.url, "t").submit("p", {"kind": "propose"})
        assert len(server.asked) == 1


def test_refusals_are_told_as_they_are_and_not_repeated(server: Flaky) -> None:
    server.answers = [(409, PROBLEM)]
    with pytest.raises(EngineError) as told:
        Client(server.url, "t").projects()
    assert (told.value.code, told.value.message, told.value.remedy) == ("project", "No.", "Do.")
    assert (told.value.status, str(told.value), len(server.asked)) == (409, "No. Do.", 1)


@pytest.mark.parametrize("answer", [(200, b"<html>"), (404, b"<html>"), (500, b"[]"), (302, b"")])
def test_another_program_is_not_taken_for_an_engine_and_gets_no_token_by_a_detour(
    server: Flaky, answer: tuple[int, bytes]
) -> None:
    server.answers = [answer] * 3
    with pytest.raises(EngineError, match="not MedSSL"):
        Client(server.url, "t").service()
    assert {path for _, path in server.asked} == {"/v1/service"}


@pytest.mark.parametrize("answer", [b'{"status": "ok"}', b"[]", b'["a"]', b'"up"', b"1", b"null"])
def test_a_service_that_speaks_json_is_not_taken_for_an_engine(server: Flaky, answer: bytes) -> None:
    client = Client(server.url, "t")
    for ask in (client.service, client.device, lambda: client.open_project("/x"), lambda: client.jobs("p")):
        server.answers = [(200, answer)]
        with pytest.raises(EngineError) as told:
            ask()
        assert told.value.code == "unreachable"
        assert told.value.message == f"What answers at {server.url} is not MedSSL."
        assert "medssl serve" in told.value.remedy


def test_a_command_says_in_a_sentence_that_no_engine_is_at_an_address(
    server: Flaky, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MEDSSL_TOKEN", "t")
    server.answers = [(200, b'{"status": "ok"}')]
    assert run(["--remote", server.url, "case", "list", "--project", "/data/kidneys"]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"What answers at {server.url} is not MedSSL. ")
    assert said.count("\n") == 1


@pytest.mark.skipif(sys.platform == "darwin", reason="it has no other address of its own")
def test_the_token_of_ones_own_engine_does_not_pass_through_a_proxy(
    start_engine: Callable[..., Engine],
    server: Flaky,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = start_engine("--host", "127.0.0.2")  # an address that nobody would know for this computer's
    project = engine.new_project()
    for name in ("HOME", "XDG_STATE_HOME", "LOCALAPPDATA"):  # of one system each
        monkeypatch.setenv(name, str(tmp_path / "home"))
    state_folder().mkdir(parents=True)
    for file in (ENDPOINT_FILE, TOKEN_FILE):
        shutil.copy(engine.state / file, state_folder())
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", server.url)
    client = attach()
    assert client is not None
    assert client.service().version
    assert run(["--remote", engine.url, "case", "list", "--project", project.folder]) == 0
    assert server.asked == []


def test_half_a_file_is_no_file(server: Flaky, tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    target.write_text("the old one")
    server.answers = [(299, b"half")]
    with pytest.raises(EngineError, match="did not arrive whole"):
        Client(server.url, "t").download("/data/report.html", target)
    assert target.read_text() == "the old one"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    server.answers = [(200, b"whole")]
    assert Client(server.url, "t").download("/data/report.html", target).read_bytes() == b"whole"


def test_names_in_addresses_cannot_lead_elsewhere(server: Flaky) -> None:
    server.answers = [(200, b"[]")]
    Client(server.url, "t").models("../../v2?x#y")
    assert server.asked == [("GET", "/v1/projects/..%2F..%2Fv2%3Fx%23y/models")]


def test_nobody_there_and_no_answer_in_time_are_told_apart(server: Flaky) -> None:
    with pytest.raises(EngineError) as told:
        Client("http://127.0.0.1:1", "t").open_project("/x")
    assert told.value.code == "unreachable"
    slow = Client(server.url.replace(str(server.server_port), str(silent_port())), "t", timeout_s=0.2)
    with pytest.raises(EngineError) as told:
        slow.open_project("/x")
    assert told.value.code == "timeout"
    for url in ("gpu.example.org", "ftp://x", "http://"):
        with pytest.raises(EngineError, match="no address"):
            Client(url, "t")


def silent_port() -> int:
    """A port that takes connections and never answers."""
    import socket

    listening = socket.create_server(("127.0.0.1", 0))
    _KEPT.append(listening)
    return int(listening.getsockname()[1])


_KEPT: list[object] = []


def test_fields_that_a_newer_engine_adds_are_left_out() -> None:
    fields = {
        "version": "9",
        "api": 1,
        "instance": "i",
        "process_id": 1,
        "started": "",
        "host_name": "",
        "roots": (),
        "max_upload_bytes": 1,
        "idle_end_s": None,
        "working": False,
    }
    assert record(ServiceInfo, {**fields, "new": 1}).version == "9"
