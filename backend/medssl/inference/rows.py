"""What became of the scans of a folder run, and the table of it that spreadsheets read."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from medssl.errors import StorageError
from medssl.events import Monitor, Row, RowState
from medssl.inference.ledger import Ledger, Measurements, TableRow
from medssl.inference.source import Source
from medssl.storage import is_held, storage_error

# As the terminal, the report and the panel call them.
_STATES: dict[RowState, str] = {
    "done": "done",
    "skipped": "done before",
    "failed": "failed",
    "unfit": "left out",
}


@dataclass(frozen=True)
class FolderRow:
    """What became of one scan.

    Attributes:
        scan: its name, with the folders below the input folder.
        source: its file or folder.
        shown: the same for tables and reports; for a DICOM series without a path, unless that was asked for.
        state: segmented now (done) or by an earlier run (skipped), not segmented (failed), or left out since
            it is no scan for the model (unfit).
        output: the segmentation; None when it failed.
        measured: what is known of it; None when it failed.
        note: the reason when it failed, or what a person should know.
    """

    scan: str
    source: Path
    shown: str
    state: RowState
    output: Path | None = None
    measured: Measurements | None = None
    note: str = ""

    def as_event(self, output: Path) -> Row:
        """The row as those who watch the run see it; `output` is the run's output folder."""
        measured = self.measured
        return Row(
            name=self.scan,
            state=self.state,
            volumes_ml={} if measured is None else measured.volumes_ml,
            uncertainty=None if measured is None else measured.score,
            worst_slice=None if measured is None else measured.worst_slice,
            # What is shown in place of a path leads nowhere, and the path itself may tell of the patient.
            source=self.shown if self.shown == str(self.source) else "",
            output=_where(self, output),
            note=self.note,
        )


@dataclass(frozen=True)
class FolderResult:
    """All scans of a run, by name, its table, and what the rows were made from, by their names."""

    rows: tuple[FolderRow, ...]
    table: Path
    sources: Mapping[str, Source]

    def count(self, state: RowState) -> int:
        """How many scans ended in a state."""
        return sum(row.state == state for row in self.rows)

    @property
    def failed(self) -> dict[str, str]:
        """The reason of each scan that was not segmented."""
        return {row.scan: row.note for row in self.rows if row.state == "failed"}

    @property
    def unfit(self) -> dict[str, str]:
        """The reason of each scan that was left out."""
        return {row.scan: row.note for row in self.rows if row.state == "unfit"}


def write_table(
    ledger: Ledger, staging: Path, rows: Sequence[FolderRow], segments: Sequence[str], monitor: Monitor
) -> Path:
    """Write `volumes.csv` into the output folder, or `volumes-2.csv`... where that is not free.

    Scans whose segmentations of earlier runs lie in the folder, and which are none of this run's, stay in it.

    Args:
        ledger: of the output folder.
        staging: a folder for the unfinished file, on the same disk.
        rows: one a line.
        segments: names of the segments, one a column of volumes in ml; those of earlier runs come after them.
        monitor: hears where the table is when another program keeps its usual name.

    Returns:
        The table's path.

    Raises:
        StorageError: it could not be written.
    """
    staged = staging / "volumes.csv"
    rows = sorted((*rows, *_of_other_runs(ledger, {row.scan for row in rows})), key=lambda row: row.scan)
    measured = [row.measured for row in rows if row.measured is not None]
    segments = list(dict.fromkeys((*segments, *(name for each in measured for name in each.volumes_ml))))
    volumes = [f"{name} (ml)" for name in segments]
    try:
        # Spreadsheets take a file for UTF-8 only when it begins with the byte order mark.
        with staged.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(
                ["scan", "state", *volumes, "uncertainty", "worst slice", "segmentation", "source", "note"]
            )
            writer.writerows(_line(row, ledger.output, segments) for row in rows)
    except OSError as error:
        raise storage_error(error, ledger.output / staged.name) from error
    return _published(ledger, staged, monitor)


def _published(ledger: Ledger, staged: Path, monitor: Monitor) -> Path:
    """Give the table the first name that is free, or an earlier table's that can be replaced."""
    names = (f"volumes{'' if n == 1 else f'-{n}'}.csv" for n in count(1))
    free = (ledger.output / name for name in names)
    held = ""
    for target in (path for path in free if not path.exists() or ledger.is_ours(path)):
        path, size, sha256 = ledger.describe(staged, target)
        try:
            ledger.publish(staged, TableRow(path=path, bytes=size, sha256=sha256))
        except StorageError as error:
            # Windows replaces nothing that a spreadsheet has open; the scans are done and must be told of.
            if not is_held(error, target):
                raise
            held = held or path
            continue
        if held:
            monitor.log(
                f"{held} may not be replaced; is it open in another program? The table is {path}.", "warning"
            )
        return target
    raise AssertionError("numbers do not end")


def _of_other_runs(ledger: Ledger, seen: set[str]) -> list[FolderRow]:
    """Rows for the scans of earlier runs that this one had nothing to do with."""
    newest = {row.scan: row for row in ledger.segmentations() if row.scan not in seen}
    return [
        FolderRow(
            scan=row.scan,
            source=Path(row.shown),
            shown=row.shown,
            state="skipped",
            output=ledger.output / row.path,
            measured=row.measured,
            note=f"Segmented by an earlier run, with the model {row.model_id}. "
            f"{edited_note(ledger, ledger.output / row.path)}".strip(),
        )
        for row in newest.values()
    ]


def edited_note(ledger: Ledger, segmentation: Path) -> str:
    """What to say of an earlier segmentation that is not as it was written; nothing of one that is."""
    return "" if ledger.is_ours(segmentation) else "Edited since; the volumes are those before the edit."


def _line(row: FolderRow, output: Path, segments: Sequence[str]) -> list[str]:
    measured = ["" for _ in segments] + ["", ""]
    if row.measured is not None:
        volumes = [_number(row.measured.volumes_ml.get(name)) for name in segments]
        measured = [*volumes, f"{row.measured.score:.4f}", str(row.measured.worst_slice)]
    return [row.scan, _STATES[row.state], *measured, _where(row, output), row.shown, row.note]


def _number(volume_ml: float | None) -> str:
    return "" if volume_ml is None else f"{volume_ml:.4f}"


def _where(row: FolderRow, output: Path) -> str:
    return row.output.relative_to(output).as_posix() if row.output else ""
