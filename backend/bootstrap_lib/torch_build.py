"""Which build of torch this computer needs, and where to ask for it."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from medssl.host import MINIMUM_DRIVER, NvidiaGpu

from .problems import SetupError

_PYTORCH = "https://download.pytorch.org/whl"
_CUDA_13_DRIVER = 580
_CUDA_13_CAPABILITY = (7, 5)  # CUDA 13 left out the GPUs before Turing
_BLACKWELL = (10, 0)  # CUDA 12.6 does not know these GPUs
CHOICE = re.compile(r"auto|cpu|cu1\d\d")


@dataclass(frozen=True)
class Attempt:
    """One way to ask pip for torch: what, and from which index (None: the sources pip is set to)."""

    requirement: str
    index: str | None = None


def pinned_version(backend: Path) -> str | None:
    """The version of torch that is tested, from the constraints; None when they name none."""
    text = (backend / "constraints" / "cpu.txt").read_text(encoding="utf-8")
    found = re.search(r"^torch==(\S+)", text, re.MULTILINE)
    return found.group(1) if found else None


def choose_build(gpus: Sequence[NvidiaGpu]) -> tuple[str, str]:
    """The build for these GPUs and a sentence that says why.

    The driver decides which CUDA runs (CUDA 13 needs branch 580, CUDA 12 branch 525), and the GPU's
    generation which CUDA still, or already, knows it.
    """
    if sys.platform == "darwin":
        return "cpu", "macOS has one build of torch; MedSSL computes on the processor with it."
    if not gpus:
        return "cpu", "No NVIDIA GPU was found, so torch is installed for the CPU."
    gpu = max(gpus, key=lambda each: each.memory_total_bytes)
    named = f"{gpu.name} with driver {gpu.driver}"
    if gpu.driver_branch < MINIMUM_DRIVER:
        return "cpu", (
            f"Found {named}, which is too old for torch; it is installed for the CPU. Install driver "
            f"{_CUDA_13_DRIVER} or newer from https://www.nvidia.com/drivers and run install --torch auto."
        )
    if gpu.compute_capability < _CUDA_13_CAPABILITY:
        build = "cu126"
    elif gpu.driver_branch >= _CUDA_13_DRIVER:
        build = "cu130"
    else:
        build = "cu129" if gpu.compute_capability >= _BLACKWELL else "cu126"
    return build, f"Found {named}: torch is installed for CUDA {build[2:4]}.{build[4:]}."


def attempts(build: str, version: str, system: str = sys.platform) -> tuple[Attempt, ...]:
    """The ways to get a build, best first.

    PyTorch names its builds: torch 2.13.0+cpu, 2.13.0+cu130. A name fits nothing else, so the sources pip is
    set to are asked for it first (a mirror or a folder of wheels may have it, and then no other server is
    needed; the public registry answers at once that it has none), and PyTorch's own index after them. Where
    the registry's unnamed build is the wanted one, that is taken.
    """
    plain = Attempt(f"torch=={version}")
    if system == "darwin":
        if build != "cpu":
            raise SetupError(
                "There is no torch for CUDA on macOS.", "Leave --torch away, or use --torch cpu."
            )
        return (plain,)
    if system == "win32" and build == "cpu":
        return (plain,)  # the registry's build for Windows is the one for the CPU
    named = f"torch=={version}+{build}"
    own_then_pytorch = (Attempt(named), Attempt(named, f"{_PYTORCH}/{build}"))
    # On Linux the registry's build is for CUDA 13 and runs on the CPU too: larger, but better than nothing.
    return (*own_then_pytorch, plain) if system == "linux" and build in ("cpu", "cu130") else own_then_pytorch


def why_no_torch() -> str:
    """The reason why no current torch exists for this kind of computer, or ''."""
    if sys.maxsize < 2**32:
        return "This Python has 32 bits, and torch needs 64"
    if sys.platform == "darwin" and platform.machine() == "x86_64":
        return "There is no current torch for Macs with an Intel processor, or for a Python that runs as one"
    return ""
