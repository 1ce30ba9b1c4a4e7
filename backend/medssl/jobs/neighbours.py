"""Trainings that other programs run in the same project, beside which none begins on the same device.

The engine lets what waits begin one after the other; a program that runs a job in its own process says no
instead. Of two that begin in the same moment one does: a job of the engine waits on, that of the program
failed. Nothing is locked: what counts is whether the process of the other job lives.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress

import psutil
from pydantic import ValidationError

from medssl.errors import ProjectError
from medssl.jobs.placement import has_gpu, task_of
from medssl.jobs.requests import REQUEST, PretrainRequest, Request, TrainRequest
from medssl.jobs.states import runs_here
from medssl.project import JobRow

_KINDS = {"train": "training", "pretrain": "pretraining"}
_GPUS = "CUDA_VISIBLE_DEVICES"


class DeviceBusyError(ProjectError):
    """Another training of the project runs already where one is to begin."""


def only_trainer(request: Request) -> Callable[[JobRow], None]:
    """Give a check that raises a `DeviceBusyError` about a running job that trains where `request` would.

    Benchmarks measure on purpose side by side, and what does not train is soon done: neither stands in the
    way. A job of another computer does not either, nor one whose process was killed.
    """
    if not isinstance(request, TrainRequest | PretrainRequest):
        return lambda other: None
    gpu = has_gpu()  # asks the driver, which takes its time
    place = task_of(request, gpu).place

    def check(other: JobRow) -> None:
        if other.kind not in _KINDS or not runs_here(other):
            return
        with suppress(ValidationError):  # of another version of MedSSL; it still trains
            if task_of(REQUEST.validate_json(other.request), gpu).place != place:
                return
        if place == "gpu" and _on_other_gpus(other):
            return
        raise _refusal(other, "GPU" if place == "gpu" else "processor")

    return check


def _on_other_gpus(other: JobRow) -> bool:
    """Whether the other process and this one were each given GPUs of their own."""
    ours = os.environ.get(_GPUS)
    try:
        theirs = psutil.Process(other.process_id).environ().get(_GPUS)
    except (psutil.Error, OSError):
        return False
    return bool(ours and theirs) and not set(str(ours).split(",")) & set(str(theirs).split(","))


def _refusal(other: JobRow, device: str) -> DeviceBusyError:
    since = "" if other.started is None else f", since {other.started.astimezone():%H:%M}"
    return DeviceBusyError(
        f"The {_KINDS[other.kind]} {other.id} of this project runs already on the {device}{since}; "
        "two at once would slow each other down or run out of memory.",
        f"Wait for its end, or stop it with 'medssl job cancel {other.id} --project "
        f'"{other.folder.parents[1]}"\'; then try again.',
    )
