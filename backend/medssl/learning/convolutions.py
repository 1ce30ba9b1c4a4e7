"""Convolutions and normalisations of a single window at the speed of several."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode


def fast_convolutions(device: torch.device) -> AbstractContextManager[object]:
    """Make networks inside the block quicker on a CPU that has oneDNN; only roundings change.

    For a batch of one with few features torch 2.13 chooses its own convolution, which takes two to three
    times as long: its rule, made for images, counts only the first four sides of the input. And its instance
    normalisation copies every feature map to another order in memory, from which the next convolution copies
    it back; of a single window it is the same as a batch normalisation, which keeps the order.
    """
    # torch does not promise this function: a version without it is slower and finds the same.
    if device.type == "cpu" and torch.backends.mkldnn.is_available() and hasattr(torch, "mkldnn_convolution"):
        return _OneDnn()
    return nullcontext()


class _OneDnn(TorchFunctionMode):
    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is torch.conv3d and not kwargs and len(args) == 7 and not isinstance(args[4], str):
            x, weight, bias, stride, padding, dilation, groups = args
            if x.dtype == torch.float32 and weight.dtype == torch.float32:
                return torch.mkldnn_convolution(x, weight, bias, padding, stride, dilation, groups)
        if func is functional.instance_norm and len(args) == 1 and len(args[0]) == 1 and kwargs:
            weight, bias, eps = kwargs["weight"], kwargs["bias"], kwargs["eps"]
            if kwargs["running_mean"] is None:
                return torch.batch_norm(args[0], weight, bias, None, None, True, 0.0, eps, False)
        return func(*args, **(kwargs or {}))
