"""What effects such as 'Grow from seeds' preview: a segmentation beside the drawing, until it is applied.

It is a node of its own, to which the editor's node refers. It stays when another effect is chosen, and would
stay for another case: nothing but its effect's Apply and Cancel takes it away.
"""

from __future__ import annotations

from typing import Any, Optional

import slicer
import vtk
from slicer.i18n import tr as _

from MedSSLLib import asking
from MedSSLLib.problems import Problem

# As Slicer's AbstractScriptedSegmentEditorAutoCompleteEffect names them.
_ROLE = "SegmentationResultPreview"
_OWNER = "SegmentationResultPreviewOwnerEffect"

_APPLY, _DROP, _STAY = range(3)


def preview_of(widget: Any) -> Optional[vtk.vtkObject]:
    """The vtkMRMLSegmentationNode with the preview that an editor's widget has now."""
    editor = widget.mrmlSegmentEditorNode()
    return None if editor is None else editor.GetNodeReference(_ROLE)


def settle(widget: Any, name: str, may_stay: bool) -> bool:
    """Ask what becomes of the preview, if there is one: after this there is none.

    Args:
        widget: of the editor.
        name: of the case that is drawn on.
        may_stay: whether the person can go on with the preview instead.

    Returns:
        False when the person wants to.

    Raises:
        Problem: it cannot be applied, and is still there.
    """
    if preview_of(widget) is None:
        return True
    text = _("The effect '{effect}' shows a preview on {name}, which is no part of the drawing yet.")
    answers = (_("Apply it"), _("Leave it out"), _("Stay"))
    answer = asking.choose(
        _("Preview"),
        text.format(effect=_owner(widget), name=name),
        answers if may_stay else answers[:_STAY],
        while_testing=_APPLY,
        closing=_STAY if may_stay else _APPLY,
        losing=_DROP,
    )
    if preview_of(widget) is None:  # it went while the question was open
        return True
    if answer == _APPLY:
        _apply(widget)
    elif answer == _DROP:
        drop(widget)
    return answer != _STAY


def drop(widget: Any) -> None:
    """Take the preview away, with all that its effect keeps of this segmentation."""
    node = preview_of(widget)
    if node is None:
        return
    effect, drawn = widget.effectByName(_owner(widget)), widget.segmentationNode()
    if effect is not None and drawn is not None and drawn.GetDisplayNode() is not None:
        effect.self().onCancel()  # or it would use its segments, and their image, for the next case
    if slicer.mrmlScene.IsNodePresent(node):
        editor = widget.mrmlSegmentEditorNode()
        editor.SetNodeReferenceID(_ROLE, None)
        editor.SetAttribute(_OWNER, None)
        slicer.mrmlScene.RemoveNode(node)


def _apply(widget: Any) -> None:
    name = _owner(widget)
    effect = widget.effectByName(name)
    try:
        effect.self().onApply()
    except Exception as error:  # Slicer's code, or that of an extension: what is drawn must still be kept
        raise Problem(
            _("The preview of '{effect}' cannot be applied: {reason}.").format(effect=name, reason=error),
            _("Press Cancel in the effect, or go on without the preview."),
        ) from error


def _owner(widget: Any) -> str:
    return widget.mrmlSegmentEditorNode().GetAttribute(_OWNER) or ""
