"""What the service refuses: strangers, foreign paths, malformed and huge requests, files that are traps."""

from __future__ import annotations

import gzip
import json
import os
import socket
from pathlib import Path

import numpy as np
import pytest
import requests
from medssl.client import EngineError
from medssl.service.guard import FailedTokens
from medssl.service.paths import PathError, Roots
from medssl.service.token import TokenFile
from service_engine import Engine, write_scan


def problem(response: requests.Response, status: int) -> dict[str, object]:
    """The problem that an answer holds; every refusal has the same form, and tells nothing of the inside."""
    assert response.status_code == status, response.text
    found = response.json()
    assert set(found) == {"code", "message", "remedy", "detail"}
    assert "Traceback" not in response.text
    assert found["message"]
    return dict(found)


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer "}],
)
def test_a_request_without_the_right_token_learns_nothing(engine: Engine, headers: dict[str, str]) -> None:
    for path in ("/v1/projects", "/v1/nothing", "/v1/projects/x/jobs/y/events/stream"):
        refused = engine.request("GET", path, headers=headers)
        if refused.status_code != 429:
            assert problem(refused, 401)["code"] == "token"
            assert refused.headers["WWW-Authenticate"] == "Bearer"


def test_too_many_wrong_tokens_are_turned_away_and_the_right_one_still_works(engine: Engine) -> None:
    wrong = {"Authorization": "Bearer wrong"}
    answers = [engine.request("GET", "/v1/service", headers=wrong) for _ in range(12)]
    assert problem(answers[-1], 429)["code"] == "too_many"
    assert engine.request("GET", "/v1/service").ok


def test_old_failures_and_old_addresses_are_forgotten() -> None:
    failed = FailedTokens(most=2, window_s=0.0, addresses=3)
    assert not any(failed.too_many("a") for _ in range(10))
    lasting = FailedTokens(most=2, window_s=60.0, addresses=3)
    assert [lasting.too_many("a") for _ in range(3)] == [False, False, True]
    for address in "bcd":
        lasting.too_many(address)
    assert not lasting.too_many("a")


def test_a_new_token_counts_at_once(engine: Engine) -> None:
    old = {"Authorization": f"Bearer {engine.token}"}
    TokenFile(engine.state).renew()
    assert engine.request("GET", "/v1/service", headers=old).status_code in (401, 429)
    assert engine.client.service().version


def test_without_the_file_of_the_token_nobody_is_let_in(engine: Engine) -> None:
    right = {"Authorization": f"Bearer {engine.token}"}
    away = (engine.state / "token").rename(engine.state / "away")
    try:
        for headers in (right, {"Authorization": "Bearer "}):
            assert engine.request("GET", "/v1/service", headers=headers).status_code in (401, 429)
        with pytest.raises(EngineError) as told:
            engine.client.service()
        assert told.value.code in ("token", "too_many")
    finally:
        away.rename(engine.state / "token")
    assert engine.client.service().version


@pytest.mark.skipif(os.name == "nt", reason="Windows has access lists instead of modes")
def test_only_the_user_can_read_the_token(engine: Engine, tmp_path: Path) -> None:
    assert (engine.state / "token").stat().st_mode & 0o777 == 0o600
    assert engine.state.stat().st_mode & 0o777 == 0o700
    known = tmp_path / "token"
    known.write_text("known-to-others\n")
    known.chmod(0o644)
    TokenFile(tmp_path)
    assert known.read_text() != "known-to-others\n"
    assert known.stat().st_mode & 0o777 == 0o600


def test_a_web_page_that_gave_its_own_name_to_this_computer_gets_nothing(engine: Engine) -> None:
    headers = {"Authorization": f"Bearer {engine.token}", "Host": "evil.example:80"}
    assert problem(engine.request("GET", "/v1/service", headers=headers), 421)["code"] == "host"
    assert engine.request("GET", "/", headers=headers).status_code == 421


def test_no_other_web_page_may_read_an_answer(engine: Engine) -> None:
    headers = {"Authorization": f"Bearer {engine.token}", "Origin": "https://evil.example"}
    answer = engine.request("GET", "/v1/service", headers=headers)
    assert "Access-Control-Allow-Origin" not in answer.headers
    asked = engine.request("OPTIONS", "/v1/service", headers=headers)
    assert "Access-Control-Allow-Origin" not in asked.headers
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_a_client_of_another_version_is_told(engine: Engine) -> None:
    headers = {"Authorization": f"Bearer {engine.token}", "MedSSL-API": "999"}
    assert problem(engine.request("GET", "/v1/service", headers=headers), 426)["code"] == "version"


