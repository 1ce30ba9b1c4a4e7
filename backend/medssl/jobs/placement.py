"""Which jobs may run at the same time: one a device, and light ones beside a training when memory permits."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from medssl.host import find_nvidia_gpus
from medssl.jobs.requests import (
    BenchmarkRequest,
    EvaluateRequest,
    ExportModelRequest,
    ExportProjectRequest,
    ImportModelRequest,
    ImportRequest,
    PretrainRequest,
    Request,
    SampleRequest,
    TrainRequest,
)
from medssl.learning.settings import DeviceName
from medssl.machine import free_memory_bytes

Place: TypeAlias = Literal["gpu", "cpu", "disk"]
"""What a job keeps busy; `disk` stands for jobs without a network."""

BESIDE_TRAINING_BYTES = 4 << 30  # free memory with which a scan of ordinary size is segmented
SETTLED_S = 30.0  # a training that began just now has not taken its memory yet


@dataclass(frozen=True)
class Task:
    """What matters of a job here: where it runs, and whether it trains or only segments."""

    place: Place
    trains: bool


@dataclass(frozen=True)
class FreeMemory:
    """Bytes that are free at this moment; the GPU's are 0 where there is none."""

    main_bytes: int
    gpu_bytes: int

    @classmethod
    def look(cls) -> FreeMemory:
        """Ask the system and the GPU's driver, without torch. Takes a moment where there is a GPU."""
        gpus = find_nvidia_gpus()
        return cls(free_memory_bytes(), gpus[0].memory_free_bytes if gpus else 0)


def has_gpu() -> bool:
    """Whether workers of this process will find a GPU."""
    return os.environ.get("CUDA_VISIBLE_DEVICES") not in ("", "-1") and bool(find_nvidia_gpus())


def task_of(request: Request, gpu: bool) -> Task:
    """Say what a request will keep busy on a computer with or without a GPU."""
    if isinstance(
        request,
        ImportRequest | SampleRequest | ExportModelRequest | ImportModelRequest | ExportProjectRequest,
    ):
        return Task("disk", trains=False)
    if isinstance(request, EvaluateRequest) and request.predictions is not None:
        return Task("disk", trains=False)
    if isinstance(request, TrainRequest | PretrainRequest):
        return Task(_place(request.settings.device, gpu), trains=True)
    if isinstance(request, BenchmarkRequest):
        return Task(_place(request.settings.measure.device, gpu), trains=True)
    return Task(_place(request.device, gpu), trains=False)


def may_start(
    wanted: Task, running: Sequence[tuple[Task, float]], look: Callable[[], FreeMemory] = FreeMemory.look
) -> bool:
    """Whether a job may start beside those that run, each with its age in seconds.

    A device takes one job; beside one settled training it takes one job that does not train, when memory is
    free for it. Jobs on different devices do not wait for each other.
    """
    neighbours = [(task, age_s) for task, age_s in running if task.place == wanted.place]
    if not neighbours:
        return True
    if wanted.trains or wanted.place == "disk" or len(neighbours) > 1:
        return False
    neighbour, age_s = neighbours[0]
    if not neighbour.trains or age_s < SETTLED_S:
        return False
    free = look()
    enough = free.main_bytes >= BESIDE_TRAINING_BYTES
    return enough and (wanted.place == "cpu" or free.gpu_bytes >= BESIDE_TRAINING_BYTES)


def _place(device: DeviceName, gpu: bool) -> Place:
    return "gpu" if device == "cuda" or (device == "auto" and gpu) else "cpu"
