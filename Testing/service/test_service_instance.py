"""One service for each user: found, started, killed, ended by itself; and what becomes of its projects."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from filelock import FileLock
from medssl.cli.app import run
from medssl.client import Client, EngineError, attach, start_or_attach
from medssl.endpoint import Endpoint, endpoint_text, read_endpoint, read_token
from medssl.errors import UsageError
from medssl.project import Project as OpenProject
from medssl.service import ServiceSettings
from service_engine import Engine, environment, propose, write_drawing, write_scan

Start = Callable[..., Engine]
SERVE = "import sys; from medssl.cli import main; sys.argv[0] = 'medssl'; main()"


def serve(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", SERVE, "serve", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, env=environment(), timeout=100, check=False
    )


def test_a_second_start_finds_the_first_and_gives_it_a_new_token_when_asked_to(engine: Engine) -> None:
    old = engine.token
    again = serve("--state-folder", str(engine.state), "--json", "--new-token")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["url"] == engine.url
    assert engine.token not in again.stdout
    assert engine.token != old
    refused = engine.request("GET", "/v1/service", headers={"Authorization": f"Bearer {old}"})
    assert refused.status_code in (401, 429)
    found = start_or_attach(folder=engine.state)
    assert found.url == engine.url
    assert found.service().instance == engine.endpoint.instance


def test_a_second_start_says_that_its_options_were_not_applied(
    engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    start = ["serve", "--state-folder", str(engine.state)]
    assert run([*start, "--host", "0.0.0.0", "--root", "/data", "--port", "8443"]) == 0
    out, err = capsys.readouterr()
    assert f"The engine runs already at {engine.url}\n" in out
    assert err.startswith(f"--host, --port and --root were not applied: the engine at {engine.url} keeps ")
    assert "end it first: with Ctrl+C where 'medssl serve' runs" in err
    assert str(engine.process.pid) in err
    assert "unencrypted" not in err  # it is as it was, for this computer only
    assert run(start) == 0
    assert capsys.readouterr().err == ""


def test_two_starts_at_once_end_with_one_service(tmp_path: Path) -> None:
    def start() -> Client:
        options = ["--root", str(tmp_path)]
        return start_or_attach(
            folder=tmp_path / "s", arguments=options, environment=environment(), start_s=100
        )

    with ThreadPoolExecutor(2) as pool:
        clients = [each.result() for each in [pool.submit(start) for _ in range(2)]]
    assert len({client.service().instance for client in clients}) == 1
    clients[0].shutdown()


@pytest.fixture
def ending_engine(tmp_path: Path) -> Iterator[FileLock]:
    """The lock and the file of a service that takes no connections any more, as in its last seconds."""
    state = tmp_path / "s"
    state.mkdir(mode=0o700)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    (state / "service.json").write_text(endpoint_text(Endpoint(url, "a", 1, "0.1", 1, (), "")))
    with FileLock(state / "service.lock", thread_local=False) as lock:
        yield lock


def test_an_engine_that_is_ending_is_waited_for_and_not_taken_for_one_that_runs(
    tmp_path: Path, ending_engine: FileLock, capsys: pytest.CaptureFixture[str]
) -> None:
    threading.Timer(0.5, ending_engine.release).start()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code = run(["serve", "--port", port, "--state-folder", str(tmp_path / "s"), "--root", str(tmp_path)])
    assert code == 2
    assert f"cannot listen on 127.0.0.1, port {port}" in capsys.readouterr().err  # it was its turn


def test_an_engine_that_does_not_end_is_told(
    tmp_path: Path,
    ending_engine: FileLock,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("medssl.cli.serve._WAIT_S", 0.3)
    assert run(["serve", "--state-folder", str(tmp_path / "s"), "--root", str(tmp_path)]) == 1
    assert "still ending, or it hangs" in capsys.readouterr().err


def test_an_engine_that_another_computer_keeps_in_the_same_home_is_told_with_its_name(
    tmp_path: Path,
    ending_engine: FileLock,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    state = tmp_path / "s"
    here = read_endpoint(state)
    assert here is not None
    there = dataclasses.replace(here, computer="another", host="workstation-1")
    (state / "service.json").write_text(endpoint_text(there))
    monkeypatch.setattr("medssl.cli.serve._STARTING_S", 0.3)
    assert run(["serve", "--state-folder", str(state), "--root", str(tmp_path)]) == 1
    told = capsys.readouterr().err
    assert "runs on the computer workstation-1" in told
    assert str(state) in told
    opened = dataclasses.replace(there, url="http://workstation-1:8443", loopback="http://127.0.0.1:8443")
    assert opened.local_url == opened.url  # that address of this computer is somebody else's


@pytest.mark.skipif(os.name == "nt", reason="a script stands for a Python that starts an engine")
def test_a_start_that_found_an_engine_in_its_last_moment_is_made_again(tmp_path: Path) -> None:
    """As a `medssl serve` of before ends, which does not wait for that moment to pass."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nif [ -e again ]; then exec "{sys.executable}" "$@"; fi\ntouch again\n')
    python.chmod(0o755)
    options = ["--root", str(tmp_path / "r"), "--idle-minutes", "1"]
    client = start_or_attach(
        python, folder=tmp_path / "s", arguments=options, environment=environment(), start_s=30
    )
    assert client.service().version
    client.shutdown()


