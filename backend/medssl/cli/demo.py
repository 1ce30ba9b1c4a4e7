"""`medssl demo`: the whole job, from two annotated scans to a segmented folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medssl.cli.display import duration, write_json
from medssl.cli.options import DeviceOption, JsonOption, MethodOption, SeedOption, examples
from medssl.cli.results import number
from medssl.cli.session import say, table, watched
from medssl.words import counted

if TYPE_CHECKING:
    from medssl.demo import DemoOutcome
    from medssl.jobs import SegmentScore


EXAMPLES = examples(
    "medssl demo",
    "medssl demo --data Task04_Hippocampus --out hippocampus-demo",
    "medssl demo --steps 100 --no-keep",
)


def demo(
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Scans and labels with a dataset.json, as of the Medical Segmentation Decathlon or nnU-Net; "
            "made-up scans when left out.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="A new or empty one for everything; 'medssl-demo' here when left out."
        ),
    ] = None,
    keep: Annotated[
        bool, typer.Option(help="Keep the project; otherwise only reports and tables stay.")
    ] = True,
    method: MethodOption = "automatic",
    annotated: Annotated[
        int, typer.Option(min=1, metavar="N", help="Number of cases that are annotated at the start.")
    ] = 2,
    held_out: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Number of last cases of --data that are the folder of new scans.",
        ),
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, metavar="N", help="Train so many steps.")] = None,
    seconds: Annotated[float | None, typer.Option(min=1, metavar="S", help="Train so many seconds.")] = None,
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Show the whole job: import, train, propose, review, refine, segment a folder, score, report.

    With made-up scans it takes 2 minutes on two idle processor cores.
    """
    from medssl.demo import DemoSettings, run_demo

    settings = DemoSettings(
        data=data,
        out=out,
        keep=keep,
        method=method,
        annotated=annotated,
        held_out=held_out,
        steps=steps,
        seconds=seconds,
        seed=seed,
        device=device,
    )
    with watched(as_json) as (display, monitor):
        outcome = run_demo(settings, monitor, display.heading)
    if as_json:
        write_json({"kind": "result", **outcome.model_dump(mode="json")})
    else:
        say(describe(outcome))


def describe(outcome: DemoOutcome) -> str:
    """The summary: scores before and after the review, and where to look next."""
    rows = [
        _scores(first, second)
        for first, second in zip(outcome.before.segments, outcome.after.segments, strict=True)
    ]
    mean = ("mean", number(outcome.before.mean_dice), number(outcome.after.mean_dice), "", "")
    head = ("Dice on the new scans", "first model", "refined", "HD95 mm, first", "refined")
    ranking = ""
    if outcome.ranking is not None:
        ranking = f"Uncertainty ranks them by true Dice with a correlation of {-outcome.ranking:.2f}."
    lines = [
        "",
        f"{counted(outcome.proposals, 'case was', 'cases were')} proposed for: {len(outcome.accepted)} "
        "accepted as they were,",
        f"{len(outcome.corrected)} of the most uncertain corrected. {ranking}".rstrip(),
        "",
        table(head, [*rows, mean]),
        "",
        f"{counted(outcome.new_scans, 'new scan')} segmented. All of it took {duration(outcome.seconds)}.",
        "",
        "Where to look next",
        f"  Report         {outcome.after.report}",
        f"  Scores         {outcome.after.table}",
        f"  Segmentations  {outcome.segmentations}",
    ]
    if outcome.project is not None:
        lines.append(f"  Project        medssl project info --project {_quoted(outcome.project)}")
    return "\n".join(lines)


def _scores(first: SegmentScore, second: SegmentScore) -> tuple[str, ...]:
    return (
        first.name,
        number(first.dice),
        number(second.dice),
        number(first.hd95_mm, 1),
        number(second.hd95_mm, 1),
    )


def _quoted(path: Path) -> str:
    return f'"{path}"' if " " in str(path) else str(path)
