"""What the service says about projects, jobs, models and itself, and what it is asked.

Records of `medssl.project` are answers already; here is what they lack, and the bodies of requests.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from medssl.events import Event, Progress
from medssl.imaging.formats import LabelFormat
from medssl.imaging.volume import Grid
from medssl.jobs import Request, Result, SeenState
from medssl.jobs.effort import Effort
from medssl.labels import LabelSchema
from medssl.learning.card import ModelCard
from medssl.learning.settings import MethodName, PretextName, PretrainingSettings, TrainingSettings
from medssl.project import CaseSummary, Role

LARGEST_ID = 2**63 - 1  # of SQLite
Number: TypeAlias = Annotated[int, Field(ge=0, le=LARGEST_ID)]
Seconds: TypeAlias = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=255)]
SeenVersion: TypeAlias = Annotated[
    Number | None,
    Field(
        description="Refuse when another version of the annotation than this one counts by now; 0 means none."
    ),
]
Author: TypeAlias = Annotated[str, Field(max_length=255)]


class _View(BaseModel):
    model_config = ConfigDict(frozen=True)


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class HealthView(_View):
    """That MedSSL is here, which one, and whether it is the one that is looked for."""

    product: Literal["medssl"] = "medssl"
    version: str = Field(examples=["0.1.0"])
    api: int = Field(examples=[1])
    instance: str = Field(description="New at every start.", examples=["5e0c7f0b7a5d4f57"])
    proof: str = Field(
        description="HMAC-SHA256 with the token as key, in hexadecimal digits, of `medssl INSTANCE PORT "
        "CHALLENGE`: who sends the token only after checking this, sends it to nobody else."
    )


class ServiceView(_View):
    """The service itself."""

    version: str
    api: int
    instance: str
    process_id: int
    started: datetime
    host_name: str
    roots: tuple[Path, ...] = Field(description="Folders that paths in requests may lie in.")
    max_upload_bytes: int
    idle_end_s: float | None = Field(description="Seconds without job and client until it ends by itself.")
    working: bool = Field(description="Whether a job runs or waits.")


class GpuView(_View):
    """A GPU as its driver describes it."""

    name: str
    driver: str
    memory_free_bytes: int
    memory_total_bytes: int


class DeviceView(_View):
    """What the computer of the engine has at this moment."""

    cores: int
    memory_free_bytes: int
    memory_total_bytes: int
    disk_free_bytes: int = Field(description="Where the first allowed folder is.")
    gpus: tuple[GpuView, ...]


class EffortView(_View):
    """One of a few words for how long to learn, and the settings that it stands for."""

    name: Effort
    train: TrainingSettings = Field(description="Of a training from the start.")
    refine: TrainingSettings = Field(description="Of one that goes on from a model.")
    pretrain: PretrainingSettings


class OptionsView(_View):
    """What can be chosen about learning and results; `method` and `pretext` are the usual choices."""

    methods: tuple[MethodName, ...]
    method: MethodName
    pretexts: tuple[PretextName, ...]
    pretext: PretextName
    efforts: tuple[EffortView, ...]
    formats: tuple[LabelFormat, ...] = Field(description="Of segmentations, the usual one first.")


class ProjectView(_View):
    """A project."""

    key: str = Field(description="Stands for the project in addresses.", examples=["0f3a5be1c2d4e697"])
    name: str
    folder: Path
    channel_names: tuple[str, ...]
    label_schema: LabelSchema
    cases: int
    annotated: int
    proposed: int


class KnownProject(_View):
    """A project that was opened here before; `problem` says why it cannot be now, if its folder tells."""

    key: str
    folder: Path
    name: str = ""
    problem: str = ""


class NewProject(_Body):
    """A project to make, in `folder`, or in a folder called `name` in the first allowed folder."""

    name: Name
    label_schema: LabelSchema
    channel_names: tuple[Name, ...] = ("image",)
    folder: Path | None = None


class ProjectFolder(_Body):
    """The folder of a project to open."""

    folder: Path


class SchemaChange(LabelSchema):
    """A label schema that is to take the place of the project's."""

    seen: LabelSchema | None = Field(
        default=None, description="Refuse when the project has another label schema than this one by now."
    )


