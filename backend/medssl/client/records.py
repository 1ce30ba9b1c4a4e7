"""What the service answers, as small records. Fields that a newer service adds are left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

T = TypeVar("T")


def record(kind: type[T], found: Mapping[str, Any], **nested: Any) -> T:
    """Make a record of an answer; `nested` replaces fields that are records themselves."""
    # Every kind below is a dataclass; Python 3.9 has no type that says so.
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]  # see above
    values = {name: found[name] for name in names if name in found}
    return kind(**{**values, **nested})


@dataclass(frozen=True)
class ServiceInfo:
    """The service itself; `roots` are the folders that paths in requests may lie in."""

    version: str
    api: int
    instance: str
    process_id: int
    started: str
    host_name: str
    roots: tuple[str, ...]
    max_upload_bytes: int
    idle_end_s: float | None
    working: bool


@dataclass(frozen=True)
class Gpu:
    """A GPU of the engine's computer."""

    name: str
    driver: str
    memory_free_bytes: int
    memory_total_bytes: int


@dataclass(frozen=True)
class Device:
    """What the engine's computer has at this moment."""

    cores: int
    memory_free_bytes: int
    memory_total_bytes: int
    disk_free_bytes: int
    gpus: tuple[Gpu, ...]


@dataclass(frozen=True)
class CheckPoint:
    """One point of 'Check my computer'; `grade` is ok, warning or failed."""

    name: str
    grade: str
    found: str
    remedy: str = ""


@dataclass(frozen=True)
class Effort:
    """A word for how long to learn; settings of a job 'train', of one that refines, and of one 'pretrain'."""

    name: str
    train: Mapping[str, Any]
    refine: Mapping[str, Any]
    pretrain: Mapping[str, Any]


@dataclass(frozen=True)
class Options:
    """What can be chosen about learning; `method` and `pretext` are the usual choices."""

    methods: tuple[str, ...]
    method: str
    pretexts: tuple[str, ...]
    pretext: str
    efforts: tuple[Effort, ...]


@dataclass(frozen=True)
class Segment:
    """One structure of a label schema; `terminology` as in the API."""

    name: str
    value: int
    colour: tuple[int, int, int]
    terminology: Mapping[str, Any] | None = None
    largest_component: bool = False


@dataclass(frozen=True)
class Project:
    """A project; `key` stands for it in every request."""

    key: str
    name: str
    folder: str
    channel_names: tuple[str, ...]
    segments: tuple[Segment, ...]
    mirror_axes: tuple[str, ...]
    cases: int
    annotated: int
    proposed: int


@dataclass(frozen=True)
class KnownProject:
    """A project that the service opened before; `problem` says why it cannot be opened now."""

    key: str
    folder: str
    name: str = ""
    problem: str = ""


@dataclass(frozen=True)
class CaseSummary:
    """One line of the table of cases; `score` is 0 for certain and 1 for uncertain."""

    id: int
    name: str
    role: str
    state: str
    score: float | None
    model_id: str | None
    annotation_version: int | None
    added: str


@dataclass(frozen=True)
class CasePage:
    """One page of the table of cases, and how many there are on all pages."""

    total: int
    cases: tuple[CaseSummary, ...]


@dataclass(frozen=True)
class Annotation:
    """One version of what a person stands behind."""

    id: int
    case_id: int
    version: int
    path: str
    kind: str
    model_id: str | None
    author: str
    seconds: float | None
    created: str
    withdrawn: bool


@dataclass(frozen=True)
class PseudoLabel:
    """What a model proposes for a case; `worst_slice` is an index along z."""

    id: int
    case_id: int
    path: str
    uncertainty_path: str
    model_id: str
    score: float
    worst_slice: int
    worst_region: tuple[int, ...] | None
    created: str
    decision: str | None


