"""Whether this computer and this installation are fit for the work, and what to do where they are not."""

from __future__ import annotations

import platform
import sys
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from medssl.host import (
    MINIMUM_DRIVER,
    NvidiaGpu,
    find_nvidia_gpus,
    free_disk_bytes,
    nearest_existing,
    path_limit,
    why_not_writable,
)
from medssl.machine import Machine
from medssl.words import counted

Grade: TypeAlias = Literal["ok", "warning", "failed"]

_GB = 1_000_000_000
_LEAST_MEMORY_GB = 4
_GOOD_MEMORY_GB = 8
_LEAST_GPU_MEMORY_GB = 4
_LEAST_DISK_GB = 1
_GOOD_DISK_GB = 10
_LONGEST_INSIDE = 120  # characters of a label map's path below a project, for a case with a long name
_INSTALL = "python3 backend/bootstrap.py install"
_DRIVERS = "https://www.nvidia.com/drivers"


class Point(BaseModel):
    """One thing that was looked at: what was found, and what to do unless it is `ok`.

    A `warning` leaves the work possible, but slower or with less room; after a `failed` it will not succeed.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    grade: Grade
    found: str
    remedy: str = ""


class Examination(BaseModel):
    """Everything `medssl doctor` says, in the order in which it says it."""

    model_config = ConfigDict(frozen=True)

    points: tuple[Point, ...]

    @property
    def passed(self) -> bool:
        """Whether no point failed."""
        return all(point.grade != "failed" for point in self.points)


class TorchState(BaseModel):
    """The torch of this environment: its version and whether it reaches a GPU; `problem` when it has none."""

    model_config = ConfigDict(frozen=True)

    version: str = ""
    cuda_build: str = ""
    cuda_works: bool = False
    problem: str = ""


def examine(folder: Path) -> Examination:
    """Look at this computer and at the folder that the projects are, or will be, in. Changes nothing."""
    torch = look_at_torch()
    return Examination(
        points=(
            judge_python(sys.version_info[:2], sys.maxsize > 2**32),
            judge_torch(torch),
            judge_gpu(find_nvidia_gpus(), torch),
            judge_memory(Machine.look()),
            judge_disk(folder, free_disk_bytes(folder)),
            judge_path_length(folder, path_limit()),
            judge_permission(folder, why_not_writable(folder)),
        )
    )


def look_at_torch() -> TorchState:
    """Load torch and ask it; this takes a second or two."""
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: a library of torch's own cannot be loaded
        return TorchState(problem=str(error))
    return TorchState(
        version=str(torch.__version__),
        cuda_build=torch.version.cuda or "",
        cuda_works=torch.cuda.is_available(),
    )


def judge_python(version: tuple[int, int], has_64_bits: bool) -> Point:
    """Judge the running Python."""
    found = f"{platform.python_version()} in {sys.prefix}"
    if (3, 10) <= version < (3, 15) and has_64_bits:
        return Point(name="Python", grade="ok", found=found)
    return Point(
        name="Python",
        grade="failed",
        found=f"{found}, {'64' if has_64_bits else '32'} bits",
        remedy=f"Install Python 3.10 to 3.14 with 64 bits and run {_INSTALL} with it.",
    )


def judge_torch(torch: TorchState) -> Point:
    """Judge the torch of this environment."""
    if not torch.problem:
        return Point(name="torch", grade="ok", found=torch.version)
    return Point(
        name="torch",
        grade="failed",
        found=f"torch cannot be loaded: {torch.problem}",
        remedy=f"Run {_INSTALL} --torch auto to install it anew.",
    )


def judge_gpu(gpus: tuple[NvidiaGpu, ...], torch: TorchState) -> Point:
    """Judge the largest GPU, its driver, and whether torch reaches it."""
    if not gpus:
        if sys.platform == "darwin":
            faster = "a computer with an NVIDIA GPU can do it instead, with 'medssl serve' there."
        else:
            faster = f"with an NVIDIA GPU in this computer, install its driver from {_DRIVERS}."
        return Point(
            name="GPU",
            grade="warning",
            found="no NVIDIA GPU was found",
            remedy=f"Work goes on with the CPU, several times slower; {faster}",
        )
    gpu = max(gpus, key=lambda each: each.memory_total_bytes)
    total, free = gpu.memory_total_bytes / _GB, gpu.memory_free_bytes / _GB
    found = f"{gpu.name}, driver {gpu.driver}, {free:.1f} of {total:.1f} GB free"
    if gpu.driver_branch < MINIMUM_DRIVER:
        remedy = f"The driver is too old: install a current one from {_DRIVERS}."
    elif not torch.problem and not torch.cuda_build and sys.platform != "darwin":
        remedy = f"This torch is for the CPU only: run {_INSTALL} --torch auto."
    elif not torch.problem and not torch.cuda_works:
        remedy = (
            f"torch for CUDA {torch.cuda_build} does not reach it: update the driver and restart the "
            f"computer, or run {_INSTALL} --torch auto."
        )
    elif free < _LEAST_GPU_MEMORY_GB:
        remedy = "Little GPU memory is free: end other programs that use the GPU, or train on the CPU."
    else:
        return Point(name="GPU", grade="ok", found=found)
    return Point(name="GPU", grade="warning", found=found, remedy=remedy)


def judge_memory(machine: Machine) -> Point:
    """Judge the memory and tell the cores."""
    total, free = machine.memory_total_bytes / _GB, machine.memory_free_bytes / _GB
    found = f"{free:.1f} of {total:.1f} GB free, {counted(machine.cores, 'core')}"
    if free >= _GOOD_MEMORY_GB:
        return Point(name="Memory", grade="ok", found=found)
    if free >= _LEAST_MEMORY_GB:
        return Point(
            name="Memory",
            grade="warning",
            found=found,
            remedy="Enough for small scans; end other programs before working with large CT scans.",
        )
    return Point(
        name="Memory",
        grade="failed" if total < _LEAST_MEMORY_GB else "warning",
        found=found,
        remedy=f"End other programs, or use a computer with {_GOOD_MEMORY_GB} GB or more.",
    )


def judge_disk(folder: Path, free_bytes: int) -> Point:
    """Judge the free disk space where the projects are."""
    free = free_bytes / _GB
    found = f"{free:.1f} GB free for {folder}"
    if free >= _GOOD_DISK_GB:
        return Point(name="Disk", grade="ok", found=found)
    return Point(
        name="Disk",
        grade="warning" if free >= _LEAST_DISK_GB else "failed",
        found=found,
        remedy="Free some space, or keep the projects on a larger disk.",
    )


def judge_path_length(folder: Path, limit: int | None) -> Point:
    """Judge whether the files of a project in `folder` get paths that this computer can open."""
    length = len(str(folder.absolute())) + _LONGEST_INSIDE
    if limit is None or length <= limit:
        return Point(name="Path length", grade="ok", found="short enough")
    return Point(
        name="Path length",
        grade="warning",
        found=f"{folder} leaves too little of the {limit} characters that a path may have",
        remedy="Choose a folder with a shorter path, or switch on long paths in Windows.",
    )


def judge_permission(folder: Path, reason: str) -> Point:
    """Judge whether projects can be written; `reason` is the system's when they cannot."""
    if not reason:
        existing = nearest_existing(folder)
        return Point(name="Folder", grade="ok", found=f"{existing} is writable")
    return Point(
        name="Folder",
        grade="failed",
        found=f"{folder} may not be written: {reason}",
        remedy="Choose another folder, or ask for permission to write there.",
    )
