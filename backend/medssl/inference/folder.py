"""Segmenting whole folders: resumable, one bad scan never stops the others, nothing of others overwritten."""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict

from medssl.errors import Cancelled, MedSSLError, StorageError, UsageError
from medssl.events import Monitor
from medssl.imaging.formats import LabelFormat, label_suffix
from medssl.inference.ledger import FOLDER, Ledger, Measurements, SegmentationRow, locked, not_ours
from medssl.inference.outputs import Output
from medssl.inference.overlapped import Outcome, Stages, overlapped
from medssl.inference.predictor import Opinion, Predictor
from medssl.inference.rows import FolderResult, FolderRow, write_table
from medssl.inference.sources import Source, find_sources
from medssl.learning.model import Model
from medssl.learning.preprocessing import Prepared
from medssl.learning.settings import DeviceName
from medssl.machine import Machine
from medssl.storage import staging_folder

_LOG = logging.getLogger(__name__)
_MEMORY_SHARE = 0.5  # of the free memory, for the scans that are on their way at one time
_NOTHING_CAN_BE_WRITTEN = {errno.ENOSPC, errno.EROFS, getattr(errno, "EDQUOT", errno.ENOSPC)}


class FolderSettings(BaseModel):
    """How a folder is segmented."""

    model_config = ConfigDict(frozen=True)

    format: LabelFormat = "seg.nrrd"
    recursive: bool = True
    skip_done: bool = True
    device: DeviceName = "auto"


def segment_folder(
    model: Model, inputs: Sequence[Path], output: Path, settings: FolderSettings, monitor: Monitor
) -> FolderResult:
    """Segment every scan of the input folders into `output`, which gets the same tree and a `volumes.csv`.

    A second run skips the scans whose files, model and format are the same and does the others. A scan that
    cannot be read or segmented is listed with its reason. A file that is not, byte for byte, what a run wrote
    is never replaced, so that a segmentation that a person corrected in its place stays. When the monitor
    is cancelled, the scans that were computed are written, and the next run goes on from there.

    Args:
        model: the model.
        inputs: folders, and single files.
        output: made when it is not there; it may lie inside an input folder.
        settings: how.
        monitor: hears of progress in scans, and may cancel.

    Raises:
        Cancelled: the monitor was cancelled; the table lists what is done.
        DataError: there is nothing to segment.
        StorageError: the output folder may not be written, another run writes to it, or the disk is full.
        UsageError: the outputs would count as scans.
    """
    if settings.format == "nii.gz" and output.resolve() in {path.resolve() for path in inputs}:
        raise UsageError(
            f"{output} is the folder of the scans themselves, where {settings.format} files count as scans.",
            "Choose another output folder, or the format seg.nrrd.",
        )
    writer = Output(settings.format, model.plan.label_schema, model.card)
    predictor = Predictor(model, settings.device)
    sources = find_sources(inputs, output, model.plan.channel_names, settings.recursive)
    with locked(output), staging_folder(output / FOLDER) as staging:
        run = _Run(predictor, writer, output, settings, Ledger(output), staging)
        rows, waiting = run.look(sources)
        for known in rows:
            monitor.emit(known.as_event(output))
        _progress(monitor, rows, len(sources), time.monotonic(), 0)
        began, first = time.monotonic(), len(rows)
        for outcome in overlapped(waiting, run.stages(monitor), lambda: monitor.cancelled):
            row = _row(outcome)
            if row is None:
                continue
            rows.append(row)
            monitor.emit(row.as_event(output))
            if row.state == "failed":
                monitor.log(row.note, "warning")
            _progress(monitor, rows, len(sources), began, len(rows) - first)
        rows.sort(key=lambda row: row.scan)
        result = FolderResult(tuple(rows), write_table(run.ledger, staging, rows, predictor.schema.names))
    if monitor.cancelled and len(rows) < len(sources):
        raise Cancelled(
            f"Cancelled after {len(rows)} of {len(sources)} scans.",
            "Start it again to go on with the others.",
        )
    return result


@dataclass(frozen=True)
class _Origin:
    """When a scan's way began, from which content of its files, and what reading had to say."""

    began: float
    fingerprint: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Read:
    origin: _Origin
    prepared: Prepared


@dataclass(frozen=True)
class _Computed:
    origin: _Origin
    opinion: Opinion


