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
    model of several takes from each study the series that the rules name.

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
    suitable: list[Scan] = []
    sources: list[Source] = []
    for scan in scans:
        assert scan.series is not None
        source = Source(scan.relative, (scan,))
        if isinstance(scan.series.refusal, NotAScanError):
            sources.append(replace(source, unfit=scan.series.problem))
        elif scan.problem is not None:
            sources.append(replace(source, problem=scan.problem))
        elif (reason := _unlike(scan.series, learned_from, settings)) is not None:
            sources.append(replace(source, unfit=reason))
        else:
            suitable.append(scan)
    if settings.channels is None and len(names) == 1:
        return sources + [Source(scan.relative, (scan,)) for scan in suitable]
    rules = settings.channels or ChannelRules.by_names(names)
    for study in _studies(suitable):
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
        if len(found) == 1 and scans[found[0]] in chosen:
            problem = (
                f"Series {headers[found[0]].number} is taken for two channels; change the rules for channels."
            )
        elif len(found) == 1:
            chosen.append(scans[found[0]])
        elif problem is None:
            problem = (
                f"No series of the study is its channel {name}; say in the rules for channels how to know it."
                if not found
                else f"{len(found)} series of the study could be its channel {name} (series "
                f"{', '.join(str(headers[index].number) for index in found)}); narrow the rules for channels."
            )
    rest = [scan for index, scan in enumerate(scans) if index not in used]
    sources = [
        Source(scan.relative, (scan,), unfit="No channel of the model is such a series.") for scan in rest
    ]
    if problem is not None:
        whole = [scans[index] for index in sorted(used)]
        return sources + [Source(scan.relative, (scan,), unfit=problem) for scan in whole]
    first = chosen[0].relative
    # Several series make one segmentation, which is the study's; a lone one keeps its own name.
    relative = first if len(names) == 1 else _study_name(first)
    return [*sources, Source(relative, tuple(chosen))]


def _study_name(series: Path) -> Path:
    return series.parent if series.parent.parts else series
