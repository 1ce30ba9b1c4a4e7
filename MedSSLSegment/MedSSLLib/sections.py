"""The sections of a panel: what one is, its .ui file, and the column that holds them all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import ctk
import qt
import slicer
from slicer.i18n import tr as _

from MedSSLLib.message_line import MessageLine
from MedSSLLib.session import Session
from MedSSLLib.signals import Signal

_UI = Path(__file__).resolve().parents[1] / "Resources" / "UI"
_COLLAPSED = "panel.collapsed"  # names of sections, in the settings


class SectionView(Protocol):
    """What the panel needs of a section's view."""

    widget: Any  # qt.QWidget

    def enter(self) -> None:
        """The person comes to the module."""

    def exit(self) -> None:
        """The person goes to another module; everything stays."""

    def close(self) -> None:
        """The module goes: let go of observers and nodes, after keeping what a person drew."""


@dataclass(frozen=True)
class Section:
    """A section to be built.

    Attributes:
        name: for settings and tests, such as 'train'.
        title: for people.
        build: makes its view.
        missing: says in one sentence what must be there first; '' when the section can be used.
        collapsed: whether it is closed the first time.
    """

    name: str
    title: str
    build: Callable[[Session], SectionView]
    missing: Callable[[Session], str]
    collapsed: bool = True


def needs_nothing(_session: Session) -> str:
    """For sections that can always be used."""
    return ""


def needs_project(session: Session) -> str:
    """For sections that work on the open project."""
    if session.project is not None:
        return ""
    return _("Open a project first, or make one, in the section Project.")


class Panel:
    """A column of sections under a line for messages.

    Attributes:
        message: the line.
        buttons: the ctkCollapsibleButtons by the sections' names.
        views: the sections' views by name.
    """

    def __init__(
        self,
        session: Session,
        layout: Any,
        sections: Sequence[Section],
        hint: Callable[[Session], str] = needs_nothing,
    ) -> None:
        """Build all sections into a layout; `hint` says what to do next, where there is nothing to tell."""
        self.message = MessageLine()
        self._hint = hint
        self.buttons: dict[str, Any] = {}
        self.views: dict[str, SectionView] = {}
        self._session = session
        self._hints: list[tuple[Section, Any]] = []
        layout.addWidget(self.message.widget)
        closed = session.settings.value(_COLLAPSED, [each.name for each in sections if each.collapsed])
        for section in sections:
            self._add(section, layout, section.name in closed)
        layout.addStretch(1)
        session.message.connect(self.message.show)
        session.section_asked.connect(self._open_asked)
        for signal in (session.engine_changed, session.project_changed):
            signal.connect(self._update)
        for signal in self._hinting:
            signal.connect(self._show_hint)
        self._update()

    def enter(self) -> None:
        """The person comes to the module; other programs may have changed the project meanwhile."""
        for view in self.views.values():
            view.enter()
        if self._session.project is not None and self._session.client is not None:
            self._session.cases_changed.emit()

    def exit(self) -> None:
        """The person goes to another module."""
        for view in self.views.values():
            view.exit()

    def close(self) -> None:
        """The module goes."""
        self._session.message.disconnect(self.message.show)
        self._session.section_asked.disconnect(self._open_asked)
        for signal in (self._session.engine_changed, self._session.project_changed):
            signal.disconnect(self._update)
        for signal in self._hinting:
            signal.disconnect(self._show_hint)
        for view in self.views.values():
            view.close()

    def open(self, name: str) -> None:
        """Show what a section holds."""
        self.buttons[name].collapsed = False

    def _open_asked(self, name: str) -> None:
        if name in self.buttons:  # else it is one of the other module
            self.open(name)

    def _add(self, section: Section, layout: Any, collapsed: bool) -> None:
        button = ctk.ctkCollapsibleButton()
        button.text = section.title
        button.objectName = f"{section.name}CollapsibleButton"
        outer = qt.QVBoxLayout(button)
        # ctkCollapsibleButton shows and hides its children: with one, what is hidden in it is not its matter.
        content = qt.QWidget()
        outer.addWidget(content)
        column = qt.QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        hint = qt.QLabel()
        hint.objectName = f"{section.name}HintLabel"
        hint.wordWrap = True
        view = section.build(self._session)
        column.addWidget(hint)
        column.addWidget(view.widget)
        button.collapsed = collapsed
        button.contentsCollapsed.connect(lambda *_: self._remember())
        layout.addWidget(button)
        self.buttons[section.name] = button
        self.views[section.name] = view
        self._hints.append((section, hint))

    def _update(self) -> None:
        for section, hint in self._hints:
            missing = section.missing(self._session)
            hint.text = missing
            hint.visible = bool(missing)
            self.views[section.name].widget.visible = not missing
        self._show_hint()

    @property
    def _hinting(self) -> tuple[Signal, ...]:
        """What the hint depends on, besides what `_update` follows."""
        return self._session.jobs.listed, self._session.jobs.told, self._session.models.changed

    def _show_hint(self, *_: Any) -> None:
        self.message.hint(self._hint(self._session))

    def _remember(self) -> None:
        closed = [name for name, button in self.buttons.items() if button.collapsed]
        self._session.settings.remember(_COLLAPSED, closed)


def load_ui(name: str, folder: Path = _UI) -> tuple[Any, SimpleNamespace]:
    """Build `Resources/UI/<name>.ui`.

    Returns:
        The widget, with Slicer's scene set where it asks for one, and its named children as attributes.
    """
    widget = slicer.util.loadUI(str(folder / f"{name}.ui"))
    if hasattr(widget, "setMRMLScene"):
        widget.setMRMLScene(slicer.mrmlScene)
    children = slicer.util.childWidgetVariables(widget)
    return widget, children
