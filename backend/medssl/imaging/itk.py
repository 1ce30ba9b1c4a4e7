"""Between SimpleITK's images and the volumes of MedSSL."""

from __future__ import annotations

from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from medssl.imaging.volume import Grid

# ITK writes its warnings to the terminal, where they help nobody; what matters is checked and said by us.
sitk.ProcessObject.SetGlobalWarningDisplay(False)


class _Buffer:
    """Keeps an image alive as long as an array looks at its voxels."""

    def __init__(self, image: sitk.Image) -> None:
        self.image = image
        view = sitk.GetArrayViewFromImage(image)
        # Only this object holds the image, so that writing into its voxels surprises nobody.
        address = view.__array_interface__["data"][0]
        self.__array_interface__ = {**view.__array_interface__, "data": (address, False)}


def array_of(image: sitk.Image) -> NDArray[Any]:
    """Return an image's voxels as an array (z, y, x) or (z, y, x, components), without copying them.

    The image must not be used by the caller afterwards: the array may be written to.
    """
    if image.GetNumberOfPixels() == 0:
        return sitk.GetArrayFromImage(image)
    return np.asarray(_Buffer(image))


def image_of(array: NDArray[Any], grid: Grid) -> sitk.Image:
    """Make an image from an array (z, y, x) and a grid. The voxels are copied once."""
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    image = sitk.GetImageFromArray(native, isVector=False)
    image.SetSpacing(grid.spacing_mm)
    image.SetOrigin(grid.origin_mm)
    image.SetDirection(grid.direction)
    return image


def grid_of(header: sitk.ImageFileReader) -> Grid:
    """Return the grid of a header that has been read, without axes beyond the third."""
    # SimpleITK's own hints leave these out.
    size: tuple[int, ...] = header.GetSize()
    spacing: tuple[float, ...] = header.GetSpacing()
    origin: tuple[float, ...] = header.GetOrigin()
    cosines: tuple[float, ...] = header.GetDirection()
    direction = np.array(cosines, np.float64).reshape(len(size), len(size))[:3, :3]
    # MetaImage files may hold negative spacings: the axis then runs the other way.
    direction = direction * np.where(np.array(spacing[:3]) < 0, -1.0, 1.0)
    return Grid(
        size=(size[0], size[1], size[2]),
        spacing_mm=(abs(spacing[0]), abs(spacing[1]), abs(spacing[2])),
        origin_mm=(origin[0], origin[1], origin[2]),
        direction=tuple(direction.ravel().tolist()),
    )
