"""One scan, or group of scans, that a folder run segments."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

from medssl.imaging.multichannel import look_inside, read_channels
from medssl.imaging.reading import read_grid
from medssl.imaging.scans import Scan
from medssl.imaging.volume import Volume
from medssl.imaging.voxel_files import voxel_files


@dataclass(frozen=True)
class Source:
    """One segmentation to be: the channels it is made from, in the model's order.

    Attributes:
        relative: where the segmentation goes below the output folder, without suffix.
        channels: the scans; incomplete when there is a problem.
        inside: how many channels the one file holds, when they are not files of their own.
        problem: why it cannot be segmented, or None.
        unfit: why it is left out, since it is no scan or none for this model, or None.
    """

    relative: Path
    channels: tuple[Scan, ...]
    problem: str | None = None
    unfit: str | None = None
    inside: int = 1

    @property
    def is_private(self) -> bool:
        """Whether nothing that is said of it may hold a path or a text of its files."""
        series = self.channels[0].series
        return series is not None and series.names == "neutral"

    @property
    def hides_pictures(self) -> bool:
        """Whether its pictures may tell what nothing else does: writing is burnt into them."""
        burnt_in = (scan.series is not None and scan.series.header.burnt_in for scan in self.channels)
        return self.is_private and any(burnt_in)

    @property
    def title(self) -> str:
        """Names it in messages."""
        series = self.channels[0].series
        return series.title if series is not None and self.is_private else str(self.channels[0].source)

    @property
    def shown(self) -> str:
        """Where it is, for tables."""
        return self.channels[0].shown

    @property
    def name(self) -> str:
        """The same on every system: `sub/folder/scan`."""
        return self.relative.as_posix()

    def read(self) -> tuple[Volume, ...]:
        """Read every channel."""
        if self.inside > 1:
            return read_channels([self.channels[0].source], self.inside)
        return tuple(scan.read() for scan in self.channels)

    def read_first(self) -> Volume:
        """Read the first channel, the one that pictures show."""
        return self.read()[0] if self.inside > 1 else self.channels[0].read()

    def voxels(self) -> int:
        """Number of voxels of all channels, from the headers alone; 0 when they cannot be read."""
        try:
            held = look_inside(self.channels[0].source) if self.inside > 1 else None
            if held is not None:
                return held[1] * math.prod(held[0].size)
            grids = [read_grid(s.source) if s.series is None else s.series.grid for s in self.channels]
        except Exception:  # noqa: BLE001 - one bad scan stops no others, and reading it will tell why
            return 0
        return sum(math.prod(grid.size) for grid in grids if grid is not None)

    @property
    def files(self) -> list[list[Path]]:
        """The files of every channel."""
        return [_files(scan) for scan in self.channels]

    @property
    def place(self) -> str:
        """The same for all that ever lies where the scan does; what of the path itself may tell stays out."""
        digest = hashlib.sha256()
        for scan in self.channels:
            series = "" if scan.series is None else scan.series.header.uid
            where = f"{scan.source.resolve()}\0{series}\n"
            digest.update(where.encode("utf-8", "surrogateescape"))
        return digest.hexdigest()

    def fingerprint(self) -> str:
        """Changes when a file of the scan is replaced, edited, added or removed."""
        digest = hashlib.sha256()
        for files in self.files:
            for path in files:
                facts = path.stat()
                digest.update(f"{path.name}\0{facts.st_size}\0{facts.st_mtime_ns}\n".encode())
        return digest.hexdigest()


def _files(scan: Scan) -> list[Path]:
    if scan.series is not None:
        return sorted(scan.series.files)
    return sorted({scan.source, *voxel_files(scan.source)})
