"""A network that takes the patches of a batch side by side, with the same gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from medssl.learning.lanes import Lanes
from medssl.learning.network import HeadName, Network


class Divided:
    """Calls a network with parts of a batch, one in each lane.

    Instance normalisation keeps patches apart, so that nothing but the order of a sum differs: what the lanes
    find for the parameters is added up. Torch's own way, to divide every single operation among its threads,
    gains little for a small network on two cores, and waits for the slowest thread at every operation when
    other programs want a core too.

    Args:
        network: whose outputs do not depend on the other patches of a batch.
        lanes: with one lane, the network is called as it is.
        least: patches that a lane takes at least.
    """

    def __init__(self, network: Network, lanes: Lanes, least: int = 1) -> None:
        self._network = network
        self._lanes = lanes
        self._least = least

    def __call__(self, x: Tensor, heads: Sequence[HeadName] | None = None) -> dict[HeadName, Tensor]:
        """As `Network.forward`; `x` gets no gradient."""
        names = tuple(heads or self._network.head_names)
        parts = x.tensor_split(max(1, min(self._lanes.count, len(x) // self._least)))
        if len(parts) == 1:
            output: dict[HeadName, Tensor] = self._network(x, names)
            return output
        learning = [p for p in self._network.parameters() if p.requires_grad]
        work = _Work(self._network, self._lanes, names, parts)
        if not (torch.is_grad_enabled() and learning):
            return dict(zip(names, _joined(work.look(with_graph=False)), strict=True))
        outputs = _InLanes.apply(work, *learning)  # type: ignore[no-untyped-call]  # torch's own
        return dict(zip(names, outputs, strict=True))


@dataclass(frozen=True)
class _Work:
    network: Network
    lanes: Lanes
    names: tuple[HeadName, ...]
    parts: tuple[Tensor, ...]

    def look(self, *, with_graph: bool) -> list[list[Tensor]]:
        """What the network says of each part, by head; its graph is kept when asked for."""
        kind = self.parts[0].device.type
        enabled, dtype = torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind)

        def one(part: Tensor) -> list[Tensor]:
            # The casts of one lane must not be kept for another: they belong to its graph.
            autocast = torch.autocast(kind, dtype, enabled=enabled, cache_enabled=False)
            with torch.set_grad_enabled(with_graph), autocast:
                output = self.network(part, self.names)
                return [output[name] for name in self.names]

        return list(self.lanes.each(one, self.parts))


class _InLanes(torch.autograd.Function):
    """Forward and backward pass of `_Work`, whose parts have graphs of their own."""

    @staticmethod
    def forward(ctx: Any, work: _Work, *learning: Tensor) -> tuple[Tensor, ...]:
        ctx.work, ctx.learning = work, learning
        ctx.answers = work.look(with_graph=True)
        return _joined([[output.detach() for output in answer] for answer in ctx.answers])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        sizes = [len(part) for part in ctx.work.parts]
        by_part = list(zip(*(gradient.split(sizes) for gradient in gradients), strict=True))

        def back(index: int) -> tuple[Tensor | None, ...]:
            found: tuple[Tensor | None, ...] = torch.autograd.grad(
                ctx.answers[index], ctx.learning, by_part[index], allow_unused=True
            )
            return found

        by_parameter = zip(*ctx.work.lanes.each(back, range(len(sizes))), strict=True)
        return None, *(_sum(parts) for parts in by_parameter)


def _joined(answers: Sequence[Sequence[Tensor]]) -> tuple[Tensor, ...]:
    return tuple(torch.cat(list(head)) for head in zip(*answers, strict=True))


def _sum(parts: Sequence[Tensor | None]) -> Tensor | None:
    there = [part for part in parts if part is not None]
    return torch.stack(there).sum(dim=0) if there else None
