"""`medssl review`: let a model propose, and decide about each proposal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medssl.cli.cases import show_annotation, show_cases
from medssl.cli.options import (
    HERE,
    AuthorOption,
    CaseArgument,
    DeviceOption,
    JsonOption,
    ModelOption,
    ProjectOption,
    TimeSpentOption,
    examples,
)
from medssl.cli.session import answer, opened, run_request

app = typer.Typer(
    help="Let a model propose, and decide about each proposal.",
    no_args_is_help=True,
    epilog=examples(
        "medssl review propose",
        "medssl review list",
        "medssl review accept patient-12",
        "medssl review correct patient-13 patient-13.seg.nrrd",
        "medssl review undo patient-12",
    ),
)


@app.command("propose")
def propose(
    cases: Annotated[
        list[str] | None,
        typer.Argument(metavar="CASES", help="Names; all cases without annotation if left out."),
    ] = None,
    model: ModelOption = "latest",
    device: DeviceOption = "auto",
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> int:
    """Segment cases that nobody annotated, and rank them by uncertainty.

    A scan that cannot be read is listed and stops nothing; the exit code is then 1.
    """
    from medssl.jobs import ProposeRequest

    return run_request(project, ProposeRequest(model=model, cases=tuple(cases or ()), device=device), as_json)


@app.command("list")
def list_queue(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """List the proposals that wait for a decision, most uncertain first."""
    with opened(project) as found:
        show_cases(found.review_queue(), as_json)


@app.command("accept")
def accept(
    name: CaseArgument,
    author: AuthorOption = "",
    seconds: TimeSpentOption = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Make a proposal an annotation as it is."""
    with opened(project) as found:
        show_annotation(name, found.accept(name, author=author, seconds=seconds), as_json)


@app.command("correct")
def correct(
    name: CaseArgument,
    labels: Annotated[Path, typer.Argument(metavar="LABELS", help="The corrected label map.")],
    author: AuthorOption = "",
    seconds: TimeSpentOption = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Make a corrected proposal an annotation."""
    with opened(project) as found:
        show_annotation(name, found.correct(name, labels, author=author, seconds=seconds), as_json)


@app.command("reject")
def reject(
    name: CaseArgument,
    author: AuthorOption = "",
    seconds: TimeSpentOption = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Turn a proposal down."""
    with opened(project) as found:
        found.reject(name, author=author, seconds=seconds)
    answer(f"Case {name}: proposal rejected.", {"case": name, "state": "rejected"}, as_json)


@app.command("undo")
def undo(name: CaseArgument, project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Take back the last annotation or decision of a case; every file stays."""
    with opened(project) as found:
        case = found.undo(name)
    answer(f"Case {case.name} is {case.state} again.", {"case": case.name, "state": case.state}, as_json)
