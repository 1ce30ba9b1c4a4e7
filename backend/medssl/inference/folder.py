"""Segmenting whole folders: resumable, one bad scan never stops the others, nothing of others overwritten."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch

from medssl.errors import Cancelled, MedSSLError, StorageError, UsageError
from medssl.events import Monitor, RowState
from medssl.inference.content import Content
from medssl.inference.ledger import FOLDER, Ledger, Measurements, ReportRow, SegmentationRow, locked, not_ours
from medssl.inference.names import told_apart
from medssl.inference.outputs import Output
from medssl.inference.overlapped import Outcome, Stages, overlapped
from medssl.inference.predictor import Opinion, Predictor
from medssl.inference.rows import FolderResult, FolderRow, edited_note, write_table
from medssl.inference.settings import FolderSettings
from medssl.inference.source import Source
from medssl.inference.sources import find_sources
from medssl.learning.lanes import one_thread_each
from medssl.learning.model import Model
from medssl.learning.preprocessing import Prepared
from medssl.machine import Machine
from medssl.storage import NOTHING_CAN_BE_WRITTEN, staging_folder, storage_error
from medssl.words import counted, listed

_MEMORY_SHARE = 0.5  # of the free memory, for the scans that are on their way at one time


def segment_folder(
    model: Model, inputs: Sequence[Path], output: Path, settings: FolderSettings, monitor: Monitor
) -> FolderResult:
    """Segment every scan of the input folders into `output`, which gets the same tree and a `volumes.csv`.

    A second run skips the scans of which all that is asked for is there, from the same files and by the same
    model, and does the others. A scan that cannot be read or segmented is listed with its reason. A file that
    is not, byte for byte, what a run wrote is never replaced, so that a segmentation that a person corrected
    in its place stays; nor is the result of another scan of the same name, see `told_apart`. When the monitor
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
        MissingPackageError: the format needs a package that is not installed.
        UsageError: the outputs would count as scans, or the rules for channels do not fit the model.
    """
    if settings.format == "nii.gz" and output.resolve() in {path.resolve() for path in inputs}:
        raise UsageError(
            f"{output} is the folder of the scans themselves, where {settings.format} files count as scans.",
            "Choose another output folder, or the format seg.nrrd.",
        )
    writer = Output(settings, model.plan.label_schema, model.card)
    predictor = Predictor(model, settings.device)
    found = find_sources(inputs, output, model, settings, monitor)
    with locked(output), staging_folder(output / FOLDER) as staging, _threads_beside(predictor):
        run = _Run(predictor, writer, output, settings, Ledger(output), staging)
        sources = told_apart(found, run.ledger, monitor)
        _tell_numbered(found, sources, monitor)
        rows, waiting = run.look(sources, monitor)
        began, first = time.monotonic(), len(rows)
        for outcome in overlapped(waiting, run.stages(monitor), lambda: monitor.cancelled):
            row = _row(outcome, monitor)
            if row is None:
                continue
            rows.append(row)
            monitor.emit(row.as_event(output))
            if row.state == "failed":
                monitor.log(row.note, "warning")
            _progress(monitor, rows, len(sources), began, len(rows) - first)
        rows.sort(key=lambda row: row.scan)
        table = write_table(run.ledger, staging, rows, predictor.schema.names, monitor)
        result = FolderResult(tuple(rows), table, {source.name: source for source in sources})
    if monitor.cancelled and len(rows) < len(sources):
        raise Cancelled(
            f"Cancelled after {len(rows)} of {counted(len(sources), 'scan')}.",
            "Start it again to go on with the others.",
        )
    return result


def _threads_beside(predictor: Predictor) -> AbstractContextManager[None]:
    """On a processor, the cores are the network's; see `one_thread_each`."""
    return one_thread_each() if predictor.device.type == "cpu" else nullcontext()


