"""`medssl job`: what runs, what ran, and going on with what was cut off."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from medssl.cli.display import write_json
from medssl.cli.results import describe, show_result
from medssl.cli.session import HERE, JsonOption, ProjectOption, answer, opened, say, table, watched
from medssl.jobs import cancel_job, job_state, read_events, read_result, resume_job
from medssl.jobs.files import LOG_FILE

if TYPE_CHECKING:
    from medssl.project import JobRow

app = typer.Typer(help="What runs, what ran, and going on with what was cut off.", no_args_is_help=True)

JobArgument = Annotated[str, typer.Argument(help="A job's id.", show_default=False)]


@app.command("list")
def list_jobs(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """List the jobs, newest first."""
    with opened(project) as found:
        jobs = found.jobs()
    if as_json:
        for job in jobs:
            write_json(_content(job))
        return
    rows = [(j.id, j.kind, job_state(j), f"{j.created.astimezone():%Y-%m-%d %H:%M}", j.error) for j in jobs]
    say(table(("id", "kind", "state", "created", "error"), rows) if rows else "No jobs yet.")


@app.command("show")
def show(job: JobArgument, project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Show how a job went or goes."""
    with opened(project) as found:
        row = found.job(job)
    result = read_result(row.folder)
    if as_json:
        write_json({**_content(row), "result": None if result is None else result.model_dump(mode="json")})
        return
    say("\n".join(_lines(row)))
    if result is not None and row.state == "finished":
        say(describe(result))


@app.command("resume")
def resume(job: JobArgument, project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Go on with a job that was cancelled, failed or interrupted."""
    with opened(project) as found:
        with watched(as_json) as (_, monitor):
            result = resume_job(found, job, monitor)
        show_result(result, as_json)


@app.command("cancel")
def cancel(
    job: JobArgument,
    wait: Annotated[float, typer.Option(min=0, help="Seconds until its process is ended.")] = 30.0,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Ask a running job to stop; end its process when it does not."""
    with opened(project) as found:
        state = cancel_job(found, job, wait_s=wait)
    answer(f"The job {job} is {state}.", {"id": job, "state": state}, as_json)


def _lines(row: JobRow) -> Iterator[str]:
    state = job_state(row)
    yield f"Job     {row.id} ({row.kind})"
    yield f"State   {state}"
    if row.error:
        yield f"Why     {row.error} {row.remedy}".rstrip()
    last = None
    for event in read_events(row.folder):
        if event.kind == "progress":
            last = event
    if last is not None:
        yield f"Stage   {last.stage}: {last.done:.0f} of {last.total:.0f}"
    yield f"Log     {row.folder / LOG_FILE}"
    if state in ("interrupted", "cancelled", "failed"):
        yield f"Go on   medssl job resume {row.id}"


def _content(row: JobRow) -> dict[str, object]:
    return {
        "id": row.id,
        "kind": row.kind,
        "state": job_state(row),
        "created": row.created.isoformat(),
        "started": None if row.started is None else row.started.isoformat(),
        "ended": None if row.ended is None else row.ended.isoformat(),
        "error": row.error,
        "remedy": row.remedy,
        "folder": str(row.folder),
    }
