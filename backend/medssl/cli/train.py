"""`medssl train`: train a model, or refine one after a review."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from medssl.cli.options import (
    HERE,
    DeviceOption,
    JsonOption,
    MethodOption,
    NameOption,
    ProjectOption,
    SecondsOption,
    SeedOption,
    StepsOption,
    examples,
)
from medssl.cli.session import opened, run_request
from medssl.jobs.effort import Effort, settings_for

EXAMPLES = examples(
    "medssl train",
    'medssl train --effort thorough --name "Kidneys, first round"',
    "medssl train --from latest",
    "medssl train --method supervised --seconds 300 --project ~/kidneys",
)
_ConfidenceOption: TypeAlias = Annotated[
    float,
    typer.Option(
        min=0,
        max=0.999,
        metavar="P",
        help="With local_contrastive: learn from guesses of at least this probability; 0 takes all.",
    ),
]


def train(
    method: MethodOption = "automatic",
    effort: Annotated[
        Effort,
        typer.Option(
            help="How long: quick 2 minutes, balanced 10, thorough 60; half of it to refine.",
            metavar="EFFORT",
        ),
    ] = "balanced",
    start_from: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="ID",
            help="Begin with this model, 'latest' or an id: to refine it, or with what was pretrained.",
        ),
    ] = None,
    adapt_channels: Annotated[
        bool,
        typer.Option(
            "--adapt-channels", help="With --from: also when that model has other channels than the project."
        ),
    ] = False,
    steps: StepsOption = None,
    seconds: SecondsOption = None,
    seed: SeedOption = 0,
    confidence: _ConfidenceOption = 0.0,
    name: NameOption = "",
    device: DeviceOption = "auto",
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> int:
    """Train a model on the annotated cases and, where the method can, on the others.

    --steps or --seconds replace the time of the effort. Preparing the scans and scoring validation cases
    come on top of that time.
    """
    from medssl.jobs import TrainRequest

    refine = False
    if start_from is not None:
        with opened(project) as found:
            refine = found.model(start_from).can_segment
    settings = settings_for(
        effort,
        method=method,
        refine=refine,
        seed=seed,
        device=device,
        steps=steps,
        seconds=seconds,
        confidence=confidence,
    )
    request = TrainRequest(settings=settings, start_from=start_from, adapt_channels=adapt_channels, name=name)
    return run_request(project, request, as_json)