@dataclass(frozen=True)
class _Origin:
    """When a scan's way began, from which content of its files, and what reading had to say."""

    began: float
    fingerprint: str
    content: Content
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

    def look(self, sources: Sequence[Source], monitor: Monitor) -> tuple[list[FolderRow], list[Source]]:
        """Return rows for what needs no work, and the sources that do; of fewer when it is cancelled."""
        rows: list[FolderRow] = []
        waiting: list[Source] = []
        _progress(monitor, rows, len(sources), time.monotonic(), 0)
        for source in sources:
            if monitor.cancelled:  # some may have to be read whole
                break
            row = self._without_work(source)
            if row is None:
                waiting.append(source)
                continue
            rows.append(row)
            monitor.emit(row.as_event(self.output))
            _progress(monitor, rows, len(sources), time.monotonic(), 0)
        return rows, waiting

    def stages(self, monitor: Monitor) -> Stages[Source, _Read, _Computed, FolderRow]:
        """Return the steps of every scan; the work asks between windows whether it should stop."""
        on_cpu = self.predictor.device.type == "cpu"
        return Stages(
            read=self._read,
            work=lambda _, read: _Computed(read.origin, self.predictor.infer(read.prepared, monitor.check)),
            write=self._write,
            weight=lambda source: float(source.voxels() * self.predictor.bytes_per_voxel),
            budget=_MEMORY_SHARE * Machine.look().memory_free_bytes,
            # A GPU waits for its reader; on the CPU more readers would only take cores from the network, but
            # a second scan fills the cores that the last windows of the one before leave idle.
            readers=1 if on_cpu else min(4, torch.get_num_threads()),
            workers=2 if on_cpu else 1,
        )

    def _target(self, source: Source) -> Path:
        return self.output / source.relative.parent / f"{source.relative.name}{self.writer.suffix}"

    def _without_work(self, source: Source) -> FolderRow | None:
        if source.unfit is not None:
            return _new_row(source, "unfit", note=source.unfit)
        problem = source.problem or self.writer.refusal(source)
        if problem is not None:
            return _new_row(source, "failed", note=problem)
        target = self._target(source)
        try:
            done = self._done_before(source, target)
            if done is not None:
                return _new_row(source, "skipped", target, done.measured, edited_note(self.ledger, target))
            for path in (target, self.writer.report_of(target)):
                if path is not None and path.exists() and not self.ledger.is_ours(path):
                    return _new_row(source, "failed", note=str(not_ours(path)))
        except OSError as error:  # a name with the longer ending of a result may be too long
            return _new_row(source, "failed", note=f"{source.title}: {storage_error(error, target)}")
        return None

    def _done_before(self, source: Source, target: Path) -> SegmentationRow | None:
        """What an earlier run made of a scan; None when there is nothing, or it has to be made anew."""
        done = self.ledger.segmentation_at(target)
        if not self.settings.skip_done or done is None or not self._is_as_asked(target, done):
            return None
        try:
            fingerprint = source.fingerprint()
            if done.source == fingerprint and done.place in ("", source.place):
                return done
            if done.content is None or not done.content.is_of(source.files):
                return None
        except OSError:
            return None  # reading will tell why
        return self.ledger.renew(done, source, fingerprint)

    def _is_as_asked(self, target: Path, done: SegmentationRow) -> bool:
        report = self.writer.report_of(target)
        if report is not None and not (done.report and self.ledger.has_written(report)):
            return False
        return (done.model_id, done.fractional) == (self.predictor.model_id, self.settings.fractional)

    def _read(self, source: Source) -> _Read:
        began = time.monotonic()
        # Before the voxels: a file that changes while it is read is then done again by the next run.
        fingerprint, content = source.fingerprint(), Content.of(source.files)
        volumes = source.read()
        notes = tuple(note for volume in volumes for note in volume.notes)
        return _Read(_Origin(began, fingerprint, content, notes), self.predictor.prepare(volumes))

    def _write(self, source: Source, computed: _Computed) -> FolderRow:
        origin, target = computed.origin, self._target(source)
        prediction = self.predictor.finish(computed.opinion, with_map=False)
        staged = self.staging / f"segmentation{self.writer.suffix}"
        self.writer.write(staged, source, prediction, computed.opinion)
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
            place=source.place,
            content=origin.content,
            shown=source.shown,
            model_id=self.predictor.model_id,
            fractional=self.settings.fractional,
            report=self.writer.report_of(target) is not None,
            measured=measured,
        )
        self.ledger.publish(staged, row)
        self._publish_report(staged, target)
        return _new_row(source, "done", target, measured, " ".join(origin.notes))

    def _publish_report(self, staged: Path, target: Path) -> None:
        """Give the report of the volumes its name, after the segmentation that it refers to."""
        source, report = self.writer.report_of(staged), self.writer.report_of(target)
        if source is not None and report is not None:
            path, size, sha256 = self.ledger.describe(source, report)
            self.ledger.publish(source, ReportRow(path=path, bytes=size, sha256=sha256))


def _new_row(
    source: Source,
    state: RowState,
    output: Path | None = None,
    measured: Measurements | None = None,
    note: str = "",
) -> FolderRow:
    where = source.channels[0].source
    return FolderRow(source.name, where, source.shown, state, output, measured, note)


def _tell_numbered(found: Sequence[Source], sources: Sequence[Source], monitor: Monitor) -> None:
    """Say which results have another name than their scans, since otherwise nobody would look for them."""
    names = [now.name for before, now in zip(found, sources, strict=True) if before.name != now.name]
    if names:
        results = counted(len(names), "result has", "results have")
        monitor.log(f"{results} a number, since those of other scans have their names: {listed(names)}.")


def _row(outcome: Outcome[Source, FolderRow], monitor: Monitor) -> FolderRow | None:
    """The row of an outcome; None for a scan that was cancelled half-way.

    Raises:
        StorageError: nothing more can be written; going on would only repeat the error for every scan.
    """
    source, error = outcome.item, outcome.error
    if error is None:
        return outcome.row
    if isinstance(error, Cancelled):
        return None
    if isinstance(error, StorageError) and getattr(error.__cause__, "errno", None) in NOTHING_CAN_BE_WRITTEN:
        raise error
    if isinstance(error, MedSSLError):
        reason = str(error)
    elif isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        reason = (
            f"{source.title} needs more memory than there is. Close other programs, or use a larger computer."
        )
    else:
        monitor.failure(error, with_words=not source.is_private)
        # The error's own words may quote a path or a header.
        said = type(error).__name__ if source.is_private else str(error) or type(error).__name__
        reason = f"{source.title} could not be segmented: {said}."
    return _new_row(source, "failed", note=reason)


def _progress(monitor: Monitor, rows: Sequence[FolderRow], total: int, began: float, computed: int) -> None:
    left = (time.monotonic() - began) / computed * (total - len(rows)) if computed else None
    monitor.progress("segment", len(rows), total, left)
