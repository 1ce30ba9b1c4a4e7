"""What a person made of a proposal, on its way to the engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional

import numpy as np
from slicer.i18n import tr as _

from MedSSLLib.problems import Problem
from MedSSLLib.segmentations import (
    SegmentationSnapshot,
    labels_of,
    match_segments,
    read_labels,
)
from MedSSLLib.voxel_files import voxels_of, write_nrrd

if TYPE_CHECKING:
    from medssl.client import Annotation, Case, Client, Project

    from MedSSLLib.engine_files import EngineFiles

_FILE = "correction.nrrd"


@dataclass(frozen=True, eq=False)
class Verdict:
    """A proposal as a person leaves it.

    Attributes:
        case: with the proposal that was seen.
        drawn: what is on the screen; None when nobody touched it.
        seconds: that the person spent.
    """

    case: Case
    drawn: Optional[SegmentationSnapshot]
    seconds: float


def check(drawn: SegmentationSnapshot, project: Project) -> None:
    """See whether everything that is drawn belongs to the project's segments.

    Raises:
        Problem: a segment does not; the sentence names it.
    """
    _values, unknown = match_segments(drawn.segments, project.segments)
    for each in unknown:
        if each.layer >= 0:
            raise Problem(
                _("The segment '{name}' is not in the project's label schema.").format(name=each.name),
                _("Add it in the section Project, or delete the segment; nothing was saved yet."),
            )


def send(client: Client, files: EngineFiles, project: Project, verdict: Verdict) -> Annotation:
    """Save a proposal as an annotation: accepted when it is as the model drew it, else as corrected.

    For a thread beside the main one.

    Raises:
        Problem, EngineError: it cannot be saved.
    """
    case = verdict.case
    proposal = case.pseudo_label
    assert proposal is not None
    author = author_name()
    if verdict.drawn is not None:
        values, _unknown = match_segments(verdict.drawn.segments, project.segments)
        labels = labels_of(verdict.drawn, values)
        if not np.array_equal(labels, _proposed(client, files, project.key, case, labels.shape)):
            grid = verdict.drawn.grid
            with files.handed_over(
                client, project, _FILE, lambda path: write_nrrd(path, labels, grid)
            ) as path:
                return client.correct(
                    project.key, case.id, proposal.id, path, author=author, seconds=verdict.seconds
                )
    return client.accept(project.key, case.id, proposal.id, author=author, seconds=verdict.seconds)


def author_name() -> str:
    """Who works here, as the computer knows it."""
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no such user, or no such module: it differs by system
        return ""


def _proposed(
    client: Client, files: EngineFiles, project: str, case: Case, shape: tuple[int, ...]
) -> np.ndarray:
    """The label map as the model drew it."""
    proposal = case.pseudo_label
    assert proposal is not None
    with files.fetched(
        proposal.path, lambda target: client.download_proposal(project, case.id, target)
    ) as path:
        loaded = read_labels(path)
    whole = np.zeros(shape, np.uint8)
    if loaded.image is not None:
        x0, x1, y0, y1, z0, z1 = loaded.image.GetExtent()
        whole[z0 : z1 + 1, y0 : y1 + 1, x0 : x1 + 1] = voxels_of(loaded.image)
    return whole
