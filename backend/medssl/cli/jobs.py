"""`medssl job`: what runs, what ran, and going on with what was cut off."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from medssl.cli.display import write_json
from medssl.cli.options import HERE, JsonOption, ProjectOption, examples
from medssl.cli.results import describe, show_result
from medssl.cli.session import answer, say, table, watched
from medssl.cli.workplace import SeenJob, workplace
from medssl.jobs.files import LOG_FILE

app = typer.Typer(
    help="What runs, what ran, and going on with what was cut off.",
    no_args_is_help=True,
    epilog=examples(
        "medssl job list",
        "medssl job show 20261121-101500-a1b2",
        "medssl job resume 20261121-101500-a1b2",
    ),
)

JobArgument = Annotated[str, typer.Argument(help="A job's id.", show_default=False)]


@app.command("list")
def list_jobs(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """List the jobs, newest first."""
    with workplace(project) as place:
        jobs = place.jobs()
    if as_json:
        for job in jobs:
            write_json(_content(job))
        return
    rows = [(j.id, j.kind, j.state, f"{j.created.astimezone():%Y-%m-%d %H:%M}", j.error) for j in jobs]
    say(table(("id", "kind", "state", "created", "error"), rows) if rows else "No jobs yet.")


@app.command("show")
def show(job: JobArgument, project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Show how a job went or goes."""
    with workplace(project) as place:
        seen = place.job(job)
    result = seen.result
    if as_json:
        write_json({**_content(seen), "result": None if result is None else result.model_dump(mode="json")})
        return
    say("\n".join(_lines(seen)))
    if result is not None and seen.state == "finished":
        say(describe(result))


@app.command("resume")
def resume(job: JobArgument, project: ProjectOption = HERE, as_json: JsonOption = False) -> int:
    """Go on with a job that was cancelled, failed or interrupted."""
    with workplace(project) as place:
        with watched(as_json) as (_, monitor):
            result = place.resume(job, monitor)
        return show_result(result, as_json)


@app.command("cancel")
def cancel(
    job: JobArgument,
    wait: Annotated[float, typer.Option(min=0, help="Seconds until its process is ended.")] = 30.0,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Ask a running job to stop; end its process when it does not."""
    with workplace(project) as place:
        state = place.cancel(job, wait)
    answer(f"The job {job} is {state}.", {"id": job, "state": state}, as_json)


def _lines(job: SeenJob) -> Iterator[str]:
    yield f"Job     {job.id} ({job.kind})"
    yield f"State   {job.state}"
    if job.error:
        yield f"Why     {job.error} {job.remedy}".rstrip()
    if job.progress is not None:
        yield f"Stage   {job.progress.stage}: {job.progress.done:.0f} of {job.progress.total:.0f}"
    yield f"Log     {job.folder / LOG_FILE}"
    if job.state in ("interrupted", "cancelled", "failed"):
        yield f"Go on   medssl job resume {job.id}"


def _content(job: SeenJob) -> dict[str, object]:
    return {
        "id": job.id,
        "kind": job.kind,
        "state": job.state,
        "created": job.created.isoformat(),
        "started": None if job.started is None else job.started.isoformat(),
        "ended": None if job.ended is None else job.ended.isoformat(),
        "error": job.error,
        "remedy": job.remedy,
        "folder": str(job.folder),
    }
