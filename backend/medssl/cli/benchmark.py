"""`medssl benchmark`: measure methods on a dataset whose labels are known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from pydantic import TypeAdapter

from medssl.access import is_file
from medssl.cli.options import DeviceOption, JsonOption, examples
from medssl.cli.session import run_request
from medssl.cli.workplace import full_path, is_elsewhere
from medssl.errors import ProjectError, UsageError
from medssl.evaluation.benchmark.settings import PRETRAINING_SHARE, BenchmarkSettings, Measure, Start
from medssl.learning.settings import MethodName, PretextName

app = typer.Typer(
    help="Measure methods on a dataset whose labels are known.",
    no_args_is_help=True,
    epilog=examples(
        "medssl benchmark annotations DATASET --out results --held-out 40 --seconds 240",
    ),
)

OutputOption = Annotated[
    Path,
    typer.Option("--out", "-o", metavar="FOLDER", help="Folder for results; go on with it if it is there."),
]
AnnotatedOption = Annotated[str, typer.Option(metavar="LIST", help="Numbers of first cases to annotate.")]
MethodsOption = Annotated[
    str, typer.Option(metavar="LIST", help="Ways to learn; the first is what the others are compared to.")
]
StepsOption = Annotated[int | None, typer.Option(min=2, metavar="N", help="Give each run so many steps.")]
ProposalsOption = Annotated[
    int,
    typer.Option(min=0, metavar="N", help="Also judge the ranking of so many cases that were not annotated."),
]
ThreadsOption = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Processor threads to compute with.")
]
StartsOption = Annotated[
    str,
    typer.Option(
        "--starts",
        metavar="LIST",
        help="'scratch', or pretext tasks with their share of the time: 'scratch,rotation:0.3'.",
    ),
]
CoreSecondsOption = Annotated[
    float | None,
    typer.Option(
        "--core-seconds",
        metavar="S",
        help="Give each run so many seconds of processor time, which others cannot take away.",
    ),
]
HolderOption = Annotated[
    Path | None,
    typer.Option(
        "--project", "-p", metavar="FOLDER", help="The project that holds the job; one in --out if left out."
    ),
]

T = TypeVar("T")
_METHOD: TypeAdapter[MethodName] = TypeAdapter(MethodName)
_TASK: TypeAdapter[PretextName] = TypeAdapter(PretextName)


@app.command("annotations")
def compare_by_annotations(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="A Decathlon- or nnU-Net-style folder.")],
    output: OutputOption,
    held_out: Annotated[int, typer.Option(min=1, metavar="N", help="Score so many last labelled cases.")],
    spread: Annotated[
        bool, typer.Option("--spread", help="Score cases from all over the dataset instead of the last ones.")
    ] = False,
    annotated: AnnotatedOption = "1,2,4,8",
    methods: MethodsOption = "supervised,dual_task,automatic",
    starts: StartsOption = "scratch",
    seeds: Annotated[str, typer.Option(metavar="LIST", help="Starts of the random numbers.")] = "0,1,2",
    steps: StepsOption = None,
    seconds: Annotated[float | None, typer.Option(metavar="S", help="Give each run so many seconds.")] = None,
    core_seconds: CoreSecondsOption = None,
    largest_component: Annotated[
        bool, typer.Option("--largest-component", help="Keep the largest piece of each segment.")
    ] = False,
    proposals: ProposalsOption = 0,
    threads: ThreadsOption = None,
    device: DeviceOption = "auto",
    project: HolderOption = None,
    as_json: JsonOption = False,
) -> int:
    """Train with few annotated cases, for the same time with every method, and score the same unseen cases.

    Writes cases.csv, summary.json, summary.md and dice.svg. Runs that are in the
    folder are not done again; the command may be started several times at once
    to share the runs.
    """
    from medssl.jobs import BenchmarkRequest

    measure = Measure(
        held_out=held_out,
        spread=spread,
        steps=steps,
        seconds=seconds,
        core_seconds=core_seconds,
        largest_component=largest_component,
        proposals=proposals,
        threads=threads,
        device=device,
    )
    settings = BenchmarkSettings(
        dataset=full_path(dataset),
        measure=measure,
        annotated=_parts(annotated, int, "a number"),
        methods=_parts(methods, _METHOD.validate_python, "a method"),
        starts=_parts(starts, _start, "a start"),
        seeds=_parts(seeds, int, "a number"),
    )
    if project is None and is_elsewhere():
        raise UsageError(
            "An engine elsewhere needs a project for the job.", "Name its folder there with --project."
        )
    request = BenchmarkRequest(settings=settings, output=full_path(output))
    return run_request(project or own_project(dataset, output), request, as_json)


def own_project(dataset: Path, output: Path) -> Path:
    """The project in the output folder, made when it is not there."""
    from medssl.exchange.datasets import read_dataset
    from medssl.project import DATABASE_NAME, Project

    folder = output / "project"
    if not is_file(folder / DATABASE_NAME, ProjectError):
        described = read_dataset(dataset)
        try:
            Project.create(folder, described.schema, described.channel_names, "Benchmark").close()
        except ProjectError:
            if not is_file(folder / DATABASE_NAME, ProjectError):
                raise
            # Otherwise the same command, started twice for two cores, was quicker.
    return folder


def _start(text: str) -> Start:
    if text == "scratch":
        return Start()
    task, _, share = text.partition(":")
    return Start(task=_TASK.validate_python(task), share=float(share) if share else PRETRAINING_SHARE)


def _parts(text: str, read: Callable[[str], T], what: str) -> tuple[T, ...]:
    """Read a list that is separated by commas."""
    return tuple(_read(part.strip(), read, what) for part in text.split(","))


def _read(part: str, read: Callable[[str], T], what: str) -> T:
    try:
        return read(part)
    except ValueError as error:  # pydantic's ValidationError is one
        raise UsageError(f"'{part}' is not {what}.", "See 'medssl benchmark annotations --help'.") from error