@pytest.mark.skipif(os.name == "nt", reason="a script stands for a Python that finds an engine")
def test_an_engine_that_runs_where_it_is_not_reached_is_told_and_not_started_again_and_again(
    tmp_path: Path,
) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho start >> starts\n")
    python.chmod(0o755)
    state = tmp_path / "s"
    state.mkdir(mode=0o700)
    lost = Endpoint("http://127.0.0.1:1", "a", 4711, "0.1", 1, (), "")
    (state / "service.json").write_text(endpoint_text(lost))
    with pytest.raises(EngineError, match=r"runs at http://127\.0\.0\.1:1, .*the process 4711"):
        start_or_attach(python, folder=state, environment=environment(), start_s=20)
    assert (state / "starts").read_text().count("start") == 2


def test_the_file_of_another_time_is_not_believed(tmp_path: Path, engine: Engine) -> None:
    assert attach(tmp_path) is None
    (tmp_path / "token").write_text(engine.token)
    for text in ("", "{", "[]", '{"url": 3}', "null"):
        (tmp_path / "service.json").write_text(text)
        assert attach(tmp_path) is None
    other = Endpoint(engine.url, "another instance", 1, "0", 1, (), "")
    (tmp_path / "service.json").write_text(endpoint_text(other))
    assert attach(tmp_path) is None


def test_an_engine_whose_version_does_not_fit_is_told(tmp_path: Path, engine: Engine) -> None:
    (tmp_path / "token").write_text(engine.token)
    newer = Endpoint(engine.url, engine.endpoint.instance, 1, "9.9", 99, (), "")
    (tmp_path / "service.json").write_text(endpoint_text(newer))
    with pytest.raises(EngineError, match=r"MedSSL 9\.9") as told:
        attach(tmp_path)
    assert told.value.code == "version"


def test_an_idle_engine_is_started_anew_with_the_folders_it_lacks(engine: Engine, tmp_path: Path) -> None:
    state = tmp_path / "state"
    root, more = tmp_path / "a", tmp_path / "b"
    options = {"folder": state, "environment": environment(), "start_s": 100.0}
    first = start_or_attach(arguments=["--root", str(root)], **options)  # type: ignore[arg-type]  # as it is
    instance = first.service().instance
    assert start_or_attach(roots=[root / "inside"], **options).service().instance == instance  # type: ignore[arg-type]  # as it is
    second = start_or_attach(roots=[more], **options)  # type: ignore[arg-type]  # as it is
    try:
        assert set(second.service().roots) == {str(root), str(more)}
        assert second.service().instance != instance
    finally:
        second.shutdown()


