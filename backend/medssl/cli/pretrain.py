"""`medssl pretrain`: let an encoder learn from scans that nobody annotated."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medssl.cli.session import HERE, JsonOption, ProjectOption, run_request
from medssl.cli.train import DeviceOption, NameOption, SecondsOption, SeedOption, StepsOption
from medssl.cli.workplace import full_path
from medssl.jobs.effort import Effort, pretraining_settings_for
from medssl.learning.settings import PretextName


def pretrain(
    method: Annotated[PretextName, typer.Option(help="The task that the scans set.")] = "pgl",
    effort: Annotated[Effort, typer.Option(help="How long: 2, 10 or 60 minutes.")] = "balanced",
    scans: Annotated[
        Path | None,
        typer.Option(help="Learn from every scan in this folder; from the project's cases when left out."),
    ] = None,
    steps: StepsOption = None,
    seconds: SecondsOption = None,
    seed: SeedOption = 0,
    name: NameOption = "",
    device: DeviceOption = "auto",
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Learn what scans look like, without annotations; 'medssl train --from' begins with the result."""
    from medssl.jobs import PretrainRequest

    settings = pretraining_settings_for(
        effort, method=method, seed=seed, device=device, steps=steps, seconds=seconds
    )
    folder = None if scans is None else full_path(scans)
    run_request(project, PretrainRequest(settings=settings, scans=folder, name=name), as_json)
