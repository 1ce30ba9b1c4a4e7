"""The nodes of one case in the scene: its scan and what is drawn on it, watched for changes and removal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Optional

import slicer
import vtk

from MedSSLLib.drawing_watch import DrawingWatch
from MedSSLLib.grids import Grid
from MedSSLLib.segmentations import (
    LoadedLabels,
    SegmentationSnapshot,
    add_segmentation,
    snapshot_segmentation,
)
from MedSSLLib.views_before import ViewsBefore
from MedSSLLib.volumes import add_volume
from MedSSLLib.voxel_files import LoadedVolume

if TYPE_CHECKING:
    from medssl.client import Case, Project


class CaseScene:
    """All nodes are made here and taken away again; scenes are saved without them, as the project has them.

    Args:
        project: that it belongs to.
        case: whose scan it is.
        scans: its channels.
        labels: what is drawn; None for nothing.
        name: of the segmentation.
        changed: called when the person changed the segmentation.
        going: called when one of the nodes is about to leave the scene, with all of them still there.
    """

    def __init__(
        self,
        project: Project,
        case: Case,
        scans: Sequence[LoadedVolume],
        labels: Optional[LoadedLabels],
        name: str,
        changed: Callable[[], Any],
        going: Callable[[], Any],
    ) -> None:
        self._before = ViewsBefore()
        self.grid: Grid = scans[0].grid
        names = project.channel_names if len(project.channel_names) == len(scans) > 1 else [""] * len(scans)
        self.volumes: tuple[Any, ...] = tuple(
            add_volume(scan, f"{case.name} {channel}".strip()) for scan, channel in zip(scans, names)
        )
        self.channel = 0
        self.segmentation: Any = add_segmentation(labels, project, name, self.volumes[0])
        for node in (*self.volumes, self.segmentation):
            self._own(node)
        self._observed: list[tuple[Any, int]] = []
        self._drawing = DrawingWatch(self.segmentation.GetSegmentation(), changed)
        self._going = going
        self._observe_removal()

    @property
    def volume(self) -> Any:
        """The channel that is seen, and that effects of the Segment Editor look at."""
        return self.volumes[self.channel]

    @property
    def nodes(self) -> tuple[Any, ...]:
        """The nodes that the case consists of."""
        return (*self.volumes, self.segmentation)

    def choose_channel(self, channel: int) -> None:
        """Show another channel of the scan."""
        self.channel = min(max(channel, 0), len(self.volumes) - 1)
        for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
            composite.SetBackgroundVolumeID(self.volume.GetID())

    def drawn(self) -> SegmentationSnapshot:
        """What is drawn at this moment, on the grid of the case.

        Raises:
            Problem: it cannot be taken, see `snapshot_segmentation`.
        """
        return snapshot_segmentation(self.segmentation, self.volumes[0])

    def draw_as_voxels(self) -> None:
        """Turn a segmentation drawn as surfaces into voxels: the last way to keep it when it must go."""
        segmentation = self.segmentation.GetSegmentation()
        voxels = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
        if segmentation.GetSourceRepresentationName() != voxels and segmentation.CreateRepresentation(voxels):
            segmentation.SetSourceRepresentationName(voxels)

    def show(self) -> None:
        """Show the scan alone in all slice views."""
        for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
            composite.SetBackgroundVolumeID(self.volume.GetID())
            composite.SetForegroundVolumeID(None)
            composite.SetLabelVolumeID(None)

    def fit(self) -> None:
        """Turn the slice views along the scan's own axes and show all of it."""
        for node in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
            node.RotateToVolumePlane(self.volume)
        slicer.util.resetSliceViews()

    def remove(self) -> None:
        """Take the nodes away, and show in the views what they showed before."""
        self.forget()
        if slicer.mrmlScene.IsNodePresent(self.volume):  # else the scene may be another one by now
            self._before.show([volume.GetID() for volume in self.volumes])
        for node in (self.segmentation, *self.volumes):
            remove_node(node)

    def forget(self) -> None:
        """Listen to the nodes no more, and leave them where they are."""
        self._drawing.close()
        for caller, tag in self._observed:
            caller.RemoveObserver(tag)
        self._observed.clear()

    def _own(self, node: Any) -> None:
        for each in (node, *_displays_of(node)):
            each.SetSaveWithScene(False)

    def _observe(self, caller: Any, event: Any, call: Callable[..., Any]) -> None:
        self._observed.append((caller, caller.AddObserver(event, call)))

    def _observe_removal(self) -> None:
        scene = slicer.mrmlScene

        @vtk.calldata_type(vtk.VTK_OBJECT)  # type: ignore[untyped-decorator]  # VTK has no types
        def look(caller: Any, event: Any, node: Any) -> None:
            if any(node is each for each in (*self.volumes, self.segmentation)):
                self._going()

        self._observe(scene, slicer.vtkMRMLScene.NodeAboutToBeRemovedEvent, look)


def remove_node(node: Any) -> None:
    """Take a node out of the scene with what displays it."""
    if not slicer.mrmlScene.IsNodePresent(node):
        return
    displays = _displays_of(node)
    slicer.mrmlScene.RemoveNode(node)
    for display in displays:
        if slicer.mrmlScene.IsNodePresent(display):
            slicer.mrmlScene.RemoveNode(display)


def _displays_of(node: Any) -> tuple[Any, ...]:
    """What displays a node, also its legend."""
    displays = (node.GetNthDisplayNode(i) for i in range(node.GetNumberOfDisplayNodes()))
    return tuple(each for each in displays if each is not None)
