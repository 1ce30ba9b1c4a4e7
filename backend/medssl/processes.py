"""Telling one process from another that later got its number, and ending a whole tree of them."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil

from medssl.errors import MedSSLError

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")
_START_FIELD = 19  # of /proc/PID/stat, counted from the state, which follows the name in brackets


def process_mark(process_id: int) -> str | None:
    """When a process was started, as text that no later process with its number will have; None without one.

    Setting the computer's clock does not change it. Linux counts from the start of the computer; there, a
    time of day would be derived from the clock as it is now. macOS notes the time of day at the start, which
    psutil corrects by the clock as it is now, and `ps` tells as it was.
    """
    try:
        if sys.platform == "linux":
            stat = Path(f"/proc/{process_id}/stat").read_text(encoding="utf-8", errors="replace")
            ticks = stat.rpartition(")")[2].split()[_START_FIELD]
            return f"{_BOOT.read_text(encoding='ascii').strip()} {ticks}"
        if sys.platform == "darwin":
            return started_by_ps(process_id)
        return repr(psutil.Process(process_id).create_time())
    except (OSError, psutil.Error):
        return None


def process_space() -> str:
    """Which processes can be seen from here: those since Linux began, or the container; else ''."""
    try:
        return f"{_BOOT.read_text(encoding='ascii').strip()} {_NAMESPACE.readlink()}"
    except OSError:
        return ""


def started_by_ps(process_id: int) -> str | None:
    """When a process was started, to the second, as POSIX's `ps` was told by the system; None without one."""
    command = ["ps", "-o", "lstart=", "-p", str(process_id)]
    variables = {"LC_ALL": "C", "TZ": "UTC", "PATH": "/bin:/usr/bin"}
    told = subprocess.run(command, capture_output=True, text=True, env=variables, check=False)
    return told.stdout.strip() or None


def find_process(process_id: int | None, mark: str | None) -> psutil.Process | None:
    """The living process with this number and mark on this computer, or None."""
    if process_id is None or mark is None or process_mark(process_id) != mark:
        return None
    try:
        process = psutil.Process(process_id)
        # Nobody may have asked yet how a dead child ended; it does nothing any more.
        return None if process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD) else process
    except psutil.NoSuchProcess:
        return None


def end_tree(process: psutil.Process, wait_s: float = 5.0) -> None:
    """End a process and everything it started, at once, and wait until they are gone.

    Raises:
        MedSSLError: it belongs to somebody else.
    """
    try:
        # Stopped first, so that it starts nothing more while its children are listed.
        with suppress(psutil.Error):
            process.suspend()
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for member in family:
        _kill(member)
    psutil.wait_procs(family, timeout=wait_s)


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return
    except psutil.AccessDenied as error:
        raise MedSSLError(
            f"The process {process.pid} may not be ended.", "Ask the person who started it."
        ) from error
