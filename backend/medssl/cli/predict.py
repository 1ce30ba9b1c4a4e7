"""`medssl predict`: segment files and folders of new scans."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medssl.cli.session import HERE, JsonOption, ProjectOption, run_request
from medssl.cli.train import DeviceOption, ModelOption
from medssl.cli.workplace import full_path
from medssl.imaging.formats import LabelFormat, SeriesNames


def predict(
    inputs: Annotated[list[Path], typer.Argument(help="Scans, folders of scans, DICOM folders.")],
    output: Annotated[Path, typer.Option("--out", "-o", help="Folder for segmentations, table and report.")],
    model: ModelOption = "latest",
    file_format: Annotated[LabelFormat, typer.Option("--format", help="Of the segmentations.")] = "seg.nrrd",
    recursive: Annotated[bool, typer.Option(help="Look into folders inside the folders.")] = True,
    skip_done: Annotated[bool, typer.Option(help="Leave alone what an earlier run has done.")] = True,
    names: Annotated[
        SeriesNames,
        typer.Option(
            help="What is made from a DICOM series is called by this. neutral: by numbers and short hashes "
            "of its UIDs, so that no file name, table, report or log tells of the patient. "
            "folders: after the folders they lie in. patient-id: after patient ID, number and description. "
            "DICOM segmentations carry the patient's attributes inside in any case, as their series does."
        ),
    ] = "neutral",
    any_series: Annotated[
        bool,
        typer.Option("--any-series", help="Also DICOM series unlike the scans that the model learned from."),
    ] = False,
    channels: Annotated[
        Path | None,
        typer.Option(
            help="Rules, as JSON, for which DICOM series is which channel; see docs/dicom.md. Without them "
            "the channels' names are looked for in the descriptions.",
            show_default=False,
        ),
    ] = None,
    fractional: Annotated[
        bool, typer.Option("--fractional", help="dicom-seg: keep each segment's probability.")
    ] = False,
    measurements: Annotated[
        bool, typer.Option("--measurements", help="dicom-seg: also write the volumes as a DICOM report.")
    ] = False,
    device: DeviceOption = "auto",
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Segment new scans; a bad file is listed with its reason and stops nothing."""
    from medssl.inference.channels import read_channel_rules
    from medssl.jobs import PredictRequest

    request = PredictRequest(
        inputs=tuple(full_path(path) for path in inputs),
        output=full_path(output),
        model=model,
        format=file_format,
        recursive=recursive,
        skip_done=skip_done,
        device=device,
        names=names,
        any_series=any_series,
        channels=None if channels is None else read_channel_rules(channels),
        fractional=fractional,
        measurements=measurements,
    )
    run_request(project, request, as_json)
