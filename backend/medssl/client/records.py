"""What the service answers, as small records. Fields that a newer service adds are left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


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
    """What can be chosen about learning and results; `method` and `pretext` are the usual choices."""

    methods: tuple[str, ...]
    method: str
    pretexts: tuple[str, ...]
    pretext: str
    efforts: tuple[Effort, ...]
    formats: tuple[str, ...]


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

    @property
    def label_schema(self) -> Mapping[str, Any]:
        """The label schema as in the API."""
        return {"segments": [asdict(each) for each in self.segments], "mirror_axes": list(self.mirror_axes)}


@dataclass(frozen=True)
class KnownProject:
    """A project that was opened there before; `problem` says why it cannot be now, if its folder tells."""

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
    """One version of what a person stands behind; `notes` on how its file was read come when it is saved."""

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
    restored_from: int | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class UncertainRegion:
    """A part of a proposal that deserves a look, in voxels of the case.

    Attributes:
        box: first voxel and the voxel after the last, each (z, y, x).
        centre: the voxel (z, y, x) to show first.
        share: part of the proposal's whole uncertainty in the box, 0 .. 1.
    """

    box: tuple[int, ...]
    centre: tuple[int, int, int]
    share: float


@dataclass(frozen=True)
class PseudoLabel:
    """What a model proposes for a case; `worst_slice` is an index along z.

    `regions` are the places to look at, the most uncertain first.
    """

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
    regions: tuple[UncertainRegion, ...] = ()


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
class Suggestion:
    """The case to work on next and the reason, for a person; no case when nothing is left to do.

    `why` is 'typical', 'unlike', 'uncertain', 'next' or 'done'.
    """

    case: CaseSummary | None
    reason: str
    why: str


@dataclass(frozen=True)
class Event:
    """What a job reported: `progress`, `metric`, `log`, `row` or `state`; the fields of others are empty.

    Attributes:
        number: of the event in its job, from 1.
        time: seconds since 1970-01-01 UTC.
        left_s: estimated seconds to the end of the stage.
        name: of the curve of a metric, or of the scan or case of a row.
        state: of the job; or of a row: 'done', 'skipped', 'failed' or 'unfit'.
        code: of a failed job: the kind of its error, as `EngineError.code`; '' when unknown.
        volumes_ml: of a row, by segment.
        uncertainty: of a row, 0 for certain, 1 for uncertain.
        worst_slice: of a row, an index along z.
        source: of a row: the file or folder of the scan.
        output: of a row: the segmentation, below the job's output folder.
        note: of a row: why it failed, or what a person should know.
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
    code: str = ""
    volumes_ml: Mapping[str, float] = field(default_factory=dict)
    uncertainty: float | None = None
    worst_slice: int | None = None
    source: str = ""
    output: str = ""
    note: str = ""


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
class ModelFact:
    """One line of a comparison of models: what it is about, and what each model's card says."""

    name: str
    values: tuple[str, ...]
    differs: bool


@dataclass(frozen=True)
class ModelChannels:
    """By which `rules` the series of a study become a model's channels; `own` is False for the usual ones.

    `rules` holds for each channel conditions as in the API; the first that some series meets counts.
    """

    channels: tuple[str, ...]
    rules: Mapping[str, Any]
    own: bool


@dataclass(frozen=True)
class Grid:
    """Where voxels lie, in LPS millimetres, ordered x, y, z."""

    size: tuple[int, ...]
    spacing_mm: tuple[float, ...]
    origin_mm: tuple[float, ...]
    direction: tuple[float, ...]


@dataclass(frozen=True)
class Upload:
    """A file that arrived; other requests name it by `path`. An archive or a DICOM image has no grid."""

    id: str
    path: str
    size_bytes: int
    sha256: str
    grid: Grid | None


@dataclass(frozen=True)
class ResultFolder:
    """A folder on the engine's computer for uploads or results; it goes like an upload, by its `id`."""

    id: str
    path: str


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
