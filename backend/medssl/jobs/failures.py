"""One case of many that could not be done: it is told of, and the others go on."""

from __future__ import annotations

import torch

from medssl.errors import MedSSLError
from medssl.events import Monitor, Row
from medssl.storage import NOTHING_CAN_BE_WRITTEN

FAILURES = (MedSSLError, torch.OutOfMemoryError, MemoryError)
"""What can be wrong with a single case; `Cancelled`, which is a `MedSSLError` too, is about all of them."""


def unexpected(error: BaseException, monitor: Monitor) -> str:
    """Say in a sentence what nobody expected of a single case; the traceback goes into the job's log.

    Raises:
        OSError: the disk is full, which is about all cases.
    """
    if isinstance(error, OSError) and error.errno in NOTHING_CAN_BE_WRITTEN:
        raise error
    monitor.failure(error)
    return f"Something went wrong that should not: {str(error) or type(error).__name__}."


def tell_failure(case: str, error: BaseException, monitor: Monitor) -> str:
    """Tell those who watch that a case failed; returns the reason, for a person."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        reason = str(error) or "There is not enough memory for this scan."
    elif isinstance(error, MedSSLError):
        reason = str(error)
    else:
        reason = unexpected(error, monitor)
    monitor.log(f"{case}: {reason}", "warning")
    monitor.emit(Row(name=case, state="failed", note=reason))
    return reason
