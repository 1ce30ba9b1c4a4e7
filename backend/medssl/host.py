"""What the operating system says about this computer, from the standard library alone.

`bootstrap.py` asks before anything is installed and `medssl doctor` afterwards, so that both say the same.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

WINDOWS_PATH_LIMIT = 259  # characters, without the closing zero
MINIMUM_DRIVER = (
    525  # the oldest NVIDIA driver branch that runs CUDA 12, which is the oldest torch is built for
)
_QUERY = "name,driver_version,memory.total,memory.free,compute_cap"


@dataclass(frozen=True)
class NvidiaGpu:
    """One NVIDIA GPU as its driver describes it."""

    name: str
    driver: str
    memory_total_bytes: int
    memory_free_bytes: int
    compute_capability: tuple[int, int]

    @property
    def driver_branch(self) -> int:
        """The driver's main number: 580 of 580.65.06."""
        return int(self.driver.split(".")[0])


def find_nvidia_gpus() -> tuple[NvidiaGpu, ...]:
    """Ask the NVIDIA driver for its GPUs; none when there is no driver or it does not answer."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    command = [program, f"--query-gpu={_QUERY}", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return parse_nvidia_gpus(answer.stdout) if answer.returncode == 0 else ()


def parse_nvidia_gpus(text: str) -> tuple[NvidiaGpu, ...]:
    """Read the driver's table (CSV without a header, memory in MiB); lines of another form are left out."""
    found = []
    for line in text.splitlines():
        fields = [field.strip() for field in line.split(",")]
        try:
            name, driver, total, free, capability = fields
            major, minor = capability.split(".")
            gpu = NvidiaGpu(name, driver, int(total) << 20, int(free) << 20, (int(major), int(minor)))
            found.append((gpu.driver_branch, gpu))
        except ValueError:
            continue
    return tuple(gpu for _, gpu in found)


def path_limit() -> int | None:
    """How many characters a path may have on this computer; None when a long path is no trouble."""
    if sys.platform != "win32":
        return None
    import winreg

    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SYSTEM\CurrentControlSet\Control\FileSystem") as key:
            enabled, _ = winreg.QueryValueEx(key, "LongPathsEnabled")
    except OSError:
        enabled = 0
    return None if enabled == 1 else WINDOWS_PATH_LIMIT


def nearest_existing(folder: Path) -> Path:
    """The folder itself, or the closest folder above it that exists."""
    folder = folder.absolute()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def free_disk_bytes(folder: Path) -> int:
    """Free bytes for this user on the disk that holds, or will hold, a folder."""
    return shutil.disk_usage(nearest_existing(folder)).free


def why_not_writable(folder: Path) -> str:
    """The system's reason why nothing can be written where a folder is or will be; '' when it can."""
    existing = nearest_existing(folder)
    if not existing.is_dir():
        return os.strerror(errno.ENOTDIR)
    try:
        with tempfile.TemporaryFile(dir=existing):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def usable_cores() -> int:
    """How many CPU cores this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
