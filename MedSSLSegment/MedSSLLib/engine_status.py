"""The engine in one line, and the words of that line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from MedSSLLib import backend
from MedSSLLib.engine_choice import REMOTE, EngineChoice
from MedSSLLib.problems import Problem

if TYPE_CHECKING:
    from medssl.client import Device

_GB = 1_000_000_000


@dataclass(frozen=True)
class EngineStatus:
    """The engine in one line.

    Attributes:
        grade: 'ready', 'busy' while it starts, 'off' while it can be started, 'missing' while it cannot,
            'failed' after it went wrong.
        line: for the panel.
        remedy: what to do; '' when there is nothing to do.
    """

    grade: str
    line: str
    remedy: str = ""


def ready_line(device: Device, choice: EngineChoice) -> str:
    """Say what an engine that is ready computes on."""
    if device.gpus:
        gpu = max(device.gpus, key=lambda each: each.memory_total_bytes)
        free, total = gpu.memory_free_bytes / _GB, gpu.memory_total_bytes / _GB
        on = _("{gpu}, {free:.0f} of {total:.0f} GB free").format(gpu=gpu.name, free=free, total=total)
    else:
        free = device.memory_free_bytes / _GB
        on = _("the CPU, {cores} cores, {free:.0f} GB of memory free").format(cores=device.cores, free=free)
    if choice.kind == REMOTE:
        return _("Ready at {address} on {on}").format(address=choice.address, on=on)
    return _("Ready on {on}").format(on=on)


def sentences(error: Exception) -> tuple[str, str]:
    """Return what an error says, and what to do about it."""
    if isinstance(error, (Problem, backend.client_package().EngineError)):
        return error.message, error.remedy
    return f"{type(error).__name__}: {error}", _("The log has the rest.")
