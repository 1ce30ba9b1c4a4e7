"""The dialog 'Set up...': the real bootstrap makes, stops and removes an environment of a small engine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import qt
import slicer
from medssl.client import Client
from medssl.phantom import SCHEMA
from medssl.project import Project
from MedSSLLib import environments
from MedSSLLib.settings import Settings
from panels import OpenPanel

sys.path.insert(0, str(Path(__file__).parents[1] / "bootstrap"))

from bootstrap_checkout import Checkout, make_checkout
from bootstrap_lib.stamp import Stamp, write_stamp


@pytest.fixture
def checkout(panel: OpenPanel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    """A small engine in the place of ours; pip reaches no server, and no engine is started."""
    made = make_checkout(tmp_path / "ein Klon")
    monkeypatch.setattr("MedSSLLib.backend.backend_folder", lambda: made.root / "backend")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    variables = {**kept, "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}
    variables.pop("PYTHONPATH", None)
    monkeypatch.setattr(slicer.util, "startupEnvironment", lambda: variables)
    monkeypatch.delenv("MEDSSL_ENGINE_PYTHON")
    panel.session.settings.remember("engine.environments", [str(tmp_path / "Umgebung")])
    panel.ready()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))  # where no engine runs
    panel.reopen()
    monkeypatch.setattr(panel.session.engine, "start", lambda: None)
    return made


def _dialog(panel: OpenPanel) -> Any:
    panel.click("setUpButton")
    setup = panel.widget.panel.views["engine"].setup
    panel.wait_until(lambda: setup.ui.pythonCombo.count > 0, 60)
    return setup.ui


def _programs_in(folder: Path) -> list[psutil.Process]:
    running = psutil.process_iter(["cmdline"])
    return [each for each in running if str(folder) in " ".join(each.info["cmdline"] or ())]


def test_the_engine_is_installed_with_its_log_then_used_and_removed(
    panel: OpenPanel, checkout: Checkout, tmp_path: Path
) -> None:
    ui = _dialog(panel)
    assert ui.folderEdit.currentPath == str(tmp_path / "Umgebung")
    assert ui.pythonCombo.currentText.startswith("Python 3.")
    assert ui.installButton.text == "Install"
    ui.installButton.click()
    assert "Installing" in ui.outcomeLabel.text
    assert not ui.environmentFrame.enabled
    panel.wait_until(lambda: "is installed" in ui.outcomeLabel.text, 100)
    log = ui.logEdit.plainText
    assert "bootstrap.py install --env" in log
    assert "The environment is ready." in log
    choice = panel.session.engine.choice
    assert choice.python == tmp_path / "Umgebung" / "bin" / "python"
    assert ui.installButton.text == "Use"
    ui.removeButton.click()
    panel.wait_until(lambda: "was removed" in ui.outcomeLabel.text, 60)
    assert not (tmp_path / "Umgebung").exists()
    assert panel.session.engine.choice is None


def test_two_slicers_have_an_environment_each_and_one_whose_slicer_is_gone_is_taken_over(
    runtime: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOME", "XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path))
    qt.QSettings().clear()
    settings = Settings()

    def start(slicer_folder: str) -> Path:
        """Where the environment of a Slicer is that shares its settings with the others."""
        engine = tmp_path / slicer_folder / "backend"
        engine.mkdir(parents=True, exist_ok=True)
        monkeypatch.setattr("MedSSLLib.backend.backend_folder", lambda: engine)
        return environments.environment_folder(settings)

    def install(slicer_folder: str, folder: Path) -> None:
        start(slicer_folder)
        python = environments.python_of(folder)
        python.parent.mkdir(parents=True, exist_ok=True)
        python.touch()
        stamp = Stamp("ready", str(folder), str(tmp_path / slicer_folder / "backend"))
        write_stamp(folder, stamp)
        environments.choose_environment(settings, folder)

    first = start("Slicer 5.8")
    install("Slicer 5.8", first)
    second = start("Slicer 5.10")
    assert second != first
    install("Slicer 5.10", second)
    install("Slicer 5.12", tmp_path / "chosen")
    for name, folder in (
        ("Slicer 5.8", first), ("Slicer 5.10", second), ("Slicer 5.12", tmp_path / "chosen")
    ):  # fmt: skip
        assert start(name) == folder
        assert environments.is_ready(folder)
    assert start("Slicer 5.14") not in (first, second, tmp_path / "chosen")
    shutil.rmtree(tmp_path / "Slicer 5.8")
    assert start("Slicer 5.14") == first
    assert environments.is_ours(first)
    assert not environments.is_ready(first)


def test_an_installation_is_stopped_with_everything_it_started_and_no_check_takes_its_place(
    panel: OpenPanel, checkout: Checkout, tmp_path: Path
) -> None:
    build = checkout.root / "backend" / "tiny_build.py"
    checked, begun = tmp_path / "checked", tmp_path / "begun"
    endless = (
        "import pathlib, time\n"
        f"while not pathlib.Path({str(checked)!r}).exists(): time.sleep(0.05)\n"
        f"pathlib.Path({str(begun)!r}).touch()\n"
        "time.sleep(600)\n"
    )
    build.write_text(endless + build.read_text())
    ui = _dialog(panel)
    ui.installButton.click()
    panel.wait_until(lambda: "bootstrap.py install" in ui.logEdit.plainText, 60)
    assert not panel.find("checkButton").enabled
    assert not ui.checkComputerButton.enabled
    setup = panel.widget.panel.views["engine"].setup
    setup.check()
    setup._setup.check(Path(sys.executable), tmp_path / "Umgebung")
    assert "Installing" in ui.outcomeLabel.text
    checked.touch()
    panel.wait_until(begun.exists, 60)  # it is the installation that goes on
    ui.stopButton.click()
    panel.wait_until(lambda: "Stopped" in ui.outcomeLabel.text, 60)
    panel.wait_until(lambda: not _programs_in(tmp_path / "Umgebung"))
    assert "bootstrap.py check" not in ui.logEdit.plainText
    assert ui.environmentFrame.enabled
    assert panel.find("checkButton").enabled
    assert panel.session.engine.choice is None


def test_a_folder_with_something_else_in_it_is_refused(
    panel: OpenPanel, checkout: Checkout, tmp_path: Path
) -> None:
    (tmp_path / "Umgebung").mkdir()
    (tmp_path / "Umgebung" / "thesis.txt").write_text("do not delete")
    ui = _dialog(panel)
    assert not ui.removeButton.enabled
    ui.installButton.click()
    panel.wait_until(lambda: "did not make" in ui.outcomeLabel.text, 60)
    assert (tmp_path / "Umgebung" / "thesis.txt").exists()


def test_the_computer_is_checked_before_anything_is_installed(panel: OpenPanel, checkout: Checkout) -> None:
    panel.click("checkButton")
    ui = panel.widget.panel.views["engine"].setup.ui
    panel.wait_until(lambda: "meets the requirements" in ui.outcomeLabel.text, 100)
    assert "Disk" in ui.logEdit.plainText
    assert "Nothing is installed yet." in ui.logEdit.plainText


@pytest.mark.parametrize("button", ["installButton", "removeButton"])
def test_an_engine_that_works_for_another_project_is_not_taken_away(
    panel: OpenPanel,
    checkout: Checkout,
    engine: Client,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    button: str,
) -> None:
    monkeypatch.undo()  # this person's engine runs
    monkeypatch.setattr("MedSSLLib.backend.backend_folder", lambda: checkout.root / "backend")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "Umgebung"], check=True)
    (tmp_path / "Umgebung" / "medssl-environment.json").write_text('{"state": "making"}')
    folder = tmp_path / "kidneys"
    with Project.create(folder, SCHEMA):
        project = engine.open_project(folder)
    job = engine.submit(project.key, {"kind": "sample", "cases": 1000})
    other = engine.create_project("Other", {1: "Box"}, folder=tmp_path / "other")
    panel.reopen()
    panel.ready()
    panel.session.set_project(other)
    ui = _dialog(panel)
    getattr(ui, button).click()
    panel.wait_until(lambda: "still works" in ui.outcomeLabel.text, 60)
    assert ui.environmentFrame.enabled
    assert panel.session.project.key == other.key
    assert engine.job(project.key, job.id).state in ("queued", "running")
    assert (tmp_path / "Umgebung").is_dir()
    engine.cancel(project.key, job.id)


def test_slicers_own_python_is_never_changed_while_slicer_tests_itself(
    panel: OpenPanel, checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    ui = _dialog(panel)
    ui.slicerButton.checked = True
    assert not ui.useSlicerButton.enabled
    assert "SlicerPyTorch" in ui.slicerLabel.text
    monkeypatch.setattr(slicer.modules, "pytorchutils", object(), raising=False)
    ui.environmentButton.checked = True
    ui.slicerButton.checked = True
    ui.useSlicerButton.click()
    assert "while it tests itself" in ui.outcomeLabel.text


def test_packages_that_cannot_be_installed_into_slicers_own_python_are_told_in_the_dialog(
    panel: OpenPanel, checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_options: object) -> None:
        subprocess.run([sys.executable, "-m", "pip", "install", "medssl-is-not-there"], check=True)

    torch = SimpleNamespace(PyTorchUtilsLogic=lambda: SimpleNamespace(installTorch=fail))
    monkeypatch.setitem(sys.modules, "PyTorchUtils", torch)
    monkeypatch.setattr(slicer.packaging, "load_pyproject_dependencies", list, raising=False)
    monkeypatch.setattr(slicer.modules, "pytorchutils", object(), raising=False)
    monkeypatch.setattr(slicer.app, "testingEnabled", lambda: False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    ui = _dialog(panel)
    ui.slicerButton.checked = True
    ui.useSlicerButton.click()
    assert "could not get what the engine needs" in ui.outcomeLabel.text
    assert "returned non-zero exit status" in ui.outcomeLabel.text
    assert panel.session.settings.value("engine.kind", "none") == "none"


def test_a_slicer_that_cannot_install_says_so_before_anyone_tries(
    panel: OpenPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from MedSSLLib.setup_logic import SetupLogic

    monkeypatch.setattr(slicer.modules, "pytorchutils", object(), raising=False)
    assert SetupLogic(panel.session).why_not_slicer() == ""
    monkeypatch.setitem(sys.modules, "slicer.packaging", None)  # as in 3D Slicer 5.10
    assert "5.12" in SetupLogic(panel.session).why_not_slicer()