def test_an_engine_that_was_started_by_hand_is_not_started_anew(tmp_path: Path) -> None:
    state, root = tmp_path / "s", tmp_path / "r"
    options = ["--state-folder", str(state), "--root", str(root), "--idle-minutes", "10"]
    process = subprocess.Popen([sys.executable, "-c", SERVE, "serve", *options], env=environment())
    try:
        assert_kept(state, root, tmp_path / "more")
        client = attach(state)
        assert client is not None
        client.shutdown()
        process.wait(30)
    finally:
        process.kill()


def test_an_engine_for_other_computers_is_found_where_its_name_is_not_known_and_not_started_anew(
    start_engine: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = start_engine("--host", "0.0.0.0")
    assert urlsplit(engine.url).hostname == socket.gethostname().lower()
    named = dataclasses.replace(engine.endpoint, url="http://gpu-server.invalid:8443")
    (engine.state / "service.json").write_text(endpoint_text(named))
    assert_kept(engine.state, engine.root, tmp_path / "more")
    assert run(["serve", "--state-folder", str(engine.state)]) == 0
    assert "The engine runs already at http://gpu-server.invalid:8443\n" in capsys.readouterr().out


def assert_kept(state: Path, root: Path, more: Path) -> None:
    """A service without the folder `more` is used as it is, and says what it lacks."""
    deadline = time.monotonic() + 60
    while read_endpoint(state) is None:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    before = read_endpoint(state)
    assert start_or_attach(roots=[root / "inside"], folder=state).url == before.local_url
    with pytest.raises(EngineError, match="started by hand or for other computers") as told:
        start_or_attach(roots=[root, more], folder=state, environment=environment())
    assert told.value.code == "roots"
    assert f'--root "{more}"' in told.value.remedy
    assert str(root) not in told.value.message.replace(str(more), "")
    assert read_endpoint(state) == before
    assert attach(state) is not None


def test_the_file_of_an_engine_of_before_is_understood(tmp_path: Path) -> None:
    file = tmp_path / "service.json"
    file.write_text(endpoint_text(Endpoint("http://127.0.0.1:9", "a", 1, "0.1", 1, ("/r",), "", True)))
    assert read_endpoint(tmp_path) == Endpoint("http://127.0.0.1:9", "a", 1, "0.1", 1, ("/r",), "", True)
    before = json.loads(file.read_text())
    del before["replaceable"]
    file.write_text(json.dumps(before))
    assert read_endpoint(tmp_path) == Endpoint("http://127.0.0.1:9", "a", 1, "0.1", 1, ("/r",), "", False)


def test_a_taken_port_and_a_strange_address_are_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        told = serve("--port", port, "--state-folder", str(tmp_path / "s"), "--root", str(tmp_path / "r"))
    assert told.returncode == 2
    assert f"port {port}" in told.stderr
    assert "Traceback" not in told.stderr
    with pytest.raises(EngineError, match=r"did not start.*no address"):
        start_or_attach(
            folder=tmp_path / "t", arguments=["--host", "nowhere.invalid"], environment=environment()
        )
    for wrong in ({"port": 70000}, {"tls_key": tmp_path}, {"tls_certificate": tmp_path / "none"}):
        with pytest.raises(UsageError):
            ServiceSettings(**wrong)  # type: ignore[arg-type]  # each of its own type


def test_open_to_other_computers_it_warns_and_ends_by_itself_when_asked_to(tmp_path: Path) -> None:
    client = start_or_attach(
        folder=tmp_path / "s",
        arguments=["--root", str(tmp_path / "r"), "--idle-minutes", "0.03", "--host", "0.0.0.0"],
        environment=environment(),
        start_s=100,
    )
    found = read_endpoint(tmp_path / "s")
    assert found is not None
    process = psutil.Process(found.process_id)
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:  # a client keeps it
        client.service()
        time.sleep(0.2)
    assert process.is_running()
    process.wait(30)
    assert read_endpoint(tmp_path / "s") is None
    log = (tmp_path / "s" / "service.log").read_text()
    assert "unencrypted" in log
    assert read_token(tmp_path / "s") not in log
    assert ServiceSettings(host="0.0.0.0").allowed_folders() == (Path.home() / "MedSSL",)


def test_it_starts_with_less_than_four_seconds_of_the_processor_and_without_torch(engine: Engine) -> None:
    times = engine.process.cpu_times()
    # Of the processor and not of the clock: other programs share this computer. It has worked since, too.
    assert times.user + times.system < 4
    if sys.platform == "linux":  # where a process tells which libraries it has loaded
        names = {Path(entry.path).name for entry in engine.process.memory_maps()}
        assert [name for name in names if "sqlite" in name]
        assert not [name for name in names if "torch" in name]


def test_two_services_share_one_project_and_a_polite_end_leaves_no_process_behind(
    engine: Engine, start_engine: Start, tmp_path: Path
) -> None:
    project = engine.new_project()
    other = start_engine("--root", str(engine.root))
    assert other.client.open_project(project.folder).key == project.key
    scan, labels = write_scan(engine.root / "two.nii.gz"), write_drawing(engine.root / "two-l.nii.gz")
    case = engine.client.add_case(project.key, "a", [scan])
    with ThreadPoolExecutor(2) as pool:
        clients = [engine.client, other.client] * 3
        saved = list(pool.map(lambda c: c.save_annotation(project.key, case.id, labels).version, clients))
    assert sorted(saved) == [1, 2, 3, 4, 5, 6]
    with OpenProject.open(Path(project.folder)) as opened:
        propose(opened, "a", 0.4)
    seen = other.client.case(project.key, case.id).pseudo_label
    assert seen is not None
    engine.client.accept(project.key, case.id, seen.id)
    with pytest.raises(EngineError, match="accepted already"):
        other.client.reject(project.key, case.id, seen.id)
    family = [other.process, *other.process.children(recursive=True)]
    assert len(family) > 1
    other.process.send_signal(signal.SIGTERM)
    assert not psutil.wait_procs(family, timeout=20)[1]
    assert read_endpoint(other.state) is None


def test_a_project_that_is_removed_and_made_anew_is_not_mixed_up(engine: Engine) -> None:
    project = engine.new_project()
    engine.client.add_case(project.key, "a", [write_scan(engine.root / "anew.nii.gz")])
    shutil.rmtree(project.folder)
    with pytest.raises(EngineError, match="no project"):
        engine.client.project(project.key)
    again = engine.client.create_project("anew", {1: "Head"}, folder=project.folder)
    assert (again.key, again.cases) == (project.key, 0)


@pytest.mark.timeout(120 + 60 * int(os.environ.get("MEDSSL_KILLS", "0")))
def test_a_kill_at_any_moment_of_saving_leaves_whole_annotations_only(start_engine: Start) -> None:
    """Every annotation whose saving was told is there, bit for bit; the process that was saving is gone.

    With the most time of all tests here it is the first to run: a hundred kills take longer than the file's
    own engine, which is not there yet, stays idle.
    """
    told: dict[int, bytes] = {}
    kills = int(os.environ.get("MEDSSL_KILLS", "0")) or 2
    engine = start_engine()
    project = engine.new_project()
    labels = write_drawing(engine.root / "drawn.nii.gz")
    case = engine.client.add_case(project.key, "a", [write_scan(engine.root / "a.nii.gz")])
    for attempt in range(kills):
        current = engine if attempt == 0 else start_engine()
        family = [current.process, *current.process.children(recursive=True)]
        saving = threading.Event()

        def save(client: Client = current.client, begun: threading.Event = saving) -> None:
            try:
                while True:
                    saved = client.save_annotation(project.key, case.id, labels)
                    told[saved.version] = Path(saved.path).read_bytes()
                    begun.set()
            except EngineError:
                begun.set()

        thread = threading.Thread(target=save)
        thread.start()
        assert saving.wait(60)
        time.sleep(random.random() * 0.2)
        current.process.kill()
        thread.join(60)
        assert not psutil.wait_procs(family, timeout=20)[1]
        assert attach(current.state) is None  # and its lock holds the next one not up
    with OpenProject.open(Path(project.folder)) as opened:
        there = {a.version: a for a in opened.annotations(case.id)}
        assert set(told) <= set(there)
        for version, content in told.items():
            assert there[version].path.read_bytes() == content
            opened.read_annotation(there[version])
