"""What ITK does not tell about a NIfTI file: whether all of it is there, and its exact affine.

Source: NIfTI-1 data format, nifti1.h (https://nifti.nimh.nih.gov/nifti-1).
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medssl.imaging.volume import Grid

_HEADER_BYTES = 348
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class NiftiHeader:
    """The part of a NIfTI-1 header that is looked at here.

    Attributes:
        size: the voxels along each axis, as many as the header says there are axes.
        data_end: the number of bytes the (unpacked) file must have at least.
        sform: 4 x 4, from index (x, y, z, 1) to LPS millimetres; None when the file has no sform.
    """

    size: tuple[int, ...]
    data_end: int
    sform: NDArray[np.float64] | None


def read_nifti_header(path: Path) -> NiftiHeader | None:
    """Read a NIfTI-1 header; None when the file holds something else (NIfTI-2, Analyze, not an image).

    Raises:
        EOFError, OSError, zlib.error: the file ends inside its header, or cannot be unpacked.
    """
    with path.open("rb") as plain:
        packed = plain.read(2) == b"\x1f\x8b"
        plain.seek(0)
        header = gzip.GzipFile(fileobj=plain).read(_HEADER_BYTES) if packed else plain.read(_HEADER_BYTES)
    if len(header) < _HEADER_BYTES or header[344:348] != b"n+1\0":
        return None
    order = next((o for o in "<>" if struct.unpack_from(o + "i", header)[0] == _HEADER_BYTES), None)
    if order is None:
        return None
    dimensions = struct.unpack_from(order + "8h", header, 40)
    size = dimensions[1 : 1 + max(0, min(dimensions[0], 7))]
    (bits,) = struct.unpack_from(order + "h", header, 72)
    (offset,) = struct.unpack_from(order + "f", header, 108)
    data_end = int(offset) + math.prod(max(0, n) for n in size) * bits // 8
    sform = None
    if struct.unpack_from(order + "h", header, 254)[0] > 0:
        sform = np.eye(4)
        sform[:3] = np.array(struct.unpack_from(order + "12f", header, 280), dtype=float).reshape(3, 4)
        sform[:2] *= -1  # NIfTI's x and y run to the right and the front (RAS), ours to the left and back
    return NiftiHeader(size=tuple(size), data_end=data_end, sform=sform)


def is_complete(path: Path, header: NiftiHeader) -> bool:
    """Whether all voxels are there. ITK fills the voxels of a truncated NIfTI file with zeros in silence."""
    stored = path.stat().st_size
    with path.open("rb") as plain:
        if plain.read(2) != b"\x1f\x8b":
            return stored >= header.data_end
        # A gzip file ends in its unpacked length; a truncated one in four bytes that mean nothing.
        plain.seek(-4, 2)
        if struct.unpack("<I", plain.read(4))[0] == header.data_end % (1 << 32):
            return True
        # Padded files and files of several gzip members are rare, so that unpacking them twice is no matter.
        plain.seek(0)
        unpacked = 0
        try:
            with gzip.GzipFile(fileobj=plain) as whole:
                while unpacked < header.data_end and (chunk := whole.read(_CHUNK_BYTES)):
                    unpacked += len(chunk)
        except (EOFError, OSError, zlib.error):
            return False
        return unpacked >= header.data_end


def exact_grid(grid: Grid, sform: NDArray[np.float64]) -> Grid:
    """Return the grid whose matrix is exactly `sform`, when that means the same as ITK's `grid`.

    ITK puts the grid together from rounded 32-bit numbers; this one writes the very same affine back.
    """
    spacing = np.linalg.norm(sform[:3, :3], axis=0)
    if not (np.isfinite(sform).all() and (spacing > 0).all()):
        return grid
    direction = sform[:3, :3] / spacing
    x, y, z = spacing.tolist()
    origin_x, origin_y, origin_z = sform[:3, 3].tolist()
    exact = Grid(grid.size, (x, y, z), (origin_x, origin_y, origin_z), tuple(direction.ravel().tolist()))
    return exact if exact.agrees_with(grid) else grid
