"""The process of one job: `python -m medssl.jobs.worker PROJECT JOB`.

It needs nobody: whoever started it may die, and the job goes on. What it prints goes into the job's log.
"""

from __future__ import annotations

import faulthandler
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

from medssl.errors import Cancelled, MedSSLError
from medssl.events import Monitor
from medssl.jobs.launching import LEFT_WAITING
from medssl.jobs.neighbours import DeviceBusyError
from medssl.jobs.run import run_queued
from medssl.project import Project

_FIRST_TO_GO = "500"  # of 1000: when memory runs out, Linux ends this process before the person's others


def main(arguments: Sequence[str]) -> int:
    """Run a job that waits, and return an exit code as the command line's; the job's row says more."""
    folder, job_id = arguments
    faulthandler.enable()
    _offer_memory()
    monitor = Monitor()
    _listen(monitor)
    try:
        with Project.open(Path(folder)) as project:
            run_queued(project, project.job(job_id), monitor)
    except Cancelled as stopped:
        return stopped.exit_code
    except DeviceBusyError as busy:
        sys.stderr.write(f"{busy}\n")
        return LEFT_WAITING
    except MedSSLError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def _listen(monitor: Monitor) -> None:
    """Stop in order when asked by a signal; Ctrl+C in somebody's terminal is not meant for a job."""

    def ask(number: int, frame: FrameType | None) -> None:
        monitor.cancel()

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, ask)


def _offer_memory() -> None:
    if sys.platform == "linux":
        with suppress(OSError):  # a container may forbid it
            Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_GO, encoding="ascii")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
