"""What this computer has to offer: memory, cores, GPU; within the limits of containers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import psutil

from medssl.host import usable_cores

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUPS = Path("/proc/self/cgroup")


@dataclass(frozen=True)
class Gpu:
    """A graphics card that torch can compute on."""

    name: str
    memory_free_bytes: int
    memory_total_bytes: int


@dataclass(frozen=True)
class Machine:
    """What a program may use at this moment.

    Attributes:
        memory_free_bytes: main memory that can be had without swapping.
        memory_total_bytes: main memory, or the container's share of it.
        cores: processor cores this process may use; 1 or more.
        gpu: the first GPU; None without one, or without torch.
    """

    memory_free_bytes: int
    memory_total_bytes: int
    cores: int
    gpu: Gpu | None

    @classmethod
    def look(cls, *, with_gpu: bool = True) -> Machine:
        """Look at this computer.

        Args:
            with_gpu: look for a GPU too, which takes a second or two where torch has to be imported for it.
        """
        limits = ControlGroups.of_this_process()
        free, total = _main_memory(limits)
        return cls(free, total, _cores(limits), _look_for_gpu() if with_gpu else None)


@dataclass(frozen=True)
class ControlGroups:
    """Linux's limits for the containers this process is in, version 1 or 2; None means no limit.

    Attributes:
        memory_bytes: the smallest limit of memory.
        memory_used_bytes: what counts against that limit and cannot be reclaimed.
        cores: the smallest share of processor time, in cores.
    """

    memory_bytes: int | None = None
    memory_used_bytes: int = 0
    cores: float | None = None

    @classmethod
    def of_this_process(cls, mounted: Path = _CGROUPS, own: Path = _OWN_CGROUPS) -> ControlGroups:
        """Read the limits of this process's groups and of all groups above them."""
        memory, used, cores = None, 0, None
        for folder in _folders(mounted, own):
            limit = _number(folder, "memory.max", "memory.limit_in_bytes")
            if limit is not None and (memory is None or limit < memory):
                memory = int(limit)
                counted = _number(folder, "memory.current", "memory.usage_in_bytes") or 0
                used = max(0, int(counted - _reclaimable(folder)))
            share = _core_share(folder)
            if share is not None and (cores is None or share < cores):
                cores = share
        return cls(memory, used, cores)


def free_memory_bytes() -> int:
    """Main memory that can be had without swapping: what `Machine.look` says, without looking for a GPU."""
    return _main_memory(ControlGroups.of_this_process())[0]


def core_share() -> int:
    """Processor cores this process may use: what `Machine.look` says, without looking for a GPU."""
    return _cores(ControlGroups.of_this_process())


def _cores(limits: ControlGroups) -> int:
    cores = usable_cores()
    # Downwards: one thread more than the share makes all of them wait.
    return cores if limits.cores is None else max(1, min(cores, int(limits.cores)))


def _main_memory(limits: ControlGroups) -> tuple[int, int]:
    """Return the free bytes and all of them."""
    memory = psutil.virtual_memory()
    free, total = int(memory.available), int(memory.total)
    if limits.memory_bytes is not None and limits.memory_bytes < total:
        total = limits.memory_bytes
        free = min(free, max(0, limits.memory_bytes - limits.memory_used_bytes))
    return free, total


def _folders(mounted: Path, own: Path) -> list[Path]:
    """List the folders of this process's control groups and of those above, in each hierarchy."""
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return []
    found: list[Path] = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        # Version 2 has no list of controllers; version 1 mounts each of them in a folder of its own.
        root = mounted / controllers
        group = root / path.lstrip("/")
        found += [folder for folder in (group, *group.parents) if folder.is_relative_to(root)]
    return [folder for folder in dict.fromkeys(found) if folder.is_dir()]


def _number(folder: Path, *names: str) -> float | None:
    """Read the first of some files that there is; None for 'max', -1, or what stands for no limit."""
    for name in names:
        try:
            text = (folder / name).read_text(encoding="utf-8").split()
        except OSError:
            continue
        if text and text[0] not in ("max", "-1") and int(text[0]) < 2**62:
            return float(text[0])
    return None


def _reclaimable(folder: Path) -> int:
    """Return the bytes of file cache that the system gives back when memory is wanted."""
    try:
        lines = (folder / "memory.stat").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    numbers = dict(line.split() for line in lines)
    return int(numbers.get("total_inactive_file", numbers.get("inactive_file", 0)))


def _core_share(folder: Path) -> float | None:
    """Return the processor time a group may use, in cores."""
    try:
        quota, period = (folder / "cpu.max").read_text(encoding="utf-8").split()
        return None if quota == "max" else int(quota) / int(period)
    except OSError:
        pass
    quota_us, period_us = _number(folder, "cpu.cfs_quota_us"), _number(folder, "cpu.cfs_period_us")
    return quota_us / period_us if quota_us and period_us else None


def _look_for_gpu() -> Gpu | None:
    try:
        import torch
    except ImportError:
        return None
    if not torch.cuda.is_available():
        return None
    free, total = torch.cuda.mem_get_info(0)
    return Gpu(torch.cuda.get_device_name(0), int(free), int(total))
