"""Choosing where to compute."""

from __future__ import annotations

import torch

from medssl.errors import UsageError
from medssl.learning.settings import DeviceName

_BFLOAT16_SINCE = (8, 0)  # CUDA's compute capability of Ampere, the first that computes in it


def choose_device(name: DeviceName) -> torch.device:
    """Return the device asked for; `auto` is the GPU where there is one.

    Raises:
        UsageError: a GPU was asked for and there is none that torch can use.
    """
    has_gpu = torch.cuda.is_available()
    if name == "cuda" and not has_gpu:
        raise UsageError(
            "This computer has no NVIDIA GPU that torch can use.",
            "Choose the device 'auto' or 'cpu'; 'medssl doctor' says what was found.",
        )
    return torch.device("cuda" if has_gpu and name != "cpu" else "cpu")


def knows_bfloat16(device: torch.device) -> bool:
    """Whether the device itself computes in 16-bit floats of the bfloat16 kind."""
    if device.type == "cuda":
        # Older ones only imitate it: cuDNN has no convolution of theirs in it.
        return torch.cuda.get_device_capability(device) >= _BFLOAT16_SINCE
    # torch has no public name for the question; with a version that no longer knows these, 32 bits are used.
    checks = (
        getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    )
    return any(check is not None and check() for check in checks)
