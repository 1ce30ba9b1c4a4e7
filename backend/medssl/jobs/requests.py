"""What can be asked of the engine: one frozen model a kind of job, the same for every way in.

The command line, the Python API, the HTTP API and the panel build these objects; a job's folder keeps the one
it was started with, so that the job can be resumed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from medssl.evaluation.benchmark.settings import BenchmarkSettings
from medssl.exchange.formats import DatasetFormat, ModelFormat
from medssl.imaging.formats import LabelFormat, SeriesNames
from medssl.inference.channels import ChannelRules
from medssl.learning.settings import DeviceName, PretrainingSettings, TrainingSettings
from medssl.project import LATEST, Role


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ImportRequest(_Request):
    """Bring the cases of a folder, or of a MITK Segmentation Task List (`.json`), into the project.

    Of a Decathlon- or nnU-Net-style data set, or of a task list, the labels of the first `annotated` labelled
    cases (all when None) become annotations; the other cases come as unlabelled. The last `leave_out`
    labelled cases stay outside; the `validation` ones before those get the role validation, with their
    labels. Of any other folder, every scan becomes a case without labels; label maps, results of earlier runs
    and projects in it are passed over. A case that is there already stays as it is, but gets its files
    again if they are gone.
    """

    kind: Literal["import"] = "import"
    folder: Path
    role: Role = Field(default="training", description="Of all new cases but the `validation` ones.")
    annotated: Annotated[int, Field(ge=0)] | None = None
    validation: Annotated[int, Field(ge=0)] = 0
    leave_out: Annotated[int, Field(ge=0)] = 0
    copy_files: bool = Field(
        default=False, description="Copy the scans into the project instead of pointing at them."
    )


class SampleRequest(_Request):
    """Make scans by a formula and bring them into the project, to try things out without any data.

    They need the segments of the template `made-up-kidney`. The first `annotated` ones come with their true
    segmentation, and so do the last `validation` ones, which get that role.
    """

    kind: Literal["sample"] = "sample"
    cases: Annotated[int, Field(ge=1, le=1000)] = 12
    annotated: Annotated[int, Field(ge=0)] = 2
    validation: Annotated[int, Field(ge=0)] = 2
    seed: Annotated[int, Field(ge=0, le=20_000)] = 0

    @model_validator(mode="after")
    def _enough(self) -> SampleRequest:
        if self.annotated + self.validation > self.cases:
            raise ValueError("More scans are to be annotated or for validation than there are to be.")
        return self


class TrainRequest(_Request):
    """Train a model on the project's annotated and, where the method can, unlabelled cases.

    With `start_from` the training begins with that model. From a model that can segment and with the settings
    that `medssl.jobs.effort` gives for refining, this is what 'Refine' after a review means; from a
    pretrained one, what is new in the network learns first.
    """

    kind: Literal["train"] = "train"
    settings: TrainingSettings
    name: str = Field(default="", description="Of the model, for people; the method's title when empty.")
    start_from: str | None = Field(
        default=None,
        description="A model of the project: its id, or 'latest' for the newest that can segment. One from "
        "elsewhere is imported first.",
    )
    adapt_channels: bool = Field(
        default=False,
        description="Begin with a model of other channels as well, its first convolution adapted.",
    )


class PretrainRequest(_Request):
    """Let an encoder learn what scans look like, without any annotation, for trainings to begin with.

    It looks at the project's training cases, annotated or not, or at every scan of the folder `scans`. The
    model belongs to the project either way; it cannot segment yet.
    """

    kind: Literal["pretrain"] = "pretrain"
    settings: PretrainingSettings
    name: str = Field(default="", description="Of the model, for people; the task's title when empty.")
    scans: Path | None = Field(default=None, description="A folder, searched with all folders in it.")


class ProposeRequest(_Request):
    """Let a model propose a segmentation for cases nobody annotated, and rank them by uncertainty."""

    kind: Literal["propose"] = "propose"
    model: str = LATEST
    cases: tuple[str, ...] = Field(
        default=(), description="Names; empty means every case without an annotation."
    )
    device: DeviceName = "auto"


class PredictRequest(_Request):
    """Segment scans outside the project: files, folders of files, or DICOM trees."""

    kind: Literal["predict"] = "predict"
    inputs: Annotated[tuple[Path, ...], Field(min_length=1)]
    output: Path
    model: str = LATEST
    format: LabelFormat = "seg.nrrd"
    recursive: bool = True
    skip_done: bool = True
    device: DeviceName = "auto"
    names: SeriesNames = Field(
        default="neutral",
        description="What is made from a DICOM series is called by this: 'neutral' tells nothing of the "
        "patient, 'folders' and 'patient-id' may.",
    )
    any_series: bool = Field(
        default=False, description="Also segment DICOM series unlike the scans that the model learned from."
    )
    channels: ChannelRules | None = Field(
        default=None,
        description="Which DICOM series of a study is which channel: for each channel conditions on the "
        "series. None takes the rules beside the model, or else the channels' names.",
    )
    fractional: bool = Field(
        default=False, description="As dicom-seg: keep the probability of each segment at every voxel."
    )
    measurements: bool = Field(
        default=False, description="As dicom-seg: also write the volumes as a structured report (TID 1500)."
    )


class EvaluateRequest(_Request):
    """Score segmentations against what a person drew, and write a report and a CSV into `output`.

    Either a model on the project's annotated cases of one role, or a folder of predictions against a folder
    of references with the same names.
    """

    kind: Literal["evaluate"] = "evaluate"
    output: Path
    model: str = LATEST
    role: Literal["training", "validation"] = "validation"
    predictions: Path | None = None
    references: Path | None = None
    scans: Path | None = Field(
        default=None,
        description="Folder of the scans of two folders: for the previews, and to compare on their grids.",
    )
    device: DeviceName = "auto"

    @model_validator(mode="after")
    def _both_folders(self) -> EvaluateRequest:
        if (self.predictions is None) != (self.references is None):
            raise ValueError("Predictions and references belong together: give both folders or none.")
        return self


class BenchmarkRequest(_Request):
    """Measure what methods make of few annotated cases of a dataset, and write tables and a plot.

    The project only holds the job; its own cases and models are not touched.
    """

    kind: Literal["benchmark"] = "benchmark"
    settings: BenchmarkSettings
    output: Path = Field(description="A folder that is new, empty, or an earlier benchmark's to go on with.")


class ExportModelRequest(_Request):
    """Write a model for others: a plain zip, a MONAI bundle (a folder, or a zip of it) or an ONNX file."""

    kind: Literal["export_model"] = "export_model"
    output: Path = Field(description="The file or the bundle's folder; nothing may be there.")
    model: str = LATEST
    format: ModelFormat = "zip"
    licence: str = Field(default="", description="Under which others may use it, such as 'CC-BY-4.0'.")
    intended_use: str = ""
    limits: str = Field(default="", description="What it was not tested on or is known to do badly.")


class ImportModelRequest(_Request):
    """Bring a model into the project that MedSSL exported elsewhere; it is checked, and nothing is run."""

    kind: Literal["import_model"] = "import_model"
    path: Path
    name: str = Field(default="", description="For people; the one on its card when empty.")


class ExportProjectRequest(_Request):
    """Write the cases and annotations as a data set that nnU-Net or the Decathlon's readers understand."""

    kind: Literal["export_project"] = "export_project"
    output: Path = Field(description="A folder that is empty or does not exist.")
    format: DatasetFormat = "nnunet"


Request: TypeAlias = Annotated[
    ImportRequest
    | SampleRequest
    | TrainRequest
    | PretrainRequest
    | ProposeRequest
    | PredictRequest
    | EvaluateRequest
    | BenchmarkRequest
    | ExportModelRequest
    | ImportModelRequest
    | ExportProjectRequest,
    Field(discriminator="kind"),
]
REQUEST: TypeAdapter[Request] = TypeAdapter(Request)
