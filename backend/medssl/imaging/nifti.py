"""What ITK does not tell about a NIfTI file: whether all of it is there, its exact affine, and NaN.

Source: NIfTI-1 data format, nifti1.h (https://nifti.nimh.nih.gov/nifti-1).
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from medssl.imaging.volume import Grid

NIFTI_HEADER_BYTES = 348
_CHUNK_BYTES = 1 << 20
_GZIP = b"\x1f\x8b"
_TYPES = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8",
}  # fmt: skip


@dataclass(frozen=True)
class NiftiHeader:
    """The part of a NIfTI-1 header that is looked at here.

    Attributes:
        size: the voxels along each axis, as many as the header says there are axes.
        byte_order: `<` or `>`.
        type_code: what a voxel is.
        data_start, data_end: where the voxels lie in the (unpacked) file, in bytes.
        slope, intercept: what turns the stored numbers into intensities; slope 0 means as they are.
        sform: 4 x 4, from index (x, y, z, 1) to LPS millimetres; None when the file has no sform.
    """

    size: tuple[int, ...]
    byte_order: Literal["<", ">"]
    type_code: int
    data_start: int
    data_end: int
    slope: float
    intercept: float
    sform: NDArray[np.float64] | None


def read_nifti_header(path: Path) -> NiftiHeader | None:
    """Read a NIfTI-1 header; None when the file holds something else (NIfTI-2, Analyze, not an image).

    Raises:
        EOFError, OSError, zlib.error: the file ends inside its header, or cannot be unpacked.
    """
    with _unpacked(path) as file:
        header = file.read(NIFTI_HEADER_BYTES)
    if len(header) < NIFTI_HEADER_BYTES:
        raise EOFError(f"{path} ends inside its header")
    if header[344:348] != b"n+1\0":
        return None
    # The header begins with its own length; read the wrong way round, that is another number.
    order: Literal["<", ">"] = "<" if struct.unpack_from("<i", header)[0] == NIFTI_HEADER_BYTES else ">"
    dimensions = struct.unpack_from(order + "8h", header, 40)
    size = dimensions[1 : 1 + max(0, min(dimensions[0], 7))]
    type_code, bits = struct.unpack_from(order + "2h", header, 70)
    start, slope, intercept = struct.unpack_from(order + "3f", header, 108)
    start = int(start) if math.isfinite(start) else 0
    sform = None
    if struct.unpack_from(order + "h", header, 254)[0] > 0:
        sform = np.eye(4)
        sform[:3] = np.array(struct.unpack_from(order + "12f", header, 280), dtype=float).reshape(3, 4)
        sform[:2] *= -1  # NIfTI's x and y run to the right and the front (RAS), ours to the left and back
    return NiftiHeader(
        size=tuple(size),
        byte_order=order,
        type_code=type_code,
        data_start=start,
        data_end=start + math.prod(max(0, n) for n in size) * bits // 8,
        slope=slope if math.isfinite(slope) else 0.0,
        intercept=intercept if math.isfinite(intercept) else 0.0,
        sform=sform,
    )


def is_nifti_2(path: Path) -> bool:
    """Whether a file begins as those of the format's second version do, for sizes above 32767; see nifti2.h.

    Raises:
        EOFError, OSError, zlib.error: it cannot be unpacked.
    """
    with _unpacked(path) as file:
        return file.read(8)[4:] == b"n+2\0"


def read_nifti_voxels(path: Path, header: NiftiHeader) -> NDArray[Any] | None:
    """Read voxels (z, y, x) as they are stored, floats scaled; None for what ITK is left to read.

    Those of a file that holds several volumes are (volumes, z, y, x).

    ITK reads NaN and infinity as 0 in silence, which is an intensity like any other, and holds every voxel
    twice while it reads. It is left to read whole numbers that become fractions, and rare types.

    Raises:
        EOFError, OSError, zlib.error: the file ends before its last voxel, cannot be unpacked, or is not what
            was written.
    """
    if header.type_code not in _TYPES:
        return None
    kind = np.dtype(_TYPES[header.type_code]).newbyteorder(header.byte_order)
    is_scaled = header.slope != 0 and (header.slope, header.intercept) != (1, 0)
    if is_scaled and kind.kind != "f":
        return None
    volumes = math.prod(header.size[3:])
    voxels = np.empty(header.size[2::-1] if volumes == 1 else (volumes, *header.size[2::-1]), kind)
    with _unpacked(path) as file:
        file.read(header.data_start)
        left = memoryview(voxels.data).cast("B")
        while len(left):
            got = file.readinto(left)
            if not got:
                raise EOFError(f"{path} ends before its last voxel")
            left = left[got:]
        _read_on(file)
    voxels = voxels.astype(kind.newbyteorder("="), copy=False)
    if is_scaled:
        voxels *= header.slope
        voxels += header.intercept
    return voxels


def check_to_end(path: Path) -> None:
    """Unpack a packed file to its end, where its checksum is. ITK stops at the last voxel.

    Raises:
        EOFError, OSError, zlib.error: the file is not what was written.
    """
    with _unpacked(path) as file:
        _read_on(file)


def is_complete(path: Path, header: NiftiHeader) -> bool:
    """Whether all voxels are there. ITK fills the voxels of a truncated NIfTI file with zeros in silence."""
    with path.open("rb") as plain:
        if plain.read(2) != _GZIP:
            return path.stat().st_size >= header.data_end
        # A gzip file ends in its unpacked length; a truncated one in four bytes that mean nothing.
        plain.seek(-4, 2)
        if struct.unpack("<I", plain.read(4))[0] == header.data_end % (1 << 32):
            return True
    # Padded files and files of several gzip members are rare, so that unpacking them twice is no matter.
    unpacked = 0
    with _unpacked(path) as file:
        try:
            while unpacked < header.data_end and (chunk := file.read(_CHUNK_BYTES)):
                unpacked += len(chunk)
        except (EOFError, OSError, zlib.error):
            return False
    return unpacked >= header.data_end


def sform_grid(size: tuple[int, int, int], sform: NDArray[np.float64]) -> Grid:
    """Return the grid whose matrix is exactly `sform`, which may be no grid that anything can lie on.

    ITK puts a grid together from rounded 32-bit numbers; this one writes the very same affine back.
    """
    spacing = np.linalg.norm(sform[:3, :3], axis=0)
    direction = sform[:3, :3] / np.where(spacing > 0, spacing, 1.0)
    x, y, z = spacing.tolist()
    origin_x, origin_y, origin_z = sform[:3, 3].tolist()
    return Grid(size, (x, y, z), (origin_x, origin_y, origin_z), tuple(direction.ravel().tolist()))


def _read_on(file: BufferedIOBase) -> None:
    """Read a packed file to its end: only there, its checksum tells whether what was read is right."""
    if isinstance(file, gzip.GzipFile):
        while file.read(_CHUNK_BYTES):
            pass


@contextmanager
def _unpacked(path: Path) -> Iterator[BufferedIOBase]:
    """Open a file for reading, through gzip when it is packed, whatever its name says."""
    with path.open("rb") as plain:
        packed = plain.read(2) == _GZIP
        plain.seek(0)
        if packed:
            with gzip.GzipFile(fileobj=plain) as file:
                yield file
        else:
            yield plain
