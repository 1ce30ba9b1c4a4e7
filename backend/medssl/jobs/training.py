"""Training a model, or pretraining an encoder for one, on the project's cases."""

from __future__ import annotations

from pathlib import Path

from medssl.events import Monitor
from medssl.inference.channels import inherit_channel_rules
from medssl.jobs.requests import PretrainRequest, TrainRequest
from medssl.jobs.results import PretrainResult, TrainResult
from medssl.learning.model import read_card
from medssl.learning.pretraining import pretrain_project
from medssl.learning.training import train_project
from medssl.project import Project


def train(project: Project, request: TrainRequest, folder: Path, monitor: Monitor) -> TrainResult:
    """Train, from the checkpoint in the job's folder when there is one, and register the model."""
    model_id = train_project(
        project,
        request.settings,
        folder,
        monitor,
        name=request.name,
        start_from=request.start_from,
        adapt_channels=request.adapt_channels,
    )
    made = project.model(model_id).folder
    card = read_card(made)
    if card.started_from is not None:
        inherit_channel_rules(made.parent / card.started_from, made, project.channel_names)
    return TrainResult(
        model_id=model_id, steps=card.steps, seconds=card.seconds, validation_dice=card.validation_dice
    )


def pretrain(project: Project, request: PretrainRequest, folder: Path, monitor: Monitor) -> PretrainResult:
    """Pretrain, from the checkpoint in the job's folder when there is one, and register the model."""
    model_id = pretrain_project(
        project, request.settings, folder, monitor, scans=request.scans, name=request.name
    )
    card = read_card(project.model(model_id).folder)
    return PretrainResult(
        model_id=model_id, scans=card.unannotated_cases, steps=card.steps, seconds=card.seconds
    )
