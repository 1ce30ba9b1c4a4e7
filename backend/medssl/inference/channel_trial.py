"""What rules for channels make of a folder, from the headers of its DICOM series alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from medssl.errors import DataError
from medssl.imaging.dicom_slices import SeriesHeader
from medssl.inference.channels import ModelChannels
from medssl.inference.inputs import find_inputs
from medssl.inference.series_sources import series_sources
from medssl.inference.settings import FolderSettings
from medssl.learning.card import TrainingScans


@dataclass(frozen=True)
class TriedSeries:
    """A series of a folder, and what a model would take it for.

    Attributes:
        study: a short name that tells nothing of the patient.
        header: what its images say of it.
        channel: the channel; empty when it is left out.
        reason: why it is left out.
    """

    study: str
    header: SeriesHeader
    channel: str
    reason: str


def try_channels(
    folder: Path,
    model: ModelChannels,
    learned_from: TrainingScans | None,
    heard: Callable[[int, int], None] = lambda done, total: None,
) -> list[TriedSeries]:
    """Sort the series of a folder into channels as a run over it would, by study and number.

    Args:
        folder: searched with all folders in it.
        model: the channels and their rules.
        learned_from: what the model's training scans were like; None when it is not known.
        heard: told how many files of how many were looked at; may raise to stop.

    Raises:
        ImageError: there is no such folder, or it may not be read.
        DataError: it holds no DICOM series.
        UsageError: the rules do not fit the model.
    """
    scans = [scan for scan in find_inputs(folder, None, True, "neutral", heard) if scan.series is not None]
    if not scans:
        raise DataError(f"No DICOM series was found in {folder}.", "Give a folder with DICOM files.")
    settings = FolderSettings(channels=model.rules if model.own else None)
    found = []
    for source in series_sources(scans, model.channels, learned_from, settings):
        reason = source.unfit or source.problem or ""
        for place, scan in enumerate(source.channels):
            assert scan.series is not None
            channel = "" if reason else model.channels[place]
            study = scan.series.neutral_name.partition("/")[0]
            found.append(TriedSeries(study, scan.series.header, channel, reason))
    return sorted(found, key=lambda each: (each.study, each.header.number, each.header.uid))
