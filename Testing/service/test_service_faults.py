"""What happens to computers: disks that are full, clocks that jump, files that are traps."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from full_disk import fill_disk
from medssl.client import EngineError, Job
from medssl.imaging.volume import Grid
from medssl.project import Project as OpenProject
from service_engine import Engine, write_drawing, write_scan

Start = Callable[..., Engine]

# time() and datetime.now() as the process sees them, moved by the seconds that a file names.
_CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
int clock_gettime(clockid_t which, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int code = real(which, now);
    if (which == CLOCK_REALTIME) {
        FILE *file = fopen(getenv("CLOCK_JUMP"), "r");
        long jump = 0;
        if (file) { if (fscanf(file, "%ld", &jump) != 1) jump = 0; fclose(file); }
        now->tv_sec += jump;
    }
    return code;
}
"""
_YEAR_S = 365 * 24 * 3600


def _ended(engine: Engine, project: str, job: Job) -> Job:
    engine.client.watch(project, job.id, on_event=lambda event: None).join(100)
    return engine.client.job(project, job.id)


def test_a_full_disk_is_told_and_nothing_that_was_drawn_is_lost(
    start_engine: Start, small_disk: Path, tmp_path: Path
) -> None:
    engine = start_engine("--root", str(small_disk), "--root", str(tmp_path))
    client = engine.client
    project = client.create_project("Full", {1: "Head", 2: "Body"}, folder=small_disk / "project")
    case = client.add_case(project.key, "a", [write_scan(tmp_path / "scan.nii.gz")])
    drawing = write_drawing(tmp_path / "drawn.nii.gz")
    kept = client.save_annotation(project.key, case.id, drawing)
    before = Path(kept.path).read_bytes()
    filler = fill_disk(small_disk)
    for change in (
        lambda: client.save_annotation(project.key, case.id, drawing),
        lambda: client.restore_annotation(project.key, case.id, 1),
        lambda: client.add_case(project.key, "b", [tmp_path / "scan.nii.gz"], copy_files=True),
        lambda: client.submit(project.key, {"kind": "import", "folder": str(tmp_path / "nothing")}),
    ):
        with pytest.raises(EngineError, match="disk is full") as told:
            change()
        assert (told.value.code, told.value.status) == ("storage", 409)
    assert client.thumbnail(project.key, case.id)  # only its copy in the cache is missing
    assert [each.version for each in client.annotations(project.key, case.id)] == [1]
    assert Path(kept.path).read_bytes() == before
    filler.unlink()
    assert client.save_annotation(project.key, case.id, drawing).version >= 2
    assert Path(kept.path).read_bytes() == before
    with OpenProject.open(Path(project.folder)) as opened:
        assert [found.name for found in opened.cases()] == ["a"]


def test_a_job_that_fills_the_disk_says_so_and_goes_on_when_there_is_room(
    start_engine: Start, small_disk: Path, tmp_path: Path
) -> None:
    engine = start_engine("--root", str(small_disk), "--root", str(tmp_path))
    scans = tmp_path / "scans"
    grid = Grid(size=(64, 64, 32), spacing_mm=(1.0, 1.0, 1.0))
    for number in range(4):
        write_scan(scans / f"scan {number}.nii", number, grid)
    filler = small_disk / "filler"
    project = engine.client.create_project("Full", {1: "Head"}, folder=small_disk / "project")
    free = shutil.disk_usage(small_disk).free
    filler.write_bytes(bytes(free - 2 * (64 * 64 * 32 * 2)))  # room for two scans of four
    asked = {"kind": "import", "folder": str(scans), "copy_files": True}
    job = engine.client.submit(project.key, asked)

    stopped = _ended(engine, project.key, job)

    assert (stopped.state, "disk is full" in stopped.error) == ("failed", True), stopped
    assert "space" in stopped.remedy
    some = engine.client.cases(project.key).total
    assert some < 4
    filler.unlink()
    engine.client.resume(project.key, job.id)
    while not (again := engine.client.job(project.key, job.id)).over:
        time.sleep(0.1)
    assert (again.state, engine.client.cases(project.key).total) == ("finished", 4), again


def test_a_disk_without_room_takes_no_upload_and_keeps_no_part_of_it(
    small_disk: Path, start_engine: Start, tmp_path: Path
) -> None:
    engine = start_engine(folder=small_disk)
    with pytest.raises(EngineError, match=r"0\.0 GB free") as told:
        engine.client.upload(write_scan(tmp_path / "scan.nii.gz"))
    assert told.value.code == "storage"
    assert not list((engine.state / "uploads").iterdir())


