"""`medssl predict`: segment files and folders of new scans."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medssl.cli.session import HERE, JsonOption, ProjectOption, run_request
from medssl.cli.train import DeviceOption, ModelOption
from medssl.imaging.formats import LabelFormat


def predict(
    inputs: Annotated[list[Path], typer.Argument(help="Scans, folders of scans, DICOM folders.")],
    output: Annotated[Path, typer.Option("--out", "-o", help="Folder for segmentations, table and report.")],
    model: ModelOption = "latest",
    file_format: Annotated[LabelFormat, typer.Option("--format", help="Of the segmentations.")] = "seg.nrrd",
    recursive: Annotated[bool, typer.Option(help="Look into folders inside the folders.")] = True,
    skip_done: Annotated[bool, typer.Option(help="Leave alone what an earlier run has done.")] = True,
    device: DeviceOption = "auto",
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Segment new scans; a bad file is listed with its reason and stops nothing."""
    from medssl.jobs import PredictRequest

    request = PredictRequest(
        inputs=tuple(path.absolute() for path in inputs),
        output=output.absolute(),
        model=model,
        format=file_format,
        recursive=recursive,
        skip_done=skip_done,
        device=device,
    )
    run_request(project, request, as_json)
