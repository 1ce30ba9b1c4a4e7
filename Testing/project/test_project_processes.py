"""A project that several processes use, and that outlives those that are killed."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from medssl.errors import ProjectError
from medssl.project import DATABASE_NAME, Project, database

_START = """
    import os, signal, sys
    from pathlib import Path
    import numpy as np
    from medssl.project import Project
    folder, scan, who = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    labels = np.ones((3, 4, 5), dtype=np.uint8)
    uncertainty = np.zeros(labels.shape, dtype=np.float32)
    def die():
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    project = Project.open(folder)
    print("ready", flush=True)
    sys.stdin.readline()
"""


def _start(script: str, project: Project, scan: Path, who: str = "") -> subprocess.Popen[str]:
    """Start a process that waits, with the project open, until `_go` is called."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(_START) + textwrap.dedent(script), project.folder, scan, who],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n", process.communicate()[1]
    return process


def _go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def _check_whole(folder: Path) -> None:
    """Check that a project opens, that its database is sound, and that every row has its file."""
    with Project.open(folder) as project:
        for listed in project.cases():
            case = project.case(listed)
            assert all(path.is_file() for path in case.channels)
            for annotation in project.annotations(case):
                assert project.read_annotation(annotation).shape == (3, 4, 5)
            if case.pseudo_label is not None:
                assert project.read_pseudo_label(case.pseudo_label).shape == (3, 4, 5)
                assert project.read_uncertainty(case.pseudo_label).shape == (3, 4, 5)
        for job in project.jobs():
            assert job.folder.is_dir()
    connection = sqlite3.connect(folder / DATABASE_NAME)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()


def test_a_process_killed_at_any_moment_loses_only_its_last_step(
    project: Project, make_scan: Callable[..., Path]
) -> None:
    script = """
        for number in range(1000):
            name = f"{who} {number}"
            project.add_case(name, [scan], copy=True)
            print(name, "added", flush=True)
            project.save_annotation(name, labels)
            print(name, "drawn", flush=True)
            project.add_pseudo_label(name, labels, uncertainty, score=0.5, model_id="m", worst_slice=0)
            print(name, "proposed", flush=True)
            project.accept(name)
            print(name, "accepted", flush=True)
            project.new_job("train", "{}")
    """
    scan = make_scan()
    for round_number, seconds in enumerate((0.05, 0.17, 0.4)):
        process = _start(script, project, scan, f"round {round_number}")
        _go(process)
        time.sleep(seconds)
        process.kill()
        told, _ = process.communicate()
        assert process.returncode != 0
        _check_whole(project.folder)
        for line in told.splitlines():
            name, _, step = line.rpartition(" ")
            case = project.case(name)
            versions = [annotation.kind for annotation in project.annotations(case)]
            assert step == "added" or "drawn" in versions
            assert step not in ("proposed", "accepted") or case.pseudo_label is not None
            assert step != "accepted" or versions == ["drawn", "accepted"]


@pytest.mark.parametrize("module", ["annotations", "review", "cases"])
def test_a_process_killed_between_the_file_and_its_row_leaves_a_project_that_goes_on(
    project: Project, make_scan: Callable[..., Path], drawn: np.ndarray, module: str
) -> None:
    scan = make_scan()
    project.add_case("A", [scan])
    first = project.save_annotation("A", drawn)
    script = f"""
        import medssl.project.{module} as module
        give_name = module.give_name
        def give_name_and_die(durable, target):
            give_name(durable, target)
            die()
        module.give_name = give_name_and_die
        if who == "cases":
            project.add_case("B", [scan], copy=True)
        elif who == "review":
            project.add_pseudo_label("A", labels, uncertainty, score=0.5, model_id="m", worst_slice=0)
        else:
            project.save_annotation("A", labels)
    """
    process = _start(script, project, scan, module)
    _go(process)
    _, errors = process.communicate(timeout=60)
    assert process.returncode not in (0, 1), errors
    _check_whole(project.folder)

    left = {
        path: path.read_bytes()
        for path in project.folder.rglob("*")
        if path.is_file() and not path.name.startswith(DATABASE_NAME)
    }
    assert project.case("A").annotation == first
    assert project.case("A").pseudo_label is None
    assert project.count_cases() == 1
    project.add_case("B", [scan], copy=True)
    project.add_pseudo_label(
        "A", drawn, np.zeros(drawn.shape, dtype=np.float32), score=0.5, model_id="m", worst_slice=0
    )
    project.save_annotation("A", drawn)
    _check_whole(project.folder)
    assert all(path.read_bytes() == content for path, content in left.items())


