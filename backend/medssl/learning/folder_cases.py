"""Scans of any folder as cases to pretrain on: planned for, prepared, and passed over where they are none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from medssl.errors import DataError, ImageError
from medssl.events import Monitor
from medssl.imaging.few_values import has_few_values, no_intensities
from medssl.imaging.scans import Scan
from medssl.imaging.volume import Volume
from medssl.labels import LabelSchema
from medssl.learning.cases import TrainingCase
from medssl.learning.facts import facts_of
from medssl.learning.plan import Plan
from medssl.learning.planner import make_plan
from medssl.learning.preprocessing import prepare
from medssl.machine import Machine
from medssl.words import counted

# A plan has segments; those of the training that begins with the model take the place of this one.
NO_SEGMENTS = LabelSchema.of_names({1: "Nothing drawn yet"})
_PLANNED_SCANS = 40  # facts are gathered from so many scans at most: medians do not need more


def plan_for_scans(scans: Sequence[Scan], folder: Path, monitor: Monitor) -> Plan:
    """Look at scans, evenly spread over the list, and plan for them.

    Args:
        scans: found in `folder`.
        folder: named in messages.
        monitor: told of progress and of scans passed over.

    Raises:
        DataError: none can be used.
        Cancelled: the person asked to stop.
    """
    facts = []
    looked_at = scans[:: max(1, -(-len(scans) // _PLANNED_SCANS))]
    for done, scan in enumerate(looked_at):
        monitor.check()
        monitor.progress("Looking at the scans", done, len(looked_at))
        volume = _read(scan, None)
        if volume is not None:
            facts.append(facts_of(scan.name, [volume], NO_SEGMENTS))
    monitor.progress("Looking at the scans", len(looked_at), len(looked_at))
    if not facts:
        raise _none_usable(folder)
    return make_plan(facts, NO_SEGMENTS, ("image",), Machine.look())


def load_scans(scans: Sequence[Scan], plan: Plan, monitor: Monitor, memory_bytes: int) -> list[TrainingCase]:
    """Prepare as many scans as fit in memory, the first ones, in 16-bit floats.

    Args:
        scans: those that cannot be read, and label maps, are passed over, and `monitor` told.
        plan: how to prepare them.
        monitor: told of progress, asked whether to stop.
        memory_bytes: how much they may take, see `memory_for_cases`.

    Raises:
        Cancelled: the person asked to stop.
    """
    loaded: list[TrainingCase] = []
    used = 0
    for done, scan in enumerate(scans):
        monitor.check()
        monitor.progress("Preparing scans", done, len(scans))
        if used >= memory_bytes:
            monitor.log(
                f"The memory of this computer holds {done} of {counted(len(scans), 'scan')}; "
                f"{counted(len(scans) - done, 'is', 'are')} not used.",
                "warning",
            )
            break
        volume = _read(scan, monitor)
        if volume is not None:
            image = prepare([volume], plan).image.half()
            used += image.nbytes
            loaded.append(TrainingCase(scan.name, image, None))
    monitor.progress("Preparing scans", len(scans), len(scans))
    return loaded


def _read(scan: Scan, monitor: Monitor | None) -> Volume | None:
    """Read a scan; None, and `monitor` told, for what is no scan."""
    try:
        volume = scan.read()
        if has_few_values(volume):
            raise no_intensities(str(scan.source))
        return volume
    except ImageError as error:
        if monitor is not None:
            monitor.log(f"The scan {scan.name} is passed over. {error}", "warning")
        return None


def _none_usable(folder: Path) -> DataError:
    return DataError(f"{folder} holds no scan to learn from.", "Choose a folder with images or DICOM series.")
