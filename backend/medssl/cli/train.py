"""`medssl train`: train a model, or refine one after a review."""

from __future__ import annotations

from typing import Annotated

import typer

from medssl.cli.session import HERE, JsonOption, ProjectOption, opened, run_request
from medssl.jobs.effort import Effort, settings_for
from medssl.learning.settings import DeviceName, MethodName

DeviceOption = Annotated[DeviceName, typer.Option("--device", help="Where to compute.")]
ModelOption = Annotated[str, typer.Option("--model", "-m", help="A model's id, or 'latest'.")]
StepsOption = Annotated[int | None, typer.Option("--steps", min=1, help="Train so many steps instead.")]
SecondsOption = Annotated[
    float | None, typer.Option("--seconds", min=1, help="Train so many seconds instead.")
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Start of the random numbers.")]
NameOption = Annotated[str, typer.Option("--name", help="Of the model, for people.")]


def train(
    method: Annotated[MethodName, typer.Option(help="How to learn.")] = "automatic",
    effort: Annotated[
        Effort, typer.Option(help="How long: 2, 10 or 60 minutes; half of it to refine.")
    ] = "balanced",
    start_from: Annotated[
        str | None,
        typer.Option(
            "--from", help="Refine this model (an id, or 'latest'), or begin with this pretrained one."
        ),
    ] = None,
    adapt_channels: Annotated[
        bool, typer.Option("--adapt-channels", help="Also begin with a model of other channels.")
    ] = False,
    steps: StepsOption = None,
    seconds: SecondsOption = None,
    seed: SeedOption = 0,
    name: NameOption = "",
    device: DeviceOption = "auto",
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Train a model on the annotated cases and, where the method can, on the others."""
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
    )
    request = TrainRequest(settings=settings, start_from=start_from, adapt_channels=adapt_channels, name=name)
    run_request(project, request, as_json)
