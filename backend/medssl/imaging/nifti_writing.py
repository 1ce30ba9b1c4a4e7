"""Writing NIfTI with exactly the affine of the scan; ITK's own writer rounds it in a way of its own.

Source: NIfTI-1 data format, nifti1.h (https://nifti.nimh.nih.gov/nifti-1).
"""

from __future__ import annotations

import gzip
import math
import struct
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from medssl.errors import ImageError
from medssl.imaging.volume import Grid, Volume

_DATA_FROM = 352  # the header, and four bytes that say that nothing follows it
_LARGEST_SIDE = 32767
_MILLIMETRES = 2
_SCANNER = 1  # the code of an affine that leads to the scanner's coordinates
_TYPE_CODES = {
    "uint8": 2, "int16": 4, "int32": 8, "float32": 16, "float64": 64, "int8": 256, "uint16": 512,
    "uint32": 768, "int64": 1024, "uint64": 1280,
}  # fmt: skip


def write_nifti(path: Path, volume: Volume) -> None:
    """Write a volume as NIfTI-1, packed when the name ends in `.gz`.

    Both forms of the affine are written; the sform holds the grid's matrix rounded to 32 bits.

    Raises:
        ImageError: a type or a size that NIfTI-1 has no place for.
        OSError: as the operating system says.
    """
    header = _header(volume, path)
    with ExitStack() as stack:
        plain = stack.enter_context(path.open("wb"))
        target: BinaryIO | gzip.GzipFile = plain
        if path.name.lower().endswith(".gz"):
            # No time and no name inside: the same volume gives the same bytes.
            target = stack.enter_context(gzip.GzipFile("", "wb", compresslevel=4, fileobj=plain, mtime=0))
        target.write(header)
        for plane in volume.array:
            target.write(np.ascontiguousarray(plane, dtype=plane.dtype.newbyteorder("<")).data)


def _header(volume: Volume, path: Path) -> bytes:
    code = _TYPE_CODES.get(volume.array.dtype.name)
    size = volume.grid.size
    if code is None or max(size) > _LARGEST_SIDE:
        raise ImageError(
            f"{path} cannot hold {volume.array.dtype} voxels in a size of {' x '.join(map(str, size))}.",
            "Write it as NRRD.",
        )
    matrix = volume.grid.matrix
    matrix[:2] *= -1  # NIfTI's x and y run to the right and the front (RAS), ours to the left and back
    quaternion, handedness = _quaternion(volume.grid)
    header = bytearray(_DATA_FROM)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, *size, 1, 1, 1, 1)
    struct.pack_into("<2h", header, 70, code, volume.array.dtype.itemsize * 8)
    struct.pack_into("<8f", header, 76, handedness, *volume.grid.spacing_mm, 0, 0, 0, 0)
    struct.pack_into("<3f", header, 108, _DATA_FROM, 1, 0)  # then slope and intercept
    header[123] = _MILLIMETRES
    struct.pack_into("<2h", header, 252, _SCANNER, _SCANNER)
    struct.pack_into("<6f", header, 256, *quaternion, *matrix[:3, 3])
    struct.pack_into("<12f", header, 280, *matrix[:3].ravel())
    header[344:348] = b"n+1\0"
    return bytes(header)


def _quaternion(grid: Grid) -> tuple[tuple[float, float, float], float]:
    """Return b, c, d of the rotation's unit quaternion (a >= 0) and the handedness, as in nifti1.h."""
    turn: NDArray[np.float64] = np.array(grid.direction).reshape(3, 3)
    turn = np.diag([-1.0, -1.0, 1.0]) @ turn
    handedness = 1.0 if np.linalg.det(turn) > 0 else -1.0
    turn = turn * np.array([1.0, 1.0, handedness])
    # The largest eigenvector of Bar-Itzhack's matrix is the quaternion nearest to a matrix that is almost a
    # rotation; no case needs to be told apart (Journal of Guidance 23(6), 2000).
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = turn.tolist()
    nearness = np.array(
        [
            [xx + yy + zz, zy - yz, xz - zx, yx - xy],
            [zy - yz, xx - yy - zz, xy + yx, xz + zx],
            [xz - zx, xy + yx, yy - xx - zz, yz + zy],
            [yx - xy, xz + zx, yz + zy, zz - xx - yy],
        ]
    )
    a, b, c, d = np.linalg.eigh(nearness)[1][:, -1].tolist()
    sign = math.copysign(1.0, a)
    return (b * sign, c * sign, d * sign), handedness