@dataclass(frozen=True)
class _Run:
    """The steps of one run over its scans."""

    predictor: Predictor
    writer: Output
    output: Path
    settings: FolderSettings
    ledger: Ledger
    staging: Path

    def look(self, sources: Sequence[Source]) -> tuple[list[FolderRow], list[Source]]:
        """Return rows for what needs no work, and the sources that do."""
        rows, waiting = [], []
        for source in sources:
            row = self._without_work(source)
            if row is None:
                waiting.append(source)
            else:
                rows.append(row)
        return rows, waiting

    def stages(self, monitor: Monitor) -> Stages[Source, _Read, _Computed, FolderRow]:
        """Return the steps of every scan; the work asks between windows whether it should stop."""
        return Stages(
            read=self._read,
            work=lambda _, read: _Computed(read.origin, self.predictor.infer(read.prepared, monitor.check)),
            write=self._write,
            weight=lambda source: float(source.voxels() * self.predictor.bytes_per_voxel),
            budget=_MEMORY_SHARE * Machine.look().memory_free_bytes,
            # A GPU waits for its reader; on the CPU more readers would only take cores from the network.
            readers=1 if self.predictor.device.type == "cpu" else min(4, torch.get_num_threads()),
        )

    def _target(self, source: Source) -> Path:
        return (
            self.output
            / source.relative.parent
            / f"{source.relative.name}{label_suffix(self.settings.format)}"
        )

    def _without_work(self, source: Source) -> FolderRow | None:
        where = _where(source)
        problem = source.problem or self.writer.refusal(source)
        if problem is not None:
            return FolderRow(source.name, where, "failed", note=problem)
        target = self._target(source)
        done = self.ledger.segmentation(source.name)
        if self.settings.skip_done and done is not None and self._still_holds(source, target, done):
            note = (
                "" if self.ledger.is_ours(target) else "Edited since; the volumes are those before the edit."
            )
            return FolderRow(source.name, where, "skipped", target, done.measured, note)
        if target.exists() and not self.ledger.is_ours(target):
            return FolderRow(source.name, where, "failed", note=str(not_ours(target)))
        return None

    def _still_holds(self, source: Source, target: Path, done: SegmentationRow) -> bool:
        if self.output / done.path != target or done.model_id != self.predictor.model_id:
            return False
        try:
            return done.source == source.fingerprint()
        except OSError:
            return False  # reading will tell why

    def _read(self, source: Source) -> _Read:
        began = time.monotonic()
        # Before the voxels: a file that changes while it is read is then done again by the next run.
        fingerprint = source.fingerprint()
        volumes = source.read()
        notes = tuple(note for volume in volumes for note in volume.notes)
        return _Read(_Origin(began, fingerprint, notes), self.predictor.prepare(volumes))

    def _write(self, source: Source, computed: _Computed) -> FolderRow:
        origin, target = computed.origin, self._target(source)
        prediction = self.predictor.finish(computed.opinion, with_map=False)
        staged = self.staging / f"segmentation{label_suffix(self.settings.format)}"
        self.writer.write(staged, prediction.values, computed.opinion.way.grid, source)
        path, size, sha256 = self.ledger.describe(staged, target)
        measured = Measurements(
            volumes_ml=prediction.volumes_ml,
            score=prediction.score,
            worst_slice=prediction.worst_slice,
            seconds=time.monotonic() - origin.began,
        )
        row = SegmentationRow(
            path=path,
            bytes=size,
            sha256=sha256,
            scan=source.name,
            source=origin.fingerprint,
            model_id=self.predictor.model_id,
            measured=measured,
        )
        self.ledger.publish(staged, row)
        return FolderRow(source.name, _where(source), "done", target, measured, " ".join(origin.notes))


def _where(source: Source) -> Path:
    return source.channels[0].source


def _row(outcome: Outcome[Source, FolderRow]) -> FolderRow | None:
    """The row of an outcome; None for a scan that was cancelled half-way.

    Raises:
        StorageError: nothing more can be written; going on would only repeat the error for every scan.
    """
    source, error = outcome.item, outcome.error
    if error is None:
        return outcome.row
    if isinstance(error, Cancelled):
        return None
    if isinstance(error, StorageError) and getattr(error.__cause__, "errno", None) in _NOTHING_CAN_BE_WRITTEN:
        raise error
    where = _where(source)
    if isinstance(error, MedSSLError):
        reason = str(error)
    elif isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        reason = f"{where} needs more memory than there is. Close other programs, or use a larger computer."
    else:
        _LOG.error("%s could not be segmented", where, exc_info=error)
        reason = f"{where} could not be segmented: {error or type(error).__name__}."
    return FolderRow(source.name, where, "failed", note=reason)


def _progress(monitor: Monitor, rows: Sequence[FolderRow], total: int, began: float, computed: int) -> None:
    left = (time.monotonic() - began) / computed * (total - len(rows)) if computed else None
    monitor.progress("segment", len(rows), total, left)
