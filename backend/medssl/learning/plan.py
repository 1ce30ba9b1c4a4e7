"""The plan: what is derived from the data before training, written down once and kept with the model."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from medssl.labels import LabelSchema

Triple: TypeAlias = tuple[int, int, int]
HeadName: TypeAlias = Literal["segmentation", "level_set", "projection"]
PLAN_FORMAT: Final = 1


class Normalisation(BaseModel):
    """How the intensities of one channel become numbers near 0 with a spread near 1.

    `percentile` (MR and the rest): each scan by its own robust range, so that an outlier changes nothing.
    `window` (CT, whose units mean the same in every scan): clip to [low, high], subtract mean, divide by std.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["percentile", "window"]
    low: float = Field(description="Percentile (0..100), or intensity for 'window', to clip at.")
    high: float
    mean: float = 0.0
    std: Annotated[float, Field(gt=0)] = 1.0


class NetworkShape(BaseModel):
    """The encoder and decoder: one entry a level, fine to coarse.

    `strides[0]` is always (1, 1, 1); the others are 1 or 2 along z, y, x, so that levels halve the fine axes
    of an anisotropic scan first.
    """

    model_config = ConfigDict(frozen=True)

    channels: Annotated[int, Field(ge=1)]
    classes: Annotated[int, Field(ge=2)]
    features: tuple[int, ...]
    strides: tuple[Triple, ...]
    kernels: tuple[Triple, ...]
    convolutions: tuple[int, ...] = Field(
        description="Convolutions of a level, in encoder and decoder alike."
    )

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
    spacing_mm: tuple[float, float, float]
    normalisation: tuple[Normalisation, ...]
    patch_size: Triple
    batch_size: Annotated[int, Field(ge=1)]
    network: NetworkShape
    level_set_mm: tuple[float, ...] = Field(
        description="Distance at which the level set of each foreground class saturates, in mm."
    )

    @property
    def coarsest_side(self) -> int:
        """The shortest side, in voxels, of a patch's features at the coarsest level."""
        sides = zip(self.patch_size, self.network.divisor, strict=True)
        return min(side // divisor for side, divisor in sides)
