"""What ITK does not check of an NRRD file: the checksum of its packed voxels.

Source: definition of the NRRD file format (https://teem.sourceforge.net/nrrd/format.html).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

_LINE_LIMIT = 1 << 20  # bytes; for a file that is no text at all
_TYPE_BYTES = {
    "char": 1, "int8": 1, "short": 2, "int16": 2, "int": 4, "int32": 4, "longlong": 8, "int64": 8, "float": 4,
    "double": 8,
}  # fmt: skip


@dataclass(frozen=True)
class NrrdHeader:
    """The part of an NRRD header that is looked at here.

    Attributes:
        unpacked_bytes: of all voxels together; None where the header does not say it.
        is_packed: whether they are packed by gzip.
        line_skip: the lines before the packed voxels in their file.
        byte_skip: the bytes before the voxels once they are unpacked; -1 when these are the last ones.
        data_name: the file of the voxels as the header names it; None when they follow the header.
        data_start: where they begin in their file, in bytes.
    """

    unpacked_bytes: int | None
    is_packed: bool
    line_skip: int
    byte_skip: int
    data_name: str | None
    data_start: int


def read_nrrd_header(path: Path) -> NrrdHeader | None:
    """Read an NRRD header; None when the file holds something else.

    Raises:
        OSError: the file cannot be read.
    """
    fields: dict[str, str] = {}
    with path.open("rb") as file:
        if not file.readline(_LINE_LIMIT).startswith(b"NRRD"):
            return None
        while line := file.readline(_LINE_LIMIT).rstrip(b"\r\n"):
            key, separator, value = line.decode("utf-8", "replace").partition(": ")
            if separator:
                fields.setdefault(key.lower().replace(" ", ""), value.strip())
        start = file.tell()
    name = fields.get("datafile")
    return NrrdHeader(
        unpacked_bytes=_unpacked_bytes(fields),
        is_packed=fields.get("encoding", "").lower() in ("gz", "gzip"),
        line_skip=_whole(fields.get("lineskip", "0")),
        byte_skip=_whole(fields.get("byteskip", "0")),
        data_name=name,
        data_start=start if name is None else 0,
    )


def _unpacked_bytes(fields: dict[str, str]) -> int | None:
    kind = re.sub(r"^(un)?signed |_t$| ", "", fields.get("type", "").lower())
    kind = re.sub(r"^u", "", kind)
    if kind not in _TYPE_BYTES:
        kind = kind.removesuffix("int")  # 'short int', 'long long int'
    sizes = fields.get("sizes", "").split()
    if kind not in _TYPE_BYTES or not sizes or not all(n.isdecimal() for n in sizes):
        return None
    return math.prod(map(int, sizes)) * _TYPE_BYTES[kind]


def _whole(text: str) -> int:
    return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else 0
