"""What the operating system says about this computer, from the standard library alone.

`bootstrap.py` asks before anything is installed and `medssl doctor` afterwards, so that both say the same.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

WINDOWS_PATH_LIMIT = 259  # characters, without the closing zero
MINIMUM_DRIVER = (
    525  # the oldest NVIDIA driver branch that runs CUDA 12, which is the oldest torch is built for
)
_MACHINE_IDS = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))
_QUERY = "name,driver_version,memory.total,memory.free,compute_cap"
_SHARED = ("[N/A]", "[Not Supported]")  # the driver's words for memory that the GPU has none of its own of
_MEMORY = Path("/proc/meminfo")


@dataclass(frozen=True)
class NvidiaGpu:
    """One NVIDIA GPU as its driver describes it; its memory is the computer's where they share it."""

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
            major, minor = (int(number) for number in capability.split("."))
            shared = total in _SHARED and free in _SHARED
            memory = _main_memory_bytes() if shared else (int(total) << 20, int(free) << 20)
            gpu = NvidiaGpu(name, driver, *memory, (major, minor))
            found.append((gpu.driver_branch, gpu))
        except (ValueError, OSError):
            continue
    return tuple(gpu for _, gpu in found)


def _main_memory_bytes() -> tuple[int, int]:
    """All of the main memory, and what of it can be had without swapping.

    Raises:
        OSError: this is not Linux, the only system of computers whose GPU shares it.
    """
    lines = (line.split() for line in _MEMORY.read_text(encoding="ascii").splitlines())
    kib = {words[0]: int(words[1]) for words in lines}
    return kib["MemTotal:"] << 10, kib["MemAvailable:"] << 10


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
    while folder != folder.parent:
        if os.path.exists(folder):  # noqa: PTH110 - `exists` raises where a folder may not be entered
            break
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


def computer_id() -> str:
    """What this computer has kept when it was started anew, and no other one has.

    The name alone is neither: a Mac is renamed by the network it is in, and many computers have the same. The
    number that an installation gives itself is copied with a disk's image, so it only counts beside the name.
    What is returned tells neither of them: that number is nobody else's business.
    """
    hardware = _mac_id() if sys.platform == "darwin" else ""
    known = hardware or f"{socket.gethostname()} {_installation_id()}"
    return hashlib.sha256(f"medssl {known}".encode()).hexdigest()[:32]


def _mac_id() -> str:
    """The hardware's UUID, which macOS gives by gethostuuid(2); '' where it does not."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        found, patience = (ctypes.c_ubyte * 16)(), (ctypes.c_long * 2)(1, 0)  # a timespec of one second
        return str(uuid.UUID(bytes=bytes(found))) if libc.gethostuuid(found, patience) == 0 else ""
    except (OSError, AttributeError):
        return ""


def _installation_id() -> str:
    """The number that Linux or Windows was given when it was installed; '' without one."""
    if sys.platform == "win32":
        import winreg

        access = winreg.KEY_READ | winreg.KEY_WOW64_64KEY
        try:
            key = winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SOFTWARE\Microsoft\Cryptography", 0, access)
            with key:
                return str(winreg.QueryValueEx(key, "MachineGuid")[0])
        except OSError:
            return ""
    for path in _MACHINE_IDS:
        with suppress(OSError):
            return path.read_text(encoding="ascii").strip()
    return ""


def usable_cores() -> int:
    """How many CPU cores this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
