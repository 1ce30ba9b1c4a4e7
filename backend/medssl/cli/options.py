"""What several commands share in their help: options and arguments, called and explained alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from medssl.learning.settings import DeviceName, MethodName

HERE = Path()

ProjectOption: TypeAlias = Annotated[
    Path,
    typer.Option(
        "--project", "-p", metavar="FOLDER", help="The project's folder.", show_default="this folder"
    ),
]
JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Answer in JSON lines, for programs.")]

CaseArgument: TypeAlias = Annotated[
    str, typer.Argument(metavar="CASE", help="The case's name.", show_default=False)
]
AuthorOption: TypeAlias = Annotated[
    str, typer.Option("--author", metavar="TEXT", help="Who drew or decided it.", envvar="MEDSSL_AUTHOR")
]
TimeSpentOption: TypeAlias = Annotated[
    float | None, typer.Option("--seconds", min=0, metavar="S", help="How long the person needed.")
]

ModelArgument: TypeAlias = Annotated[
    str, typer.Argument(metavar="ID", help="A model's id, or 'latest'.", show_default=False)
]
ModelOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        metavar="ID",
        help="A model's id, as 'medssl model list' shows it, or 'latest'.",
    ),
]
DeviceOption: TypeAlias = Annotated[
    DeviceName,
    typer.Option("--device", help="Where to compute; auto takes an NVIDIA GPU where there is one."),
]
MethodOption: TypeAlias = Annotated[
    MethodName,
    typer.Option(
        "--method",
        metavar="METHOD",
        help="How to learn. automatic: also from scans without annotation, the best in most measurements, "
        "above all in longer trainings; dual_task and local_contrastive: other ways to do so; "
        "dual_task_published: as in its paper; supervised: from annotated scans only.",
    ),
]
StepsOption: TypeAlias = Annotated[
    int | None,
    typer.Option("--steps", min=1, metavar="N", help="Train so many steps, however long they take."),
]
SecondsOption: TypeAlias = Annotated[
    float | None, typer.Option("--seconds", min=1, metavar="S", help="Train so many seconds.")
]
SeedOption: TypeAlias = Annotated[
    int,
    typer.Option(
        "--seed",
        min=0,
        metavar="N",
        help="Seed of the random numbers; with --steps, the same repeats a run.",
    ),
]
NameOption: TypeAlias = Annotated[
    str, typer.Option("--name", metavar="TEXT", help="A name for the model, for people.")
]


def examples(*commands: str) -> str:
    """The end of a help text: commands as a person would type them, one a line."""
    return "\n".join(("[bold]Examples[/bold]", *commands))
