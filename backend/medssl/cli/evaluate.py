"""`medssl evaluate`: score a model or a folder of segmentations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from medssl.cli.options import HERE, DeviceOption, JsonOption, ModelOption, ProjectOption, examples
from medssl.cli.session import run_request
from medssl.cli.workplace import full_path

EXAMPLES = examples(
    "medssl evaluate --out ~/scores",
    "medssl evaluate --out ~/scores --predictions ~/segmented --references ~/truth",
)


def evaluate(
    output: Annotated[
        Path, typer.Option("--out", "-o", metavar="FOLDER", help="For the table and the report.")
    ],
    model: ModelOption = "latest",
    role: Annotated[
        Literal["training", "validation"],
        typer.Option(help="Score the model on the annotated cases of this role."),
    ] = "validation",
    predictions: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Score these segmentations instead of a model; with --references."
        ),
    ] = None,
    references: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="The truth for --predictions, under the same names.")
    ] = None,
    scans: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="The scans of --predictions, for pictures in the report and to compare on their grids.",
        ),
    ] = None,
    device: DeviceOption = "auto",
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> int:
    """Compare segmentations with what people drew, each segment by itself.

    Dice and Jaccard measure overlap; 1 is perfect. HD95 and ASD measure in mm how
    far the surfaces are apart: 95 % of them at most, and on average.

    A case that cannot be scored is listed with its reason and stops nothing; the exit code is then 1.
    """
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
    return run_request(project, request, as_json)
