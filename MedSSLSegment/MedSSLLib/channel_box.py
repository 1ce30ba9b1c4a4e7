"""Which channel of a case with several is seen: a list that other cases do not show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from MedSSLLib import choice_box
from MedSSLLib.learning_choices import Choice

if TYPE_CHECKING:
    from MedSSLLib.case_desk import Desk


class Editor(Protocol):
    """The panel's one Segment Editor; `MedSSLLib.editor.SegmentEditor`."""

    section: str

    def look_at(self, volume: Any) -> None:
        """Draw on another volume."""


class ChannelBox:
    """Lets people choose the channel of the case on the screen; the next case begins with the same one.

    Args:
        section: name of the section.
        frame: what is hidden for cases with one channel.
        box: the QComboBox in it.
        desk: of the section.
        editor: looks at the channel too.
    """

    def __init__(self, section: str, frame: Any, box: Any, desk: Desk, editor: Editor) -> None:
        self._section = section
        self._frame = frame
        self._box = box
        self._desk = desk
        self._editor = editor
        box.currentTextChanged.connect(lambda *_: self._choose())
        desk.shown.connect(self._show)
        self._show()

    def _show(self) -> None:
        scene, project = self._desk.scene, self._desk.project
        several = scene is not None and len(scene.volumes) > 1
        self._frame.visible = several
        if scene is None or project is None or not several:
            return
        names = project.channel_names
        choice_box.offer(self._box, [Choice(str(n), name, "") for n, name in enumerate(names)])
        self._choose()

    def _choose(self) -> None:
        scene, chosen = self._desk.scene, choice_box.chosen_key(self._box)
        if scene is None or not chosen or len(scene.volumes) < 2:
            return
        scene.choose_channel(int(chosen))
        if self._editor.section == self._section:
            self._editor.look_at(scene.volume)
