"""Everything a training needs to go on as if it had never stopped, in one file without pickle."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from medssl.errors import StorageError
from medssl.storage import write_bytes

ModuleT = TypeVar("ModuleT", bound=nn.Module)


@dataclass
class TrainingState(Generic[ModuleT]):
    """What changes while a network is trained."""

    network: ModuleT
    average: ModuleT
    optimiser: Optimizer
    generator: Generator
    step: int = 0
    elapsed_s: float = 0.0


def save_checkpoint(path: Path, state: TrainingState[ModuleT]) -> None:
    """Write the state atomically: a kill leaves the checkpoint before or this one."""
    tensors = {f"network.{name}": tensor for name, tensor in state.network.state_dict().items()}
    tensors |= {f"average.{name}": tensor for name, tensor in state.average.state_dict().items()}
    for index, values in state.optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{name}": tensor for name, tensor in values.items()}
    tensors["generator"] = state.generator.get_state()
    counters = {"counters": json.dumps({"step": state.step, "elapsed_s": state.elapsed_s})}
    on_cpu = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_bytes(path, save(on_cpu, metadata=counters))


def load_checkpoint(path: Path, state: TrainingState[ModuleT]) -> bool:
    """Bring `state` to where the checkpoint was written; False when there is none.

    Raises:
        StorageError: the file is damaged or belongs to another training.
    """
    if not path.exists():
        return False
    try:
        with safe_open(path, framework="pt") as file:
            counters = json.loads(file.metadata()["counters"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        state.network.load_state_dict(_part(tensors, "network."))
        state.average.load_state_dict(_part(tensors, "average."))
        _load_optimiser(state.optimiser, _part(tensors, "optimiser."))
        state.generator.set_state(tensors["generator"])
    except (SafetensorError, OSError, KeyError, ValueError, RuntimeError) as error:
        raise StorageError(
            f"The checkpoint {path} cannot be read.", "Start the training again; nothing else is affected."
        ) from error
    state.step, state.elapsed_s = int(counters["step"]), float(counters["elapsed_s"])
    return True


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _load_optimiser(optimiser: Optimizer, tensors: dict[str, Tensor]) -> None:
    found: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, key = name.split(".", 1)
        found.setdefault(int(index), {})[key] = tensor
    optimiser.load_state_dict({"state": found, "param_groups": optimiser.state_dict()["param_groups"]})


def random_generator(seed: int) -> Generator:
    """Make the one source of randomness of a training, and seed the initial weights with it as well."""
    torch.manual_seed(seed)
    return Generator().manual_seed(seed)