MALFORMED = {
    "no JSON": b"{",
    "not UTF-8": b'{"name": "\xff\xfe"}',
    "deep": b"[" * 400_000,
    "deep inside": b'{"name": ' + b'{"a":' * 90_000 + b"1" + b"}" * 90_000 + b"}",
    "a list": b"[]",
    "null": b"null",
    "empty": b"",
    "lone surrogate": b'{"name": "\\ud800", "folder": "\\ud800"}',
    "NaN": b'{"seconds": NaN, "labels": 1e999}',
    "wrong types": b'{"name": {"a": 1}, "folder": 3, "kind": [], "pseudo_label_id": 1e30}',
    "null byte": b'{"folder": "/tmp/\\u0000", "labels": "/\\u0000", "role": "training"}',
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_bodies_are_the_clients_fault_everywhere(engine: Engine, name: str) -> None:
    headers = {"Authorization": f"Bearer {engine.token}", "Content-Type": "application/json"}
    described = requests.get(f"{engine.url}/openapi.json", timeout=60).json()
    key = engine.new_project().key if name == "wrong types" else "0" * 16
    tried = 0
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            if "application/json" not in operation.get("requestBody", {}).get("content", {}):
                continue
            address = (
                path.replace("{project}", key)
                .replace("{case}", "1")
                .replace("{job}", "j")
                .replace("{version}", "1")
            )
            answer = engine.request(method, address, headers=headers, data=MALFORMED[name])
            assert 400 <= answer.status_code < 500, (address, answer.text)
            problem(answer, answer.status_code)
            tried += 1
    assert tried > 8


def test_a_huge_body_is_refused_before_it_is_read_whole(engine: Engine) -> None:
    def endless() -> object:
        for _ in range(10_000):
            yield b" " * 65536

    headers = {"Authorization": f"Bearer {engine.token}", "Content-Type": "application/json"}
    told = engine.request("POST", "/v1/projects/open", headers=headers, data=b" " * 2_000_000)
    assert problem(told, 413)["code"] == "too_large"
    try:
        untold = engine.request("POST", "/v1/projects/open", headers=headers, data=endless())
    except requests.exceptions.ConnectionError:
        pass  # it hung up while we were still sending
    else:
        problem(untold, 413)
    memory = engine.process.memory_info().rss
    assert memory < 400 << 20


@pytest.mark.parametrize("number", [2**63, 2**64, 10**30, -1])
def test_numbers_that_no_database_holds_are_refused(engine: Engine, number: int) -> None:
    key = engine.new_project().key
    for path in (f"cases/{number}", f"cases?offset={number}", f"jobs?offset={number}"):
        problem(engine.request("GET", f"/v1/projects/{key}/{path}"), 422)


@pytest.fixture
def roots(tmp_path: Path) -> Roots:
    return Roots([tmp_path / "root"], tmp_path / "uploads")


def test_paths_inside_are_followed_to_what_they_mean(tmp_path: Path, roots: Roots) -> None:
    inside = tmp_path / "root" / "a" / "scan.nii"
    inside.parent.mkdir()
    inside.write_bytes(b"x")
    (tmp_path / "root" / "link").symlink_to(inside.parent)
    assert roots.inside(tmp_path / "root" / "link" / "scan.nii") == inside.resolve()
    assert roots.inside(tmp_path / "root" / "new" / "project") == tmp_path.resolve() / "root/new/project"


def test_paths_that_lead_out_are_refused(tmp_path: Path, roots: Roots) -> None:
    root = tmp_path / "root"
    (tmp_path / "root2").mkdir()
    (root / "out").symlink_to("/etc")
    (root / "loop").symlink_to(root / "loop")
    os.mkfifo(root / "pipe")
    for path in (
        "/etc/passwd",
        f"{root}/../root2",
        f"{root}/a/../../root2",
        f"{root}2",
        f"{root}/out/passwd",
        f"{root}/out/new-file",
        f"{root}/loop/a",
        f"{root}/pipe",
        "/dev/zero",
        "scan.nii",
        "~/scan.nii",
        f"{root}/\0",
        f"{root}/{'x' * 5000}",
    ):
        with pytest.raises(PathError):
            roots.inside(Path(path))


def _benchmark(dataset: str, output: str) -> dict[str, object]:
    settings = {"dataset": dataset, "measure": {"held_out": 1, "steps": 2}}
    return {"kind": "benchmark", "settings": settings, "output": output}


def test_every_request_with_a_path_is_kept_inside(engine: Engine, tmp_path: Path) -> None:
    outside = write_scan(tmp_path / "outside.nii.gz")
    (engine.root / "trap.nii.gz").unlink(missing_ok=True)
    (engine.root / "trap.nii.gz").symlink_to(outside)
    project = engine.new_project()
    client, key = engine.client, project.key
    for path in (str(outside), f"{engine.root}/../x.nii.gz", f"{engine.root}/trap.nii.gz", "/dev/zero"):
        for ask in (
            lambda path=path: client.create_project("p", {1: "a"}, folder=path),
            lambda path=path: client.open_project(path),
            lambda path=path: client.add_case(key, "c", [path]),
            lambda path=path: client.submit(key, {"kind": "import", "folder": path}),
            lambda path=path: client.submit(
                key, {"kind": "predict", "inputs": [path], "output": f"{engine.root}/out"}
            ),
            lambda path=path: client.submit(
                key, {"kind": "predict", "inputs": [str(engine.root)], "output": path}
            ),
            lambda path=path: client.submit(
                key, {"kind": "pretrain", "settings": {"steps": 1}, "scans": path}
            ),
            lambda path=path: client.submit(key, _benchmark(path, str(engine.root))),
            lambda path=path: client.submit(key, _benchmark(str(engine.root), path)),
            lambda path=path: client.submit(key, {"kind": "evaluate", "output": path}),
            lambda path=path: client.download(path, tmp_path / "x"),
            lambda path=path: client.folder(path),
            lambda path=path: client.check_computer(path),
        ):
            with pytest.raises(EngineError) as told:
                ask()
            assert (told.value.code, told.value.status) == ("path", 403)


def test_only_results_are_sent_and_never_as_a_page(engine: Engine, tmp_path: Path) -> None:
    report = engine.root / "report.html"
    report.write_text("<script>alert(1)</script>")
    answer = engine.request("GET", "/v1/files", params={"path": str(report)})
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Security-Policy"] == "sandbox"
    for name in (".ssh/key.txt", "project.db", "id_rsa"):
        secret = engine.root / name
        secret.parent.mkdir(exist_ok=True)
        secret.write_text("secret")
        assert problem(engine.request("GET", "/v1/files", params={"path": str(secret)}), 403)
    names = [entry.name for entry in engine.client.folder(engine.root).entries]
    assert "report.html" in names
    assert ".ssh" not in names
    assert engine.client.folder().entries[0].path == str(engine.root)


def upload(engine: Engine, name: str, content: bytes, **query: str) -> requests.Response:
    return engine.request("POST", "/v1/uploads", params={"name": name, **query}, data=content)


def nrrd(fields: str, data: bytes = b"") -> bytes:
    return f"NRRD0004\ntype: short\ndimension: 3\nsizes: 4 4 4\n{fields}\n".encode() + data


TRAPS = {
    "a header that reads another file": ("a.nrrd", nrrd("encoding: raw\ndata file: /etc/passwd\n")),
    "the same with a space": ("b.nrrd", nrrd("encoding: raw\ndatafile: /etc/passwd\n")),
    "another format's": (
        "c.mha",
        b"ObjectType = Image\nNDims = 3\nDimSize = 4 4 4\nElementType = MET_CHAR\n"
        b"ElementDataFile = /etc/passwd\n",
    ),
    "another format's behind a comment": (
        "i.mha",
        b"ObjectType = Image\nComment = ElementDataFile = LOCAL\nNDims = 3\nDimSize = 4 4 4\n"
        b"ElementType = MET_CHAR\nElementDataFile = /etc/passwd\n",
    ),
    "behind a long comment": (
        "j.nrrd",
        nrrd("encoding: raw\n# " + 70_000 * "x" + "\ndata file: /etc/passwd\n"),
    ),
    "voxels that are not there": ("d.nrrd", nrrd("encoding: raw\n", b"12")),
    "no image": ("e.nii.gz", b"hello"),
    "nothing": ("f.nii.gz", b""),
    "a pickle": ("g.nrrd", b"\x80\x04\x95"),
    "a bomb": (
        "h.nrrd",
        b"NRRD0004\ntype: double\ndimension: 3\nsizes: 99999 99999 999\nencoding: gzip\nendian: little\n\n"
        + gzip.compress(bytes(1 << 20)),
    ),
    "a name that leaves the folder": ("../../x.nii.gz", b"x"),
    "a program": ("x.sh", b"x"),
    "a header alone": ("x.nhdr", nrrd("encoding: raw\n")),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_uploads_that_are_traps_leave_nothing_behind(engine: Engine, trap: str) -> None:
    name, content = TRAPS[trap]
    answer = upload(engine, name, content)
    assert 400 <= answer.status_code < 500, answer.text
    problem(answer, answer.status_code)
    assert not list((engine.state / "uploads").iterdir())


def test_a_gzip_bomb_behind_an_honest_header_costs_no_memory(engine: Engine) -> None:
    header = np.zeros(352, np.uint8)
    header[:4] = np.frombuffer((348).to_bytes(4, "little"), np.uint8)
    header[40:56] = np.array([3, 4, 4, 4, 1, 1, 1, 1], "<i2").view(np.uint8)
    header[70:74] = np.array([4, 16], "<i2").view(np.uint8)
    header[76:92] = np.array([1, 1, 1, 1], "<f4").view(np.uint8)
    header[108:112] = np.array([352], "<f4").view(np.uint8)
    header[112:116] = np.array([1], "<f4").view(np.uint8)
    header[344:348] = np.frombuffer(b"n+1\0", np.uint8)
    answer = upload(engine, "bomb.nii.gz", gzip.compress(header.tobytes() + bytes(200 << 20)))
    assert answer.status_code in (201, 422), answer.text
    family = [engine.process, *engine.process.children(recursive=True)]
    assert sum(member.memory_info().rss for member in family) < 600 << 20


def test_an_upload_with_other_bytes_than_promised_is_refused(engine: Engine, tmp_path: Path) -> None:
    scan = write_scan(tmp_path / "s.nii.gz").read_bytes()
    assert problem(upload(engine, "s.nii.gz", scan, sha256="0" * 64), 400)
    assert upload(engine, "s.nii.gz", scan).status_code == 201


def test_a_client_that_dies_in_the_middle_of_an_upload_leaves_nothing(engine: Engine) -> None:
    host, port = engine.url.removeprefix("http://").split(":")
    before = set((engine.state / "uploads").iterdir())
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        head = (
            f"POST /v1/uploads?name=x.nii.gz HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {engine.token}"
            "\r\nContent-Length: 50000000\r\n\r\n"
        )
        connection.sendall(head.encode() + bytes(3_000_000))
    for _ in range(100):
        if set((engine.state / "uploads").iterdir()) == before:
            break
        engine.client.service()
    else:
        pytest.fail("the unfinished upload is still there")


def test_every_body_that_the_description_shows_is_one_that_the_service_understands(engine: Engine) -> None:
    described = requests.get(f"{engine.url}/openapi.json", timeout=60).json()
    key = engine.new_project().key
    headers = {"Authorization": f"Bearer {engine.token}", "Content-Type": "application/json"}
    shown = 0
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"] and operation["description"], path
            content = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if content is None:
                continue
            assert content["examples"], path
            for example in content["examples"].values():
                address = (
                    path.replace("{project}", key)
                    .replace("{case}", "1")
                    .replace("{job}", "j")
                    .replace("{version}", "1")
                )
                body = json.dumps(example["value"])
                answer = engine.request(method, address, headers=headers, data=body)
                assert answer.status_code < 500, answer.text
                assert answer.ok or answer.json()["code"] != "request", answer.text
                shown += 1
    assert shown > 10


def test_a_part_of_a_file_may_be_asked_for_and_nonsense_gives_all_of_it(engine: Engine) -> None:
    table = engine.root / "table.csv"
    table.write_bytes(b"0123456789")
    headers = {"Authorization": f"Bearer {engine.token}"}

    def ask(part: str) -> tuple[int, bytes]:
        path = f"/v1/files?path={table}"
        answer = engine.request("GET", path, headers={**headers, "Range": part})
        return answer.status_code, answer.content

    assert ask("bytes=2-4") == (206, b"234")
    assert ask("bytes=7-") == (206, b"789")
    for nonsense in ("bytes=5-4", "bytes=10-", "bytes=x", "lines=1-2", "bytes=0-0,2-2", "bytes=-" + "9" * 30):
        assert ask(nonsense) == (200, b"0123456789"), nonsense
