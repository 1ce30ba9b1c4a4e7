"""One case of many that could not be done: it is told of, and the others go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from medssl.errors import Cancelled, MedSSLError
from medssl.events import Monitor, Row
from medssl.learning.shrinking import is_out_of_memory
from medssl.storage import NOTHING_CAN_BE_WRITTEN

DoneT = TypeVar("DoneT")


@dataclass(frozen=True)
class Failed:
    """Why a case could not be done, for a person."""

    reason: str


def attempt(case: str, make: Callable[[], DoneT], monitor: Monitor) -> DoneT | Failed:
    """Do one case of many; whatever is wrong with it, `monitor` is told and the others can go on.

    Raises:
        Cancelled: the person asked to stop.
        OSError: the disk is full, which is about all cases.
    """
    try:
        return make()
    except Cancelled:
        raise
    except Exception as error:  # noqa: BLE001 - whatever is wrong with a case, the others go on
        if is_out_of_memory(error):
            reason = str(error) or "There is not enough memory for this scan."
        else:
            reason = str(error) if isinstance(error, MedSSLError) else unexpected(error, monitor)
        monitor.log(f"{case}: {reason}", "warning")
        monitor.emit(Row(name=case, state="failed", note=reason))
        return Failed(reason)


def unexpected(error: BaseException, monitor: Monitor) -> str:
    """Say in a sentence what nobody expected of a single case; the traceback goes into the job's log.

    Raises:
        OSError: the disk is full, which is about all cases.
    """
    if isinstance(error, OSError) and error.errno in NOTHING_CAN_BE_WRITTEN:
        raise error
    monitor.failure(error)
    return f"Something went wrong that should not: {str(error) or type(error).__name__}."
