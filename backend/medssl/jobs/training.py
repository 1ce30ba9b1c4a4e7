"""Training a model on the project's cases."""

from __future__ import annotations

from pathlib import Path

from medssl.events import Monitor
from medssl.jobs.requests import TrainRequest
from medssl.jobs.results import TrainResult
from medssl.learning.model import read_card
from medssl.learning.training import train_project
from medssl.project import Project


def train(project: Project, request: TrainRequest, folder: Path, monitor: Monitor) -> TrainResult:
    """Train, from the checkpoint in the job's folder when there is one, and register the model."""
    model_id = train_project(
        project, request.settings, folder, monitor, name=request.name, start_from=request.start_from
    )
    card = read_card(project.model(model_id).folder)
    return TrainResult(
        model_id=model_id, steps=card.steps, seconds=card.seconds, validation_dice=card.validation_dice
    )