def test_two_processes_work_in_one_project(project: Project, make_scan: Callable[..., Path]) -> None:
    script = """
        for number in range(6):
            project.save_annotation("shared", labels, author=who)
            project.add_case(f"{who} {number}", [scan], copy=True)
            project.add_pseudo_label(
                f"{who} {number}", labels, uncertainty, score=0.5, model_id="m", worst_slice=0
            )
            project.set_job_state(project.new_job(who, "{}").id, "running")
            project.new_model_folder()
            assert project.count_cases(text=who) == number + 1
    """
    scan = make_scan()
    project.add_case("shared", [scan])
    both = [_start(script, project, scan, who) for who in ("one", "two")]
    for process in both:
        _go(process)
    for process in both:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    versions = project.annotations("shared")
    assert [annotation.version for annotation in versions] == list(range(1, 13))
    assert sorted(annotation.author for annotation in versions) == ["one"] * 6 + ["two"] * 6
    assert project.case("shared").annotation == versions[-1]
    assert project.count_cases(state="proposed") == 12
    assert len(project.jobs()) == 12
    assert len(list((project.folder / "models").iterdir())) == 12
    _check_whole(project.folder)


def test_threads_share_an_open_project(
    project: Project, make_scan: Callable[..., Path], drawn: np.ndarray
) -> None:
    scan = make_scan()
    failures: list[BaseException] = []

    def work(who: int) -> None:
        try:
            for number in range(3):
                project.add_case(f"{who} {number}", [scan])
                project.save_annotation(f"{who} {number}", drawn)
        except BaseException as error:  # noqa: BLE001 - handed to the test, which raises it
            failures.append(error)

    threads = [threading.Thread(target=work, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert project.count_cases(state="annotated") == 12


def test_a_project_that_another_program_keeps_busy_is_told(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.1)
    holder = sqlite3.connect(project.folder / DATABASE_NAME, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(ProjectError, match="kept busy by another program"):
            Project.open(project.folder)
        assert project.cases() == []  # reading goes on
    finally:
        holder.execute("ROLLBACK")
        holder.close()
    with Project.open(project.folder):
        pass


@pytest.mark.parametrize("step", ["copied", "proposed", "drawn", "restored", "accepted", "corrected"])
def test_others_open_the_project_while_a_slow_disk_takes_new_files(
    project: Project,
    make_scan: Callable[..., Path],
    drawn: np.ndarray,
    propose: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    scan = make_scan()
    project.add_case("A", [scan])
    project.save_annotation("A", drawn)
    propose("A", drawn)
    steps: dict[str, Callable[[], object]] = {
        "copied": lambda: project.add_case("B", [scan], copy=True),
        "proposed": lambda: propose("A", drawn),
        "drawn": lambda: project.save_annotation("A", drawn),
        "restored": lambda: project.restore_annotation("A", 1),
        "accepted": lambda: project.accept("A"),
        "corrected": lambda: project.correct("A", drawn),
    }
    before = set(_published(project.folder))
    durable: set[int] = set()
    sync = os.fsync

    def slow_sync(handle: int) -> None:
        found = os.fstat(handle)
        if stat.S_ISREG(found.st_mode):
            with Project.open(project.folder):
                sync(handle)
            durable.add(found.st_ino)

    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.1)
    monkeypatch.setattr(os, "fsync", slow_sync)
    steps[step]()
    made = set(_published(project.folder)) - before
    assert made
    assert {path.stat().st_ino for path in made} <= durable  # no row is there before its file


def _published(folder: Path) -> list[Path]:
    """The scans and label maps of a project."""
    return [path for path in folder.rglob("*.n*") if path.is_file()]


def test_what_killed_processes_left_half_written_is_cleared_away_in_time(
    project: Project, make_scan: Callable[..., Path], drawn: np.ndarray
) -> None:
    project.add_case("A", [make_scan()])
    folder = project.save_annotation("A", drawn).path.parent
    for name in (".partial-old", ".partial-new"):
        (folder / name).mkdir()
        (folder / name / "labels.seg.nrrd").touch()
    os.utime(folder / ".partial-old", (0, 0))
    project.save_annotation("A", drawn)
    assert sorted(path.name for path in folder.iterdir()) == [
        ".partial-new",
        "v0001.seg.nrrd",
        "v0002.seg.nrrd",
    ]