@pytest.fixture
def jumping_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """A function that moves the wall clock of processes that are started from now on, by seconds."""
    compiler = shutil.which("cc")
    if sys.platform != "linux" or compiler is None:
        pytest.skip("only on Linux with a C compiler can one process see another time")
    source, library = tmp_path / "clock.c", tmp_path / "clock.so"
    source.write_text(_CLOCK)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    jump = tmp_path / "jump"
    jump.write_text("0")
    monkeypatch.setenv("LD_PRELOAD", str(library))
    monkeypatch.setenv("CLOCK_JUMP", str(jump))
    check = [sys.executable, "-c", "import time; print(time.time())"]
    jump.write_text(str(_YEAR_S))
    seen = float(subprocess.run(check, capture_output=True, text=True, check=True).stdout)
    assert seen > time.time() + _YEAR_S / 2, "the clock cannot be moved here"

    def move(seconds: int) -> None:
        jump.write_text(str(seconds))

    move(0)
    return move


def test_a_clock_that_jumps_ends_nothing_and_mixes_nothing_up(
    jumping_clock: Callable[[int], None], start_engine: Start, small_dataset: Path
) -> None:
    engine = start_engine("--root", str(small_dataset), "--idle-minutes", "0.5")
    client, project = engine.client, engine.new_project()
    case = client.add_case(project.key, "a", [write_scan(engine.root / "scan.nii.gz")])
    drawing = write_drawing(engine.root / "drawn.nii.gz")
    upload = client.upload(drawing)
    jobs = []
    for year in (10, -10):
        jumping_clock(year * _YEAR_S)
        client.save_annotation(project.key, case.id, upload.path)
        empty = engine.root / f"empty {year}"
        empty.mkdir()
        # It holds no scan, which a process of its own finds out: one that sees the same time.
        jobs.append(client.submit(project.key, {"kind": "import", "folder": str(empty)}))
        assert _ended(engine, project.key, jobs[-1]).state == "failed"
    assert [each.version for each in client.annotations(project.key, case.id)] == [1, 2]
    current = client.case(project.key, case.id).annotation
    assert current is not None
    assert current.version == 2
    assert {job.id for job in client.jobs(project.key)} == {job.id for job in jobs}
    assert client.undo(project.key, case.id).annotation.version == 1  # type: ignore[union-attr]  # it is there
    assert engine.process.is_running()
    time.sleep(1)
    assert client.service().instance == engine.endpoint.instance


def test_an_archive_that_is_a_trap_becomes_no_model(engine: Engine, tmp_path: Path) -> None:
    project = engine.new_project()
    no_zip = tmp_path / "no.zip"
    no_zip.write_bytes(b"PK\x03\x04 hello")
    with pytest.raises(EngineError, match="no zip archive"):
        engine.client.upload(no_zip)
    trap = tmp_path / "trap.zip"
    with zipfile.ZipFile(trap, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("weights.pkl", f"cos\nsystem\n(S'touch {tmp_path}/trapped'\ntR.".encode())
        archive.writestr("../../outside.txt", "outside")
        archive.writestr("weights.safetensors", bytes(50 << 20))
    upload = engine.client.upload(trap)
    assert upload.grid is None
    job = engine.client.submit(project.key, {"kind": "import_model", "path": upload.path})
    ended = _ended(engine, project.key, job)
    assert ended.state == "failed"
    assert ended.error
    assert engine.client.models(project.key) == ()
    assert not list(Path(project.folder).rglob("outside.txt"))
    assert not list(engine.state.rglob("outside.txt"))
    assert not (tmp_path / "trapped").exists()


def test_a_scan_outside_the_allowed_folders_is_not_drawn(engine: Engine, tmp_path: Path) -> None:
    project = engine.new_project()
    with OpenProject.open(Path(project.folder)) as opened:
        case = opened.add_case("outside", [write_scan(tmp_path / "outside.nii.gz")])
    with pytest.raises(EngineError) as told:
        engine.client.thumbnail(project.key, case.id)
    assert (told.value.code, told.value.status) == ("path", 403)


def test_the_computer_is_checked_where_programs_do_not_write_utf_8(
    start_engine: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "cp1252")  # as pipes have it on Windows
    engine = start_engine()
    folder = engine.root / "Jörg"
    folder.mkdir()
    assert any("Jörg" in point.found for point in engine.client.check_computer(folder))
