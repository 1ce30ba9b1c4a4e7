"""The section Engine, by its buttons, with real engines in processes of their own."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest
import qt
import slicer
from medssl.client import Client, attach, end_idle, start_or_attach
from medssl.endpoint import Endpoint, endpoint_text, read_endpoint, state_folder
from MedSSLLib import engine_tokens
from MedSSLLib.problems import Problem
from panels import OpenPanel


def _line(panel: OpenPanel) -> str:
    return panel.find("engineLabel").text


def test_the_panel_finds_the_engine_that_runs_and_says_what_it_computes_on(panel: OpenPanel) -> None:
    panel.ready()
    panel.wait_until(lambda: _line(panel).startswith("Ready on "))
    assert panel.find("startEngineButton").text == "Stop"
    assert not panel.message


def test_without_an_engine_the_panel_says_so_and_what_to_do(alone: OpenPanel) -> None:
    alone.wait_until(lambda: _line(alone) == "Not set up yet.")
    assert "Set up" in alone.find("engineRemedyLabel").text
    assert not alone.find("startEngineButton").enabled
    alone.click("trySampleButton")
    assert "not set up yet" in alone.message


def test_an_engine_is_started_when_it_is_needed_and_ends_when_told(
    alone: OpenPanel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDSSL_ENGINE_PYTHON", sys.executable)
    alone.session.settings.remember("engine.folders", [str(tmp_path)])
    alone.reopen()
    alone.wait_until(lambda: "starts when it is needed" in _line(alone))
    alone.click("startEngineButton")
    alone.wait_until(lambda: _line(alone).startswith("Ready on "), 100)
    alone.click("startEngineButton")
    alone.wait_until(lambda: attach() is None, 60)
    assert "Stopped" in _line(alone)


def test_an_engine_that_dies_is_told_in_one_sentence_and_starts_again(
    alone: OpenPanel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDSSL_ENGINE_PYTHON", sys.executable)
    alone.session.settings.remember("engine.folders", [str(tmp_path)])
    alone.session.engine.start()
    alone.ready()
    psutil.Process(read_endpoint(state_folder()).process_id).kill()
    alone.session.engine._look()
    alone.wait_until(lambda: "ended unexpectedly" in _line(alone))
    assert "goes on from its last checkpoint" in alone.message
    assert alone.session.client is None
    alone.click("startEngineButton")
    alone.ready()


@pytest.fixture
def with_project(alone: OpenPanel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OpenPanel:
    """A panel with an engine of its own and an open project, whose person went to another module."""
    monkeypatch.setenv("MEDSSL_ENGINE_PYTHON", sys.executable)
    alone.session.settings.remember("engine.folders", [str(tmp_path)])
    alone.session.engine.start()
    alone.ready()
    client = alone.session.client
    alone.session.set_project(client.create_project("Kidneys", {1: "Kidney"}, folder=tmp_path / "kidneys"))
    slicer.util.selectModule("")
    alone.wait_until(lambda: not alone.session.background._pending)  # everything was shown
    return alone


def test_an_engine_that_ended_because_nobody_used_it_is_there_again_for_who_comes_back(
    with_project: OpenPanel,
) -> None:
    panel, first = with_project, with_project.session.client
    end_idle()  # as it ends by itself
    slicer.util.selectModule("MedSSLSegment")
    panel.wait_until(lambda: panel.session.client not in (None, first), 100)
    assert panel.session.engine.status.grade == "ready"
    assert panel.message == ""
    assert panel.session.project.name == "Kidneys"
    end_idle()  # while the panel is looked at, it only says so
    panel.session.engine._look()
    panel.wait_until(lambda: "nobody used it" in _line(panel))
    assert panel.session.engine.status.grade == "off"
    assert panel.session.client is None
    assert panel.message == ""
    slicer.util.selectModule("")
    slicer.util.selectModule("MedSSLSegment")
    panel.ready()


def test_an_engine_that_was_started_anew_elsewhere_is_found(with_project: OpenPanel, tmp_path: Path) -> None:
    panel = with_project
    end_idle()
    again = start_or_attach(roots=[tmp_path], start_s=100.0)
    slicer.util.selectModule("MedSSLSegment")
    panel.wait_until(lambda: panel.session.client is not None and panel.session.client.url == again.url, 60)
    assert panel.message == ""
    assert panel.session.engine.status.grade == "ready"


def test_an_engine_of_another_release_is_told_in_one_sentence(
    alone: OpenPanel, engine: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = state_folder()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "token").write_text(engine.connection._auth._token())
    other = Endpoint(engine.url, engine.service().instance, 1, "9.9", 99, (), "")
    (folder / "service.json").write_text(endpoint_text(other))
    monkeypatch.setenv("MEDSSL_ENGINE_PYTHON", sys.executable)
    alone.session.engine.start()
    alone.wait_until(lambda: "The engine that runs is MedSSL 9.9" in _line(alone))
    assert "the same release" in alone.find("engineRemedyLabel").text
    assert alone.session.client is None
    (folder / "service.json").unlink()


def test_a_python_without_the_engine_is_told_with_its_last_line(
    alone: OpenPanel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = tmp_path / "python"
    wrong.write_text("#!/bin/sh\necho No module named medssl >&2\nexit 1\n")
    wrong.chmod(0o755)
    monkeypatch.setenv("MEDSSL_ENGINE_PYTHON", str(wrong))
    alone.session.engine.start()
    alone.wait_until(lambda: "No module named medssl" in _line(alone))
    alone.click("engineLogButton")


def test_scans_go_to_another_computer_only_after_the_person_agreed(alone: OpenPanel, engine: Client) -> None:
    alone.click("setUpButton")
    setup = alone.widget.panel.views["engine"].setup
    ui = setup.ui
    ui.remoteButton.checked = True
    ui.addressEdit.text = "gpu"
    ui.useRemoteButton.click()
    assert "no address" in ui.outcomeLabel.text
    ui.addressEdit.text = engine.url
    ui.tokenEdit.text = "wrong"
    ui.useRemoteButton.click()
    assert "did not agree" in ui.outcomeLabel.text
    assert alone.session.client is None
    ui.agreeBox.checked = True
    ui.useRemoteButton.click()
    alone.wait_until(lambda: alone.session.engine.status.grade == "failed")
    assert "token" in _line(alone).lower()

    ui.tokenEdit.text = engine.connection._auth._token()
    ui.useRemoteButton.click()
    alone.ready()
    assert _line(alone).startswith(f"Ready at {engine.url} on ")
    assert not alone.session.files.shares_disk
    secrets = state_folder() / "remote-tokens.json"
    assert secrets.stat().st_mode & 0o077 == 0
    assert engine_tokens.token_of(engine.url) not in str(
        [qt.QSettings().value(key) for key in qt.QSettings().allKeys()]
    )


def test_an_address_with_the_token_in_it_is_parted_from_it(alone: OpenPanel, engine: Client) -> None:
    alone.click("setUpButton")
    ui = alone.widget.panel.views["engine"].setup.ui
    token = engine.connection._auth._token()
    ui.remoteButton.checked = True
    ui.addressEdit.text = f"gpu:8443/#token={token}"
    ui.useRemoteButton.click()
    assert "'gpu:8443/' is no address." in ui.outcomeLabel.text
    ui.addressEdit.text = f"{engine.url}/#token={token}"
    ui.agreeBox.checked = True
    ui.useRemoteButton.click()
    alone.ready()
    assert (ui.addressEdit.text, ui.tokenEdit.text) == (engine.url, token)
    assert ui.agreeBox.checked
    assert engine_tokens.token_of(engine.url) == token
    assert _line(alone).startswith(f"Ready at {engine.url} on ")
    assert token not in str([qt.QSettings().value(key) for key in qt.QSettings().allKeys()])


@pytest.mark.parametrize(
    ("text", "address", "token"),
    [
        (" https://gpu:8443/ ", "https://gpu:8443", ""),
        ("HTTP://gpu:8443/engine/#token=a+b=c", "http://gpu:8443/engine", "a+b=c"),
        ("https://me:secret@gpu:8443?token=x#y", "https://gpu:8443", ""),
        ("http://[::1]:8443/#token=", "http://[::1]:8443", ""),
    ],
)
def test_only_what_leads_to_an_engine_is_kept_of_an_address(text: str, address: str, token: str) -> None:
    assert engine_tokens.split_address(text) == (address, token)


@pytest.mark.parametrize(
    "text", ["", "gpu", "gpu:8443", "ftp://gpu", "file:///gpu", "http://", "https://gpu:x"]
)
def test_what_is_no_address_is_refused_without_its_token(text: str) -> None:
    with pytest.raises(Problem, match="is no address") as told:
        engine_tokens.split_address(f"{text}#token=secret")
    assert "secret" not in str(told.value)


def test_a_remote_engine_that_is_gone_is_told_in_one_sentence(alone: OpenPanel) -> None:
    settings = alone.session.settings
    settings.remember("engine.kind", "remote")
    settings.remember("engine.address", "http://127.0.0.1:9")
    settings.remember("engine.agreed", ["http://127.0.0.1:9"])
    alone.session.engine.start()
    alone.wait_until(lambda: "does not answer" in _line(alone), 60)
    assert alone.session.engine.status.grade == "failed"


def test_the_log_of_another_computer_is_not_taken_for_that_of_this_one(alone: OpenPanel) -> None:
    settings, told = alone.session.settings, list[str]()
    settings.remember("engine.kind", "remote")
    settings.remember("engine.address", "https://gpu:8443")
    settings.remember("engine.agreed", ["https://gpu:8443"])
    alone.session.engine.read_log(told.append)
    assert told == ["The log is on the computer with the engine, https://gpu:8443."]
