"""`medssl train`: train a model, or refine one after a review."""

from __future__ import annotations

from typing import Annotated

import typer

from medssl.cli.session import HERE, JsonOption, ProjectOption, run_request
from medssl.jobs.effort import Effort, settings_for
from medssl.learning.settings import DeviceName, MethodName

DeviceOption = Annotated[DeviceName, typer.Option("--device", help="Where to compute.")]
ModelOption = Annotated[str, typer.Option("--model", "-m", help="A model's id, or 'latest'.")]


def train(
    method: Annotated[MethodName, typer.Option(help="How to learn.")] = "dual_task",
    effort: Annotated[
        Effort, typer.Option(help="How long: 2, 10 or 60 minutes; half of it to refine.")
    ] = "balanced",
    start_from: Annotated[
        str | None,
        typer.Option("--from", help="Refine this model (an id, or 'latest') with the cases as they are now."),
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Train so many steps instead.")] = None,
    seconds: Annotated[float | None, typer.Option(min=1, help="Train so many seconds instead.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Start of the random numbers.")] = 0,
    name: Annotated[str, typer.Option(help="Of the model, for people.")] = "",
    device: DeviceOption = "auto",
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Train a model on the annotated cases and, where the method can, on the others."""
    from medssl.jobs import TrainRequest

    settings = settings_for(
        effort,
        method=method,
        refine=start_from is not None,
        seed=seed,
        device=device,
        steps=steps,
        seconds=seconds,
    )
    run_request(project, TrainRequest(settings=settings, start_from=start_from, name=name), as_json)
