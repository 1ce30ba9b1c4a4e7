"""One case of many that could not be done: it is told of, and the others go on."""

from __future__ import annotations

import torch

from medssl.errors import MedSSLError
from medssl.events import Monitor, Row

FAILURES = (MedSSLError, torch.OutOfMemoryError, MemoryError)
"""What can be wrong with a single case; `Cancelled`, which is a `MedSSLError` too, is about all of them."""


def tell_failure(case: str, error: BaseException, monitor: Monitor) -> str:
    """Tell those who watch that a case failed; returns the reason, for a person."""
    reason = str(error) or "There is not enough memory for this scan."
    monitor.log(f"{case}: {reason}", "warning")
    monitor.emit(Row(name=case, state="failed", note=reason))
    return reason