@dataclass(frozen=True)
class Case:
    """Everything about a case; `notes` on how its images were read come with the answer to adding it."""

    id: int
    name: str
    channels: tuple[str, ...]
    role: str
    state: str
    annotation: Annotation | None
    pseudo_label: PseudoLabel | None
    added: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Event:
    """What a job reported: a `progress`, `metric`, `log` or `state`; the fields of the others are empty.

    Attributes:
        number: of the event in its job, from 1.
        time: seconds since 1970-01-01 UTC.
        left_s: estimated seconds to the end of the stage.
    """

    number: int
    kind: str
    time: float
    stage: str = ""
    done: float = 0.0
    total: float = 0.0
    left_s: float | None = None
    name: str = ""
    value: float = 0.0
    step: int = 0
    text: str = ""
    level: str = ""
    state: str = ""
    error: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class Job:
    """A job; `request` and `result` as in the API, `progress` the last event of that kind while it runs."""

    id: str
    project: str
    kind: str
    state: str
    created: str
    started: str | None
    ended: str | None
    error: str
    remedy: str
    folder: str
    progress: Event | None
    request: Mapping[str, Any] | None
    result: Mapping[str, Any] | None

    @property
    def over(self) -> bool:
        """Whether nothing more will happen unless it is resumed."""
        return self.state in ("finished", "failed", "cancelled", "interrupted")


@dataclass(frozen=True)
class Model:
    """A model; `card` as in the API, None with a `problem` when it cannot be read.

    One that cannot segment was only pretrained, for a training to begin with.
    """

    id: str
    name: str
    method: str
    created: str
    folder: str
    can_segment: bool
    size_bytes: int
    card: Mapping[str, Any] | None
    problem: str = ""


@dataclass(frozen=True)
class Grid:
    """Where voxels lie, in LPS millimetres, ordered x, y, z."""

    size: tuple[int, ...]
    spacing_mm: tuple[float, ...]
    origin_mm: tuple[float, ...]
    direction: tuple[float, ...]


@dataclass(frozen=True)
class Upload:
    """A file that arrived; other requests name it by `path`."""

    id: str
    path: str
    size_bytes: int
    sha256: str
    grid: Grid


@dataclass(frozen=True)
class FolderEntry:
    """A file or a folder on the engine's computer."""

    name: str
    path: str
    is_folder: bool
    is_project: bool
    size_bytes: int


@dataclass(frozen=True)
class Folder:
    """What is in a folder of the engine's computer; not `complete` when there is more."""

    folder: str | None
    entries: tuple[FolderEntry, ...]
    complete: bool


def device_of(found: Mapping[str, Any]) -> Device:
    """Make a device of an answer."""
    return record(Device, found, gpus=tuple(record(Gpu, gpu) for gpu in found["gpus"]))


def options_of(found: Mapping[str, Any]) -> Options:
    """Make options of an answer."""
    lists = {name: tuple(found[name]) for name in ("methods", "pretexts")}
    return record(Options, found, **lists, efforts=tuple(record(Effort, each) for each in found["efforts"]))


def project_of(found: Mapping[str, Any]) -> Project:
    """Make a project of an answer."""
    schema = found["label_schema"]
    segments = tuple(record(Segment, each, colour=tuple(each["colour"])) for each in schema["segments"])
    names = tuple(found["channel_names"])
    return record(
        Project, found, channel_names=names, segments=segments, mirror_axes=tuple(schema["mirror_axes"])
    )


def case_of(found: Mapping[str, Any]) -> Case:
    """Make a case of an answer."""
    annotation, proposal = found["annotation"], found["pseudo_label"]
    region = proposal and proposal["worst_region"]
    return record(
        Case,
        found,
        channels=tuple(found["channels"]),
        notes=tuple(found["notes"]),
        annotation=annotation and record(Annotation, annotation),
        pseudo_label=proposal
        and record(PseudoLabel, proposal, worst_region=None if region is None else tuple(region)),
    )


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
    grid = {name: tuple(values) for name, values in found["grid"].items()}
    return record(Upload, found, grid=record(Grid, grid))


def folder_of(found: Mapping[str, Any]) -> Folder:
    """Make a folder of an answer."""
    return record(Folder, found, entries=tuple(record(FolderEntry, each) for each in found["entries"]))
