"""The model that a job makes, named in its folder before the project knows it: so it is made once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from torch import nn

from medssl.learning.model import ModelCard, save_model
from medssl.learning.plan import Plan
from medssl.project import Project
from medssl.storage import write_text

MODEL = "model.txt"


def model_made(project: Project, folder: Path) -> str | None:
    """Id of the model that a job, with this folder, had registered before it was interrupted.

    None when it had not come so far, or somebody deleted the model since.
    """
    named = made_by(folder)
    return named if any(model.id == named for model in project.models()) else None


def made_by(folder: Path) -> str | None:
    """Id of the model that a job, with this folder, made; None when it made none."""
    try:
        return (folder / MODEL).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None


def keep_model(
    project: Project, folder: Path, network: nn.Module, plan: Plan, card: Callable[[str], ModelCard]
) -> str:
    """Write a job's model into the project and register it; returns its id.

    Args:
        project: which gets the model.
        folder: of the job.
        network: see `save_model`.
        plan: that it was trained by.
        card: makes the card of a model with an id.
    """
    model_id, model_folder = project.new_model_folder()
    write_text(folder / MODEL, f"{model_id}\n")
    told = card(model_id)
    save_model(model_folder, network, plan, told)
    project.register_model(model_id, name=told.name, method=told.method, can_segment=bool(told.heads))
    return model_id
