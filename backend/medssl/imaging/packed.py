"""Seeing that packed voxels are whole and as they were written, which ITK does not.

Of a changed bit, MetaImage's reader makes other voxels and a word on the terminal, and NRRD's stops before
the checksum at the end. So the voxels are unpacked once before ITK unpacks them, a piece at a time.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import BinaryIO

from medssl.errors import ImageError
from medssl.imaging.formats import suffix_of
from medssl.imaging.meta_image import read_meta_image_header
from medssl.imaging.nifti import check_to_end
from medssl.imaging.nrrd import read_nrrd_header
from medssl.imaging.voxel_files import find_data

_CHUNK_BYTES = 1 << 18


def check_packed(path: Path) -> None:
    """Unpack the voxels of a file whose header was checked. Voxels that are not packed have no checksum.

    Raises:
        EOFError, OSError, zlib.error: they are not whole, or not those that were written.
        ImageError: they are in several files, which cannot be checked.
    """
    suffix = suffix_of(path)
    if suffix in (".nii", ".nii.gz"):
        check_to_end(path)
    elif suffix in (".mha", ".mhd"):
        _check_meta_image(path)
    else:
        _check_nrrd(path)


def _check_meta_image(path: Path) -> None:
    header = read_meta_image_header(path)
    if header is None or header.packed_bytes is None:
        return
    with _data_file(path, header.data_name).open("rb") as file:
        file.seek(header.data_start)
        if _unpack(file, header.packed_bytes) != header.unpacked_bytes:
            raise EOFError(f"{path} holds another number of voxels than it says")


def _check_nrrd(path: Path) -> None:
    header = read_nrrd_header(path)
    if header is None or not header.is_packed:
        return
    if header.unpacked_bytes is None:
        raise EOFError(f"{path} does not say how many voxels it holds")
    with _data_file(path, header.data_name).open("rb") as plain:
        plain.seek(header.data_start)
        for _ in range(header.line_skip):
            if not plain.readline():
                break
        count = 0
        with gzip.GzipFile(fileobj=plain) as file:
            while chunk := file.read(_CHUNK_BYTES):
                count += len(chunk)
    if count < header.unpacked_bytes or (
        header.byte_skip >= 0 and count != header.byte_skip + header.unpacked_bytes
    ):
        raise EOFError(f"{path} holds another number of voxels than it says")


def _data_file(path: Path, name: str | None) -> Path:
    data = path if name is None else find_data(path, name)
    if data is None:
        raise ImageError(f"{path} has its packed voxels in several files.", "Save it as one file.")
    return data


def _unpack(file: BinaryIO, packed_bytes: int) -> int:
    """Unpack a zlib or gzip stream of so many bytes, 0 for all there are, and return its unpacked length."""
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)  # either of both, as MetaIO takes them
    left = packed_bytes or None
    count = 0
    while not unpacker.eof:
        chunk = unpacker.unconsumed_tail
        if not chunk:
            chunk = file.read(_CHUNK_BYTES if left is None else min(_CHUNK_BYTES, left))
            left = None if left is None else left - len(chunk)
        unpacked = len(unpacker.decompress(chunk, _CHUNK_BYTES))
        if not chunk and not unpacked and not unpacker.eof:
            raise EOFError("the packed voxels end too early")
        count += unpacked
    return count
