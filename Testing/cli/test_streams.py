"""What programs read of commands, in real processes: every name, and nothing after they stopped reading."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from medssl.project import Project

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def old_code_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pipes as Windows has them in Europe."""
    monkeypatch.setenv("PYTHONIOENCODING", "cp1252")
    monkeypatch.setenv("PYTHONUTF8", "0")


@pytest.mark.usefixtures("old_code_page")
def test_names_in_any_script_reach_programs_and_stop_no_job(
    start_medssl: Start, small_dataset: Path, project_folder: Path, tmp_path: Path
) -> None:
    scan, folder = small_dataset / "imagesTs" / "small_7.nii.gz", tmp_path / "scans"
    folder.mkdir()
    shutil.copy(scan, folder / "whole.nii.gz")
    (folder / "患者7.nii.gz").write_bytes(b"no scan at all")

    adding = start_medssl("case", "add", folder, "--json", "-p", project_folder)
    out, err = adding.communicate(timeout=120)
    one = start_medssl("case", "add", scan, "--name", "患者", "-p", project_folder)
    told = one.communicate(timeout=120)[0]

    lines = [json.loads(line) for line in out.splitlines()]
    assert any("患者7 was not added" in line.get("text", "") for line in lines), err
    assert (lines[-1]["result"]["cases"], lines[-1]["result"]["refused"]) == (1, 1)
    assert (one.returncode, "患者" in told) == (0, True)


def test_a_job_is_finished_though_nobody_reads_on(start_medssl: Start, project_folder: Path) -> None:
    with Project.open(project_folder) as project:
        before = project.count_cases()
    command = ("case", "sample", "--cases", 4, "-p", project_folder)
    events, lines = start_medssl(*command, "--json"), start_medssl(*command, "--seed", 1)
    assert events.stdout is not None
    assert events.stderr is not None
    assert lines.stdout is not None
    assert lines.stderr is not None

    lines.stderr.close()
    events.stdout.readline()
    events.stdout.close()
    told, answer = events.stderr.read(), lines.stdout.read()

    assert (events.wait(120), lines.wait(120)) == (141, 0)
    assert told == "What happens cannot be shown any more. The work goes on; Ctrl+C stops it.\n"
    assert "4 cases" in answer
    with Project.open(project_folder) as project:
        assert {job.state for job in project.jobs()} == {"finished"}
        assert project.count_cases() == before + 8


# What Windows says of a closed pipe, on every system.
CLOSED_ON_WINDOWS = """
import errno, io, os, sys
class Closed(io.FileIO):
    def write(self, data):
        try:
            return super().write(data)
        except OSError as error:
            raise OSError(errno.EINVAL, "Invalid argument") from error
sys.stdout = io.TextIOWrapper(io.BufferedWriter(Closed(1, "w", closefd=False)))
"""


@pytest.mark.parametrize("before", ["", CLOSED_ON_WINDOWS], ids=["here", "Windows"])
def test_help_that_nobody_reads_ends_as_other_commands_do(start_medssl: Start, before: str) -> None:
    for arguments in (("case", "list", "--help"), ("--version",)):
        asked = start_medssl(*arguments, before=before)
        assert asked.stdout is not None
        asked.stdout.close()
        assert asked.stderr is not None
        assert (asked.stderr.read(), asked.wait(120)) == ("", 141)
