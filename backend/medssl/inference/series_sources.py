"""From the DICOM series of a folder to what is segmented: one a scan, or several of a study as channels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from medssl.imaging.dicom import Series
from medssl.imaging.dicom_geometry import NotAScanError
from medssl.imaging.scans import Scan
from medssl.inference.channels import ChannelRules
from medssl.inference.settings import FolderSettings
from medssl.inference.source import Source
from medssl.inference.suitability import misfit
from medssl.learning.card import TrainingScans

_ANY_SERIES = "Segment it all the same with --any-series."


def series_sources(
    scans: Sequence[Scan], names: Sequence[str], learned_from: TrainingScans | None, settings: FolderSettings
) -> list[Source]:
    """Sort DICOM series into what can be segmented and what is left out, each with its reason.

    A model of one channel takes every series that is like those it learned from; rules narrow that down. A
    model of several takes from each study the series that the rules name. A series that cannot be read counts
    there, so that no other takes its place unnoticed.

    Args:
        scans: those of them that are DICOM series.
        names: of the model's channels.
        learned_from: what the model's training scans were like; None when it is not known.
        settings: names, rules, and whether any series will do.

    Raises:
        UsageError: the rules do not fit the model.
    """
    if settings.channels is not None:
        settings.channels.check(names)
    possible: list[Scan] = []
    sources: list[Source] = []
    for scan in scans:
        assert scan.series is not None
        source = Source(scan.relative, (scan,))
        if isinstance(scan.series.refusal, NotAScanError):
            sources.append(replace(source, unfit=scan.series.problem))
        elif scan.problem is None and (reason := _unlike(scan.series, learned_from, settings)) is not None:
            sources.append(replace(source, unfit=reason))
        else:
            possible.append(scan)
    if settings.channels is None and len(names) == 1:
        return sources + [Source(scan.relative, (scan,), scan.problem) for scan in possible]
    rules = settings.channels or ChannelRules.by_names(names)
    for study in _studies(possible):
        sources += _of_study(study, names, rules)
    return sources


def _unlike(series: Series, learned_from: TrainingScans | None, settings: FolderSettings) -> str | None:
    if settings.any_series or learned_from is None:
        return None
    reason = misfit(series, learned_from)
    return None if reason is None else f"{reason} {_ANY_SERIES}"


def _studies(scans: Iterable[Scan]) -> list[list[Scan]]:
    studies: dict[str, list[Scan]] = {}
    for scan in scans:
        assert scan.series is not None
        studies.setdefault(scan.series.header.study_uid, []).append(scan)
    return list(studies.values())


def _of_study(scans: list[Scan], names: Sequence[str], rules: ChannelRules) -> list[Source]:
    """One source of all channels, and one for each series that is none of them."""
    headers = [scan.series.header for scan in scans if scan.series is not None]
    chosen: list[Scan] = []
    used: set[int] = set()
    problem = None
    for name in names:
        found = rules.candidates(name, headers)
        used.update(found)
        # What broke off was often repeated under the same name.
        whole = [scans[index] for index in found if scans[index].problem is None]
        if len(whole) == 1 and whole[0] not in chosen:
            chosen += whole
        elif problem is None:
            problem = _why_none(name, [scans[index] for index in found], whole)
    sources = []
    for index, scan in enumerate(scans):
        if scan.problem is not None:
            sources.append(Source(scan.relative, (scan,), scan.problem))
        elif index not in used:
            reason = "No channel of the model is such a series."
            sources.append(Source(scan.relative, (scan,), unfit=reason))
        elif problem is not None:
            sources.append(Source(scan.relative, (scan,), unfit=problem))
    if problem is not None:
        return sources
    first = chosen[0].relative
    # Several series make one segmentation, which is the study's; a lone one keeps its own name.
    relative = first if len(names) == 1 else _study_name(first)
    return [*sources, Source(relative, tuple(chosen))]


def _why_none(channel: str, found: Sequence[Scan], whole: Sequence[Scan]) -> str:
    """Say why no series is a channel, of those that the rules found, and those of them that can be read."""
    if not found:
        return (
            f"No series of the study is its channel {channel}; say in the rules for channels how to know it."
        )
    if not whole:
        return f"The study's channel {channel} cannot be read. {found[0].problem}"
    numbers = [str(scan.series.header.number) for scan in whole if scan.series is not None]
    if len(whole) == 1:
        return f"Series {numbers[0]} is taken for two channels; change the rules for channels."
    return (
        f"{len(whole)} series of the study could be its channel {channel} (series {', '.join(numbers)}); "
        "narrow the rules for channels."
    )


def _study_name(series: Path) -> Path:
    return series.parent if series.parent.parts else series
