"""Jobs as clients see them."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from medssl.events import EVENT, Progress
from medssl.jobs import REQUEST, Request, job_state, read_result
from medssl.jobs.files import EVENTS_FILE
from medssl.project import JobRow
from medssl.service.projects import key_of
from medssl.service.views import JobView

_TAIL_BYTES = 16 << 10  # holds the last progress of any job: trainings report it with every few losses


def job_view(project_folder: Path, row: JobRow) -> JobView:
    """Everything about a job that fits into an answer; its events and its log have addresses of their own."""
    state = job_state(row)
    return JobView(
        id=row.id,
        project=key_of(project_folder),
        kind=row.kind,
        state=state,
        created=row.created,
        started=row.started,
        ended=row.ended,
        error=row.error,
        remedy=row.remedy,
        folder=row.folder,
        progress=_last_progress(row.folder) if state in ("running", "cancelling") else None,
        request=request_of(row),
        result=read_result(row.folder) if state == "finished" else None,
    )


def tail(path: Path, most_bytes: int) -> str:
    """The last whole lines of a text file, in so many bytes; empty when there is no file."""
    try:
        with path.open("rb") as file:
            begin = max(0, file.seek(0, 2) - most_bytes)
            file.seek(begin)
            text = file.read(most_bytes).decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    return text.partition("\n")[2] if begin else text


def _last_progress(folder: Path) -> Progress | None:
    for line in reversed(tail(folder / EVENTS_FILE, _TAIL_BYTES).splitlines()):
        if '"kind":"progress"' not in line:
            continue
        try:
            event = EVENT.validate_json(line)
        except ValidationError:  # a line that is being written
            continue
        if isinstance(event, Progress):
            return event
    return None


def request_of(row: JobRow) -> Request | None:
    """What a job was started with; None when that was written by another version and cannot be read."""
    try:
        return REQUEST.validate_json(row.request)
    except ValidationError:
        return None
