"""What ITK does not check of a MetaImage's header before it reads the voxels.

Source: MetaIO's documentation (https://itk.org/Wiki/ITK/MetaIO/Documentation).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

_HEADER_LIMIT = 1 << 16  # bytes; far more than such a header has before it names its voxels
_VOXEL_BYTES = {"CHAR": 1, "SHORT": 2, "INT": 4, "LONG": 4, "LONG_LONG": 8, "FLOAT": 4, "DOUBLE": 8}


@dataclass(frozen=True)
class MetaImageHeader:
    """The part of a MetaImage's header that is looked at here.

    Attributes:
        sizes: the voxels along each axis.
        unpacked_bytes: of all voxels together.
        packed_bytes: of all voxels as they are stored, 0 where that is all of their file; None when they are
            not packed.
        data_name: the file of the voxels as the header names it; None when they follow the header.
        data_start: where they begin in their file, in bytes.
    """

    sizes: tuple[int, ...]
    unpacked_bytes: int
    packed_bytes: int | None
    data_name: str | None
    data_start: int


def read_meta_image_header(path: Path) -> MetaImageHeader | None:
    """Read the header of a MetaImage; None when the file holds something else.

    Raises:
        EOFError: the file ends inside its header, or its fields contradict each other.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        text = file.read(_HEADER_LIMIT)
    head, marker, rest = text.partition(b"ElementDataFile")
    fields = dict(re.findall(r"^\s*(\w+)\s*=\s*(.*?)\s*$", head.decode("latin-1"), re.MULTILINE))
    if not fields and not marker:
        return None
    sizes = [int(n) for n in re.findall(r"-?\d+", fields.get("DimSize", ""))]
    channels = _whole(fields.get("ElementNumberOfChannels", "1"))
    line, newline, _ = rest.partition(b"\n")
    name: str | None = line.strip(b" \t=\r").decode("utf-8", "replace")
    if not sizes or not marker or not name or (not newline and path.suffix.lower() == ".mha"):
        raise EOFError(f"{path} ends inside its header")
    # Another number of axes than of sizes makes ITK's reader write where it must not, which ends the process.
    if _whole(fields.get("NDims", "")) != len(sizes) or channels is None:
        raise EOFError(f"{path} contradicts itself")
    start = 0
    if name == "LOCAL":
        name, start = None, len(head) + len(marker) + len(line) + 1
    kind = fields.get("ElementType", "").removeprefix("MET_").removeprefix("U")
    voxel_bytes = _VOXEL_BYTES.get(kind, 1) * channels
    packed = _packed_bytes(fields, path, name is None)
    return MetaImageHeader(tuple(sizes), math.prod(sizes) * voxel_bytes, packed, name, start)


def _packed_bytes(fields: dict[str, str], path: Path, follows: bool) -> int | None:
    size = _whole(fields.get("CompressedDataSize", "0"))
    if size is None:
        raise EOFError(f"{path} contradicts itself")
    # As MetaIO tells it.
    if not fields.get("CompressedData", "").startswith(("T", "t", "1")):
        return None
    # MetaIO then begins to unpack at the wrong byte, and leaves the voxels as the memory happened to be.
    if (size == 0 and follows) or fields.get("HeaderSize", "0") != "0":
        raise EOFError(f"{path} does not say where its packed voxels are")
    return size


def _whole(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None
