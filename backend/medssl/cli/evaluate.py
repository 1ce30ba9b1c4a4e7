"""`medssl evaluate`: score a model or a folder of segmentations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from medssl.cli.session import HERE, JsonOption, ProjectOption, run_request
from medssl.cli.train import DeviceOption, ModelOption
from medssl.cli.workplace import full_path


def evaluate(
    output: Annotated[Path, typer.Option("--out", "-o", help="Folder for the table and the report.")],
    model: ModelOption = "latest",
    role: Annotated[
        Literal["training", "validation"], typer.Option(help="Score the annotated cases of this role.")
    ] = "validation",
    predictions: Annotated[
        Path | None, typer.Option(help="Score this folder of segmentations instead of a model.")
    ] = None,
    references: Annotated[Path | None, typer.Option(help="The truth for --predictions, same names.")] = None,
    scans: Annotated[
        Path | None, typer.Option(help="The scans of --predictions, for pictures in the report.")
    ] = None,
    device: DeviceOption = "auto",
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Compare segmentations with what people drew: Dice, Jaccard, HD95 and ASD of each segment."""
    from medssl.jobs import EvaluateRequest

    request = EvaluateRequest(
        output=full_path(output),
        model=model,
        role=role,
        predictions=None if predictions is None else full_path(predictions),
        references=None if references is None else full_path(references),
        scans=None if scans is None else full_path(scans),
        device=device,
    )
    run_request(project, request, as_json)
