"""A case under review in the scene and in the slice views: the scan, the proposal, the heat map."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import slicer
from slicer.i18n import tr as _

from MedSSLLib.case_scene import CaseScene
from MedSSLLib.heat_map import ColorRange, add_heat_map, color_range, remove_heat_map, show_legend
from MedSSLLib.problems import Problem
from MedSSLLib.review_queue import WAITS
from MedSSLLib.segmentations import LoadedLabels, read_labels
from MedSSLLib.volumes import fetch_volumes, own_grid
from MedSSLLib.voxel_files import LoadedVolume, read_volume

if TYPE_CHECKING:
    from medssl.client import Case, Client, Project

    from MedSSLLib.engine_files import EngineFiles


@dataclass(frozen=True, eq=False)
class Proposal:
    """A case with everything that its review shows, in memory.

    Attributes:
        case: with its proposal.
        scans: its channels.
        labels: what the model proposes.
        uncertainty: 0 (certain) to 1, on the same grid.
        colors: of the uncertainty.
    """

    case: Case
    scans: tuple[LoadedVolume, ...]
    labels: LoadedLabels
    uncertainty: LoadedVolume
    colors: ColorRange


def fetch_proposal(client: Client, files: EngineFiles, project: str, case: Case) -> Proposal:
    """Read a case and its proposal; for a thread beside the main one.

    Raises:
        Problem, EngineError: a part of it cannot be had, or not be read.
    """
    proposal = case.pseudo_label
    if proposal is None or case.state != WAITS:
        raise Problem(
            _("No proposal for '{name}' waits any more.").format(name=case.name),
            _("Open it in the section Annotate, or let a model propose again."),
        )
    scans = fetch_volumes(client, files, project, case)
    with files.fetched(
        proposal.path, lambda target: client.download_proposal(project, case.id, target)
    ) as path:
        labels = read_labels(path)
    with files.fetched(
        proposal.uncertainty_path, lambda target: client.download_uncertainty(project, case.id, target)
    ) as path:
        uncertainty = read_volume(path)
    return Proposal(case, scans, labels, uncertainty, color_range(uncertainty))


class ReviewScene(CaseScene):
    """The nodes of the one case that is under review, with its heat map.

    Args:
        project: that the case belongs to.
        proposal: what to show.
        changed: called when the person changed the segmentation.
        going: called when one of the nodes is about to leave the scene, with all of them still there.
    """

    def __init__(
        self,
        project: Project,
        proposal: Proposal,
        changed: Callable[[], Any],
        going: Callable[[], Any],
    ) -> None:
        case = proposal.case
        name = _("{case} proposal").format(case=case.name)
        super().__init__(project, case, proposal.scans, proposal.labels, name, changed, going)
        self.heat_map: Any = add_heat_map(
            proposal.uncertainty, proposal.colors, _("{case} uncertainty").format(case=case.name)
        )
        self._own(self.heat_map)
        _outline(self.segmentation)
        self.show()
        self.show_heat_map(True, 0.6)
        self.fit()

    @property
    def nodes(self) -> tuple[Any, ...]:
        """The nodes that the case consists of."""
        return (*super().nodes, self.heat_map)

    def show_heat_map(self, visible: bool, opacity: float) -> None:
        """Lay the heat map over the scan in all slice views, or take it off."""
        for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
            composite.SetForegroundVolumeID(self.heat_map.GetID() if visible else None)
            composite.SetForegroundOpacity(opacity if visible else 0.0)
        show_legend(self.heat_map, visible)

    def fade_heat_map(self, opacity: float) -> None:
        """Change how much of the scan is seen through the heat map, and nothing else."""
        for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
            if composite.GetForegroundVolumeID() == self.heat_map.GetID():
                composite.SetForegroundOpacity(opacity)

    def jump_to_voxel(self, voxel: Sequence[float]) -> None:
        """Show a voxel (z, y, x) in all slice views, wherever transforms put the scan."""
        z, y, x = voxel
        volume, place = self.volumes[0], [0.0, 0.0, 0.0]
        volume.TransformPointToWorld((own_grid(volume).ijk_to_ras @ np.array([x, y, z, 1.0]))[:3], place)
        right, anterior, superior = place
        for node in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
            node.JumpSliceByOffsetting(right, anterior, superior)

    def jump_to_slice(self, z: int) -> None:
        """Show a slice across the third axis, in the middle of the others."""
        depth, height, width = self.grid.shape
        self.jump_to_voxel((min(max(z, 0), depth - 1), (height - 1) / 2, (width - 1) / 2))

    def remove(self) -> None:
        """Take the nodes away."""
        super().remove()
        if slicer.mrmlScene.IsNodePresent(self.heat_map):
            remove_heat_map(self.heat_map)


def _outline(segmentation: Any) -> None:
    """Show outlines with a faint filling: the heat map must be seen through them."""
    display = segmentation.GetDisplayNode()
    display.SetOpacity2DFill(0.12)
    display.SetOpacity2DOutline(1.0)
    display.SetSliceIntersectionThickness(2)
