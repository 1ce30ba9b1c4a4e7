"""Pictures of cases for lists, each drawn once and kept in the project's cache."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from medssl.labels import Segment
from medssl.project import Case, Project
from medssl.service.downloads import Responses
from medssl.service.paths import Roots
from medssl.service.voxels import VoxelWorker

PICTURE: Responses = {
    200: {
        "description": "The picture, as PNG.",
        "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}},
    },
    304: {"description": "It is still the one that the client has."},
}


@dataclass(frozen=True)
class Sketch:
    """The picture of a case as it is now, whether or not it is drawn yet.

    Attributes:
        image: its first channel.
        labels: what counts of it: its annotation, else its newest proposal; None without both.
        path: where the picture is kept. Its name changes with everything that can be seen in it.
    """

    image: Path
    labels: Path | None
    segments: tuple[Segment, ...]
    path: Path

    @classmethod
    def of(cls, project: Project, case: Case) -> Sketch:
        """Find the picture of a case."""
        shown = case.annotation or case.pseudo_label
        labels = None if shown is None else shown.path
        segments = project.schema.segments
        seen = f"{case.channels[0]}|{labels}|{[(s.value, s.colour) for s in segments]}"
        mark = hashlib.sha256(seen.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        path = project.folder / "cache" / "thumbnails" / f"{case.id}-{mark}.png"
        return cls(case.channels[0], labels, segments, path)

    @property
    def tag(self) -> str:
        """The ETag of the picture."""
        return f'"{self.path.stem}"'

    def cached(self, roots: Roots) -> bytes | None:
        """Return the picture when it was drawn before.

        Raises:
            PathError: it is a link out of the allowed folders.
        """
        try:
            return roots.inside(self.path).read_bytes()
        except OSError:
            return None

    def drawn(self, roots: Roots, worker: VoxelWorker) -> bytes:
        """Draw the picture, keep it, and remove older ones of the case.

        Raises:
            ImageError, LabelError: the scan or its labels cannot be read.
            PathError: they are outside the allowed folders.
        """
        labels = None if self.labels is None else roots.inside(self.labels)
        content = worker.sketch(roots.inside(self.image), labels, self.segments, self.path)
        case_id = self.path.name.partition("-")[0]
        for other in self.path.parent.glob(f"{case_id}-*.png"):
            if other != self.path:
                with suppress(OSError):
                    other.unlink()
        return content
