"""From the service's answers to records.

What is no answer of a service raises an `AttributeError`, a `LookupError`, a `TypeError` or a `ValueError`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

from medssl.client.records import (
    Annotation,
    Case,
    CasePage,
    CaseSummary,
    Device,
    Effort,
    Event,
    Folder,
    FolderEntry,
    Gpu,
    Grid,
    Job,
    ModelChannels,
    ModelFact,
    Options,
    Project,
    PseudoLabel,
    Segment,
    ServiceInfo,
    Suggestion,
    UncertainRegion,
    Upload,
)

T = TypeVar("T")


def record(kind: type[T], found: Mapping[str, Any], **nested: Any) -> T:
    """Make a record of an answer; `nested` replaces fields that are records themselves."""
    # Every kind below is a dataclass; Python 3.9 has no type that says so.
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]  # see above
    values = {name: found[name] for name in names if name in found}
    return kind(**{**values, **nested})


def record_of(kind: type[T]) -> Callable[[Mapping[str, Any]], T]:
    """Give what makes a record of a kind of an answer."""
    return lambda found: record(kind, found)


def each(make: Callable[[Any], T]) -> Callable[[Any], tuple[T, ...]]:
    """Give what makes a tuple of an answer that is a list."""

    def made(found: Any) -> tuple[T, ...]:
        if not isinstance(found, list):
            raise TypeError("it is no list")
        return tuple(make(one) for one in found)

    return made


def done(found: Mapping[str, Any]) -> None:
    """Take an answer that says that something was done, and no more."""
    found["done"]


def service_of(found: Mapping[str, Any]) -> ServiceInfo:
    """Make the description of a service of an answer."""
    return record(ServiceInfo, found, roots=tuple(found["roots"]))


def device_of(found: Mapping[str, Any]) -> Device:
    """Make a device of an answer."""
    return record(Device, found, gpus=tuple(record(Gpu, gpu) for gpu in found["gpus"]))


def options_of(found: Mapping[str, Any]) -> Options:
    """Make options of an answer."""
    lists = {name: tuple(found[name]) for name in ("methods", "pretexts", "formats")}
    return record(Options, found, **lists, efforts=tuple(record(Effort, each) for each in found["efforts"]))


def project_of(found: Mapping[str, Any]) -> Project:
    """Make a project of an answer."""
    schema = found["label_schema"]
    segments = tuple(record(Segment, each, colour=tuple(each["colour"])) for each in schema["segments"])
    names = tuple(found["channel_names"])
    return record(
        Project, found, channel_names=names, segments=segments, mirror_axes=tuple(schema["mirror_axes"])
    )


def cases_of(found: Mapping[str, Any]) -> CasePage:
    """Make a page of cases of an answer."""
    return record(CasePage, found, cases=each(record_of(CaseSummary))(found["cases"]))


def case_of(found: Mapping[str, Any]) -> Case:
    """Make a case of an answer."""
    annotation, proposal = found["annotation"], found["pseudo_label"]
    return record(
        Case,
        found,
        channels=tuple(found["channels"]),
        notes=tuple(found["notes"]),
        annotation=annotation and annotation_of(annotation),
        pseudo_label=proposal and _proposal_of(proposal),
    )


def annotation_of(found: Mapping[str, Any]) -> Annotation:
    """Make an annotation of an answer; an engine of an earlier version sends no notes."""
    return record(Annotation, found, notes=tuple(found.get("notes", ())))


def _proposal_of(found: Mapping[str, Any]) -> PseudoLabel:
    region = found["worst_region"]
    regions = tuple(
        record(UncertainRegion, each, box=tuple(each["box"]), centre=tuple(each["centre"]))
        for each in found.get("regions", ())
    )
    return record(PseudoLabel, found, worst_region=None if region is None else tuple(region), regions=regions)


def suggestion_of(found: Mapping[str, Any]) -> Suggestion:
    """Make a suggestion of an answer."""
    case = found["case"]
    return record(Suggestion, found, case=case and record(CaseSummary, case))


def event_of(number: int, found: Mapping[str, Any]) -> Event:
    """Make an event of an answer; numbers that JSON does not have come as text, such as 'nan'."""
    numbers = {name: float(found[name]) for name in ("time", "done", "total", "value") if name in found}
    left = found.get("left_s")
    return record(
        Event, found, **{**numbers, "number": number, "left_s": None if left is None else float(left)}
    )


def job_of(found: Mapping[str, Any]) -> Job:
    """Make a job of an answer."""
    progress = found["progress"]
    return record(Job, found, progress=progress and event_of(0, progress))


def upload_of(found: Mapping[str, Any]) -> Upload:
    """Make an upload of an answer."""
    grid = found["grid"] and {name: tuple(values) for name, values in found["grid"].items()}
    return record(Upload, found, grid=grid and record(Grid, grid))


def folder_of(found: Mapping[str, Any]) -> Folder:
    """Make a folder of an answer."""
    return record(Folder, found, entries=tuple(record(FolderEntry, each) for each in found["entries"]))


def fact_of(found: Mapping[str, Any]) -> ModelFact:
    """Make a line of a comparison of an answer."""
    return record(ModelFact, found, values=tuple(found["values"]))


def channels_of(found: Mapping[str, Any]) -> ModelChannels:
    """Make the rules for a model's channels of an answer."""
    return record(ModelChannels, found, channels=tuple(found["channels"]))
