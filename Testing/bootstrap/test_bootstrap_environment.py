"""Environments made for real: each test here starts the bootstrap as a person does."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from bootstrap_checkout import Checkout, make_checkout, make_wheel

posix_only = pytest.mark.skipif(os.name == "nt", reason="sends signals and makes folders read-only")


def test_a_command_is_handed_on_word_for_word(installed: Checkout) -> None:
    result = installed.run("medssl", "train", "--env", "x y", "--json")
    answer = json.loads(result.stdout)
    assert answer["arguments"] == ["train", "--env", "x y", "--json"]
    assert Path(answer["prefix"]).samefile(installed.environment)


def test_the_demo_gets_its_own_options_and_not_those_of_the_bootstrap(installed: Checkout) -> None:
    result = installed.run("demo", "--data", "scans", "--env", str(installed.environment))
    assert json.loads(result.stdout)["arguments"] == ["demo", "--data", "scans"]


def test_the_exit_code_is_the_commands(installed: Checkout) -> None:
    assert installed.run("medssl", "fail").returncode == 7


def test_the_second_time_is_quick_and_silent(installed: Checkout) -> None:
    took_s = []
    for _ in range(3):
        start = time.perf_counter()
        result = installed.run("medssl", "doctor")
        took_s.append(time.perf_counter() - start)
        assert result.stderr == ""
    assert min(took_s) < 2  # a second, and another one for a busy computer


def test_the_variables_of_3d_slicer_do_not_reach_the_engine(installed: Checkout, tmp_path: Path) -> None:
    result = installed.run("medssl", "x", PYTHONPATH=str(tmp_path), SLICER_HOME=str(tmp_path))
    answer = json.loads(result.stdout)
    assert answer["home"] is None and Path(answer["prefix"]).samefile(installed.environment)


def test_check_asks_the_engine_once_it_is_there(installed: Checkout) -> None:
    result = installed.run("check")
    assert result.returncode == 0 and '"doctor"' in result.stdout


def test_changed_constraints_bring_the_environment_up_to_date(installed: Checkout) -> None:
    before = json.loads(installed.stamp.read_text())
    constraints = installed.root / "backend" / "constraints" / "cpu.txt"
    constraints.write_text("# another day\n")
    result = installed.run("medssl", "x")
    assert "Making an environment" not in result.stderr and "ready" in result.stderr
    after = json.loads(installed.stamp.read_text())
    assert after["state"] == "ready" and after["fingerprint"] != before["fingerprint"]


def test_an_update_that_fails_leaves_the_old_environment_working(installed: Checkout) -> None:
    project = installed.root / "backend" / "pyproject.toml"
    good = project.read_text()
    before = installed.stamp.read_text()
    project.write_text(good.replace("requires = []", 'requires = ["nothing-of-this-name"]'))
    try:
        result = installed.run("medssl", "x")
        assert result.returncode == 1
        assert "no build of nothing-of-this-name" in result.stderr and "install.log" in result.stderr
        assert installed.stamp.read_text() == before
    finally:
        project.write_text(good)
    assert installed.run("medssl", "x").stderr == ""


def test_an_environment_whose_python_is_gone_is_made_anew(installed: Checkout) -> None:
    for python in (installed.environment / ("Scripts" if os.name == "nt" else "bin")).glob("python*"):
        python.unlink()
    result = installed.run("medssl", "x")
    assert result.returncode == 0 and "made anew" in result.stderr


@posix_only
def test_a_killed_installation_is_recognised_and_repaired(checkout: Checkout) -> None:
    process = checkout.start("install", "--torch", "cpu")
    _wait_for(lambda: checkout.environment.joinpath("pyvenv.cfg").exists())
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert json.loads(checkout.stamp.read_text())["state"] == "unfinished"
    assert "is unfinished or out of date; install repairs it" in checkout.run("check").stdout
    result = checkout.run("medssl", "x")
    assert result.returncode == 0 and "was not finished" in result.stderr
    assert json.loads(checkout.stamp.read_text())["state"] == "ready"


def test_two_at_once_make_one_environment(checkout: Checkout) -> None:
    first = checkout.start("medssl", "first", "--torch")
    _wait_for(lambda: checkout.stamp.exists())
    second = checkout.run("medssl", "second")
    output, errors = first.communicate(timeout=100)
    assert json.loads(output)["arguments"] == ["first", "--torch"]
    assert json.loads(second.stdout)["arguments"] == ["second"]
    assert "waiting" in second.stderr and (errors + second.stderr).count("Making an environment") == 1


def test_torch_is_taken_from_the_users_own_source_by_the_name_of_its_build(tmp_path: Path) -> None:
    checkout = make_checkout(tmp_path / "c", "torch==2.13.0\n")
    wheels = tmp_path / "wheels"
    for version in ("2.13.0+cpu", "2.13.0+cu130"):
        make_wheel(wheels, version)
    result = checkout.run("install", "--torch", "cpu", PIP_FIND_LINKS=str(wheels))
    assert result.returncode == 0, result.stderr
    assert list(checkout.environment.rglob("torch-2.13.0+cpu.dist-info"))
    assert list(checkout.environment.rglob("torch_part.*.pyc")), "the first start would compile it"
    # Another build later replaces it; without the option it stays.
    result = checkout.run("install", "--torch", "cu130", PIP_FIND_LINKS=str(wheels))
    assert result.returncode == 0, result.stderr
    assert list(checkout.environment.rglob("torch-2.13.0+cu130.dist-info"))
    assert checkout.run("medssl", "x").stderr == ""
    # A build that nobody has is named, and the environment stays as it was.
    result = checkout.run("install", "--torch", "cu199", PIP_FIND_LINKS=str(wheels))
    assert result.returncode == 1 and "no build cu199 of torch 2.13.0" in result.stderr
    assert checkout.run("medssl", "x").stderr == ""


def test_a_torch_that_does_not_start_is_found_at_once(
    tmp_path: Path,
) -> None:
    checkout = make_checkout(tmp_path / "c", "torch==2.13.0\n")
    make_wheel(tmp_path / "wheels", "2.13.0", "raise OSError('libgomp.so.1 is missing')")
    result = checkout.run("install", "--torch", "cpu", PIP_FIND_LINKS=str(tmp_path / "wheels"))
    assert result.returncode == 1 and "libgomp.so.1 is missing" in result.stderr
    assert json.loads(checkout.stamp.read_text())["state"] == "unfinished"


def test_only_what_the_bootstrap_made_is_removed(
    installed: Checkout, checkout: Checkout, tmp_path: Path
) -> None:
    shutil.copytree(installed.environment, checkout.environment, symlinks=True)
    assert checkout.run("remove").returncode == 0
    assert not checkout.environment.exists()
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "scan.nii").write_text("a scan")
    result = checkout.run("remove", "--env", precious)
    assert result.returncode == 1 and "did not make" in result.stderr
    assert (precious / "scan.nii").read_text() == "a scan"


def test_a_folder_with_something_else_in_it_is_not_touched(checkout: Checkout) -> None:
    checkout.environment.mkdir()
    (checkout.environment / "pyvenv.cfg").write_text("home = elsewhere\n")
    result = checkout.run("install")
    assert result.returncode == 1 and "--env DIR" in result.stderr
    assert [entry.name for entry in checkout.environment.iterdir()] == ["pyvenv.cfg"]


def test_an_environment_that_was_copied_with_its_repository_is_made_anew(
    installed: Checkout, tmp_path: Path
) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(installed.root, moved, symlinks=True)
    result = Checkout(moved).run("medssl", "x")
    assert "was moved" in result.stderr and json.loads(result.stdout)["prefix"] == str(moved / ".venv")


def test_check_changes_nothing(checkout: Checkout) -> None:
    result = checkout.run("check")
    assert result.returncode == 0 and "Nothing is installed yet" in result.stdout
    assert not checkout.environment.exists()


@pytest.mark.parametrize("arguments", [["dance"], [], ["install", "--torch", "rocm"], ["test", "--fast"]])
def test_wrong_use_is_answered_with_exit_code_2(checkout: Checkout, arguments: list[str]) -> None:
    assert checkout.run(*arguments).returncode == 2


def _wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it did not happen within a minute"
        time.sleep(0.01)
