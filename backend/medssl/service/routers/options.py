"""What can be chosen, for learning and for a new project: no panel and no page keeps a list of its own."""

from __future__ import annotations

from typing import get_args

from fastapi import APIRouter

from medssl.imaging.formats import LabelFormat
from medssl.jobs.effort import EFFORT_S, settings_for
from medssl.learning.settings import MethodName, PretextName, PretrainingSettings, TrainingSettings
from medssl.service.views import EffortView, OptionsView
from medssl.templates import Template, list_templates

router = APIRouter(prefix="/v1", tags=["service"])


@router.get("/templates")
def templates() -> tuple[Template, ...]:
    """List the label schemas that a new project can begin with."""
    return list_templates()


@router.get("/options")
def options() -> OptionsView:
    """Name methods, pretext tasks and formats, and give the settings of every effort."""
    return OptionsView(
        methods=get_args(MethodName),
        method=TrainingSettings.model_fields["method"].default,
        pretexts=get_args(PretextName),
        pretext=PretrainingSettings.model_fields["method"].default,
        efforts=tuple(
            EffortView(
                name=effort,
                train=settings_for(effort),
                refine=settings_for(effort, refine=True),
                pretrain=PretrainingSettings(seconds=seconds),
            )
            for effort, seconds in EFFORT_S.items()
        ),
        formats=get_args(LabelFormat),
    )
