"""`medssl pretrain`: let an encoder learn from scans that nobody annotated."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medssl.cli.options import (
    HERE,
    DeviceOption,
    JsonOption,
    NameOption,
    ProjectOption,
    SecondsOption,
    SeedOption,
    StepsOption,
    examples,
)
from medssl.cli.session import run_request
from medssl.cli.workplace import full_path
from medssl.jobs.effort import Effort, pretraining_settings_for
from medssl.learning.settings import PretextName

EXAMPLES = examples(
    "medssl pretrain --method relative_location",
    "medssl pretrain --scans ~/archive --effort thorough",
)


def pretrain(
    method: Annotated[
        PretextName,
        typer.Option(
            metavar="TASK",
            help="What the network is to find out about the scans. pgl: whether places in two views are the "
            "same; cpc: what comes next along an axis; rotation: how a patch was turned; jigsaw: how pieces "
            "were shuffled; relative_location: where one patch lies beside another; exemplar: whether two "
            "patches show the same part. See docs/pretraining.md.",
        ),
    ] = "pgl",
    effort: Annotated[
        Effort,
        typer.Option(metavar="EFFORT", help="How long: quick 2 minutes, balanced 10, thorough 60."),
    ] = "balanced",
    scans: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Learn from every scan in this folder instead of the project's cases."
        ),
    ] = None,
    steps: StepsOption = None,
    seconds: SecondsOption = None,
    seed: SeedOption = 0,
    name: NameOption = "",
    device: DeviceOption = "auto",
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> int:
    """Learn what scans look like, without annotations; 'medssl train --from' begins with the result."""
    from medssl.jobs import PretrainRequest

    settings = pretraining_settings_for(
        effort, method=method, seed=seed, device=device, steps=steps, seconds=seconds
    )
    folder = None if scans is None else full_path(scans)
    return run_request(project, PretrainRequest(settings=settings, scans=folder, name=name), as_json)
