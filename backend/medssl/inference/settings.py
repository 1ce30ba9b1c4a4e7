"""How a folder is segmented."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from medssl.imaging.formats import LabelFormat, SeriesNames
from medssl.inference.channels import ChannelRules
from medssl.learning.settings import DeviceName


class FolderSettings(BaseModel):
    """How a folder is segmented."""

    model_config = ConfigDict(frozen=True)

    format: LabelFormat = "seg.nrrd"
    recursive: bool = True
    skip_done: bool = True
    device: DeviceName = "auto"
    names: SeriesNames = Field(
        default="neutral", description="What is made from a DICOM series is called by this."
    )
    any_series: bool = Field(
        default=False, description="Also segment DICOM series unlike the scans that the model learned from."
    )
    channels: ChannelRules | None = Field(
        default=None, description="Which DICOM series is which channel; by the channels' names when None."
    )
    fractional: bool = Field(default=False, description="DICOM: keep each segment's probability.")
    measurements: bool = Field(default=False, description="DICOM: also write the volumes as a report.")
