from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from medssl.machine import ControlGroups, Machine

_GIB = 1 << 30


@pytest.fixture
def groups(tmp_path: Path) -> Path:
    """A folder to lay out control groups in, with this process's own list in `own`."""
    (tmp_path / "groups").mkdir()
    return tmp_path / "groups"


def _write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text, encoding="utf-8")


def _limits(groups: Path, own: str) -> ControlGroups:
    (groups.parent / "own").write_text(own, encoding="utf-8")
    return ControlGroups.of_this_process(groups, groups.parent / "own")


def test_the_machine_is_told_within_what_the_system_says() -> None:
    machine = Machine.look()
    assert 0 < machine.memory_free_bytes <= machine.memory_total_bytes <= psutil.virtual_memory().total
    assert 1 <= machine.cores <= (os.cpu_count() or 1)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system pins no process to cores")
def test_only_the_cores_that_the_process_may_use_count() -> None:
    script = """if True:
        import os, sys
        sys.modules["torch"] = None
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        from medssl.machine import Machine
        print(Machine.look().cores)
    """
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "1"


def test_without_torch_there_is_no_gpu() -> None:
    script = "import sys; sys.modules['torch'] = None\n"
    script += "from medssl.machine import Machine; print(Machine.look().gpu)"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "None"


def test_the_limits_of_version_2_count_and_cache_is_no_use_of_memory(groups: Path) -> None:
    _write(
        groups / "box",
        memory__max=str(4 * _GIB),
        memory__current=str(3 * _GIB),
        memory__stat=f"anon 5\ninactive_file {2 * _GIB}\n",
        cpu__max="150000 100000\n",
    )
    assert _limits(groups, "0::/box\n") == ControlGroups(4 * _GIB, 1 * _GIB, 1.5)


def test_the_limits_of_version_1_count(groups: Path) -> None:
    _write(
        groups / "memory" / "box",
        memory__limit_in_bytes=str(2 * _GIB),
        memory__usage_in_bytes=str(_GIB),
        memory__stat="total_inactive_file 1000\n",
    )
    _write(groups / "cpu" / "box", cpu__cfs_quota_us="200000\n", cpu__cfs_period_us="50000\n")
    found = _limits(groups, "4:memory:/box\n3:cpu:/box\n2:pids:/box\n0::/\n")
    assert found == ControlGroups(2 * _GIB, _GIB - 1000, 4.0)


def test_the_smallest_limit_of_all_groups_above_counts(groups: Path) -> None:
    _write(groups, memory__max=str(8 * _GIB), memory__current="0", cpu__max="max 100000")
    _write(groups / "a", memory__max=str(2 * _GIB), memory__current=str(_GIB), cpu__max="100000 100000")
    _write(groups / "a" / "b", memory__max="max", memory__current="7", cpu__max="300000 100000")
    assert _limits(groups, "0::/a/b\n") == ControlGroups(2 * _GIB, _GIB, 1.0)


def test_no_limit_is_no_limit(groups: Path) -> None:
    _write(groups / "memory" / "x", memory__limit_in_bytes="9223372036854771712", memory__usage_in_bytes="1")
    _write(groups / "cpu" / "x", cpu__cfs_quota_us="-1", cpu__cfs_period_us="100000")
    assert _limits(groups, "4:memory:/x\n3:cpu:/x\n") == ControlGroups()
    assert _limits(groups, "0::/somewhere/else\n") == ControlGroups()
    assert ControlGroups.of_this_process(groups, groups / "no such file") == ControlGroups()