class CasePage(_View):
    """One page of the table of cases, and how many there are on all pages."""

    total: int
    cases: tuple[CaseSummary, ...]


class NewCase(_Body):
    """A scan to add: one image a channel, each a path in an allowed folder or of an upload."""

    name: Name
    channels: Annotated[tuple[Path, ...], Field(min_length=1, max_length=64)]
    copy_files: bool = Field(
        default=False, description="Copy the images into the project; always done with uploads."
    )
    role: Role = "training"
    must_be_scan: bool = Field(
        default=False, description="Refuse what holds labels; for files that were found, not named."
    )


class RoleChange(_Body):
    """What a case is for from now on."""

    role: Role


class NewAnnotation(_Body):
    """A label map that a person drew: a path in an allowed folder or of an upload."""

    labels: Path
    author: Author = ""
    seconds: Seconds | None = Field(default=None, description="Time the person spent.")
    seen_version: SeenVersion = None


class Restoration(_Body):
    """Who lets an older version of an annotation count again."""

    author: Author = ""
    seconds: Seconds | None = None


class Decision(_Body):
    """A decision on a proposal; `pseudo_label_id` is the one the person saw, and no newer one."""

    pseudo_label_id: Number
    author: Author = ""
    seconds: Seconds | None = None
    seen_version: SeenVersion = None


class Correction(Decision):
    """A decision with the corrected label map: a path in an allowed folder or of an upload."""

    labels: Path


class Undoing(_Body):
    """What the person saw of the case whose last step is taken back."""

    seen_version: SeenVersion = None


class JobView(_View):
    """A job: what was asked, how far it is, and what came out."""

    id: str
    project: str = Field(description="Key of its project.")
    kind: str
    state: SeenState
    created: datetime
    started: datetime | None
    ended: datetime | None
    error: str
    remedy: str
    folder: Path
    progress: Progress | None = Field(default=None, description="The last one, while it runs.")
    request: Request | None = Field(default=None, description="None when another version made it.")
    result: Result | None = None


class JobPage(_View):
    """One page of jobs, the newest first, and how many there are on all pages."""

    total: int
    jobs: tuple[JobView, ...]


class NumberedEvent(_View):
    """An event with its number in its job, from 1 on."""

    number: int
    event: Event


class EventPage(_View):
    """The events of a job after a number; `state` is the job's own, at the moment of asking."""

    state: SeenState
    events: tuple[NumberedEvent, ...]


class ModelView(_View):
    """A model: what the project knows, and its card, or why that cannot be read."""

    id: str
    name: str
    method: str
    created: datetime
    folder: Path
    can_segment: bool = Field(description="False for one that was only pretrained, to train from.")
    size_bytes: int
    card: ModelCard | None
    problem: str = ""


class UploadView(_View):
    """An uploaded file; other requests name it by `path`."""

    id: str
    path: Path
    size_bytes: int
    sha256: str
    grid: Grid | None = Field(description="None for an archive or a DICOM image.")


class ResultFolder(_View):
    """A folder on the engine's computer for results; other requests name it by `path`."""

    id: str
    path: Path


class FolderEntry(_View):
    """A file or a folder inside an allowed folder; `is_project` marks a folder that can be opened."""

    name: str
    path: Path
    is_folder: bool
    is_project: bool
    size_bytes: int


class FolderView(_View):
    """What is in a folder; without `folder`, the allowed folders themselves."""

    folder: Path | None
    entries: tuple[FolderEntry, ...]
    complete: bool = Field(description="False when there are more entries than are listed.")


class Done(_View):
    """That something was done which gives nothing back."""

    done: Literal[True] = True
