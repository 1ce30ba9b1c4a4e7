"""The plan: what is derived from the data before training, written down once and kept with the model."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from medssl.labels import LabelSchema
from medssl.words import counted

Triple: TypeAlias = tuple[int, int, int]
HeadName: TypeAlias = Literal["segmentation", "level_set", "projection"]
PLAN_FORMAT: Final = 1

_Count: TypeAlias = Annotated[int, Field(ge=1)]
_Step: TypeAlias = Annotated[int, Field(ge=1, le=2)]
_Length: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Intensity: TypeAlias = Annotated[float, Field(allow_inf_nan=False)]


class Normalisation(BaseModel):
    """How the intensities of one channel become numbers near 0 with a spread near 1.

    `percentile` (MR and the rest): each scan by its own robust range, so that an outlier changes nothing.
    `window` (CT, whose units mean the same in every scan): clip to [low, high], subtract mean, divide by std.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["percentile", "window"]
    low: _Intensity = Field(description="Percentile (0..100), or intensity for 'window', to clip at.")
    high: _Intensity
    mean: _Intensity = 0.0
    std: _Length = 1.0

    @model_validator(mode="after")
    def _in_order(self) -> Normalisation:
        if self.low > self.high:
            raise ValueError(f"low is {self.low:g}, which is more than high, {self.high:g}")
        if self.kind == "percentile" and not 0 <= self.low < self.high <= 100:
            raise ValueError("low and high are percentiles, between 0 and 100 and not the same")
        return self


class NetworkShape(BaseModel):
    """The encoder and decoder: one entry a level, fine to coarse.

    `strides[0]` is always (1, 1, 1); the others are 1 or 2 along z, y, x, so that levels halve the fine axes
    of an anisotropic scan first.
    """

    model_config = ConfigDict(frozen=True)

    channels: _Count
    classes: Annotated[int, Field(ge=2)]
    features: Annotated[tuple[_Count, ...], Field(min_length=2)]
    strides: tuple[tuple[_Step, _Step, _Step], ...]
    kernels: tuple[tuple[_Count, _Count, _Count], ...]
    convolutions: tuple[_Count, ...] = Field(
        description="Convolutions of a level, in encoder and decoder alike."
    )

    @model_validator(mode="after")
    def _one_entry_a_level(self) -> NetworkShape:
        for name in ("strides", "kernels", "convolutions"):
            found: tuple[object, ...] = getattr(self, name)
            if len(found) != len(self.features):
                raise ValueError(
                    f"{name} has {counted(len(found), 'entry', 'entries')} and features has "
                    f"{len(self.features)}: each has one for each level"
                )
        if self.strides[0] != (1, 1, 1):
            raise ValueError("the first of the strides is always [1, 1, 1]")
        for level, kernel in enumerate(self.kernels):
            if any(side % 2 == 0 for side in kernel):
                raise ValueError(f"kernels.{level} is {_by(kernel)}, but only odd sides have a middle")
        return self

    @property
    def divisor(self) -> Triple:
        """What patch sides must be multiples of, (z, y, x)."""
        z, y, x = (1, 1, 1)
        for stride in self.strides:
            z, y, x = z * stride[0], y * stride[1], x * stride[2]
        return z, y, x


class Plan(BaseModel):
    """What training, inference and a reader need to know about how the data is seen.

    All triples are (z, y, x) in canonical orientation: axes along up-down, front-back and left-right
    (see `medssl.imaging.canonical`).
    """

    model_config = ConfigDict(frozen=True)

    format: Literal[1] = PLAN_FORMAT
    label_schema: LabelSchema
    channel_names: tuple[str, ...]
    spacing_mm: tuple[_Length, _Length, _Length]
    normalisation: tuple[Normalisation, ...]
    patch_size: tuple[_Count, _Count, _Count]
    batch_size: _Count
    network: NetworkShape
    level_set_mm: tuple[_Length, ...] = Field(
        description="Distance at which the level set of each foreground class saturates, in mm."
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Plan:
        channels, segments = len(self.channel_names), len(self.label_schema.segments)
        if self.network.channels != channels:
            raise ValueError(
                f"network.channels is {self.network.channels}, but there "
                f"{'is' if channels == 1 else 'are'} {counted(channels, 'channel')} in channel_names"
            )
        if self.network.classes != segments + 1:
            raise ValueError(
                f"network.classes is {self.network.classes}, but {counted(segments, 'segment')} and the "
                f"background make {segments + 1}"
            )
        self._check_length("normalisation", channels, "channel")
        self._check_length("level_set_mm", segments, "segment")
        divisor = self.network.divisor
        if any(side % step for side, step in zip(self.patch_size, divisor, strict=True)):
            raise ValueError(
                f"patch_size is {_by(self.patch_size)}, but the strides want multiples of {_by(divisor)}"
            )
        return self

    def _check_length(self, name: str, wanted: int, what: str) -> None:
        found = len(getattr(self, name))
        if found != wanted:
            raise ValueError(
                f"{name} has {counted(found, 'entry', 'entries')}, and one is needed for each of "
                f"{counted(wanted, what)}"
            )

    @property
    def coarsest_side(self) -> int:
        """The shortest side, in voxels, of a patch's features at the coarsest level."""
        sides = zip(self.patch_size, self.network.divisor, strict=True)
        return min(side // divisor for side, divisor in sides)


def _by(sides: Triple) -> str:
    return " x ".join(map(str, sides))
