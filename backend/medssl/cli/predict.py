"""`medssl predict`: segment files and folders of new scans."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medssl.cli.options import HERE, DeviceOption, JsonOption, ModelOption, ProjectOption, examples
from medssl.cli.session import run_request
from medssl.cli.workplace import full_path
from medssl.imaging.formats import LabelFormat, SeriesNames

EXAMPLES = examples(
    "medssl predict ~/new-scans --out ~/segmented",
    "medssl predict scan.nii.gz --out ~/segmented --model 20261121-150206-c961",
    "medssl predict ~/dicom --out ~/results --format dicom-seg --measurements",
)


FormatOption = Annotated[
    LabelFormat,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help="seg.nrrd: with names and colours, for 3D Slicer; nii.gz: values alone; dicom-seg: for the "
        "archive, from DICOM only.",
    ),
]
NamesOption = Annotated[
    SeriesNames,
    typer.Option(
        metavar="NAMES",
        help="What the result of a DICOM series is called. neutral: by numbers, so that no name, table, "
        "report or log tells of the patient; folders: after the folders it lies in; patient-id: after "
        "patient ID, series number and description. What a DICOM file holds inside stays the same.",
    ),
]
ChannelsOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="For this run, rules for which DICOM series is which channel, as 'medssl model channels --save' "
        "writes them; without them, the model's own.",
        show_default=False,
    ),
]


def predict(
    inputs: Annotated[
        list[Path], typer.Argument(metavar="SCANS", help="Scans, folders of scans, DICOM folders.")
    ],
    output: Annotated[
        Path, typer.Option("--out", "-o", metavar="FOLDER", help="For segmentations, table and report.")
    ],
    model: ModelOption = "latest",
    file_format: FormatOption = "seg.nrrd",
    recursive: Annotated[bool, typer.Option(help="Look into folders inside the folders.")] = True,
    skip_done: Annotated[
        bool, typer.Option(help="Leave out scans that an earlier run has segmented.")
    ] = True,
    names: NamesOption = "neutral",
    any_series: Annotated[
        bool,
        typer.Option("--any-series", help="Also DICOM series unlike the scans that the model learned from."),
    ] = False,
    channels: ChannelsOption = None,
    fractional: Annotated[
        bool, typer.Option("--fractional", help="dicom-seg: keep each segment's probability.")
    ] = False,
    measurements: Annotated[
        bool, typer.Option("--measurements", help="dicom-seg: also write the volumes as a DICOM report.")
    ] = False,
    device: DeviceOption = "auto",
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> int:
    """Segment new scans; a bad file is listed with its reason and stops nothing.

    The exit code is then 1, until a later run has segmented that one too.
    """
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
    return run_request(project, request, as_json)
