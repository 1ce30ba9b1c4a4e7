"""The section Engine: one line about it, and the way to set it up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Optional, Protocol

from slicer.i18n import tr as _

from MedSSLLib.engine_status import EngineStatus
from MedSSLLib.jobs_view import show_text
from MedSSLLib.sections import load_ui
from MedSSLLib.signals import Signal

# A sign for each grade, told apart by shape as well as by color; the colors are seen in light and dark.
_SIGNS = {
    "ready": ("\N{BLACK CIRCLE}", "#2e9e5b"),
    "busy": ("\N{CIRCLE WITH LEFT HALF BLACK}", "#3b82c4"),
    "off": ("\N{WHITE CIRCLE}", "#8a8a8a"),
    "missing": ("\N{WHITE CIRCLE}", "#c98500"),
    "failed": ("\N{HEAVY BALLOT X}", "#d1495b"),
}


class Engine(Protocol):
    """What the section needs; `MedSSLLib.engine_logic.EngineLogic` has it."""

    status: EngineStatus
    changed: Signal

    def enter(self) -> None:
        """A panel is shown."""

    def exit(self) -> None:
        """No panel is shown."""

    def start(self) -> None:
        """Start the engine that is set up."""

    def stop(self) -> None:
        """End it, or part from it."""

    def read_log(self, done: Callable[[str], Any]) -> None:
        """Get the end of its log."""


class EngineView:
    """The line, and its buttons."""

    def __init__(self, engine: Engine, make_setup: Callable[[], Any]) -> None:
        """Show an engine.

        Args:
            engine: the logic.
            make_setup: makes the dialog 'Set up...' at its first use.
        """
        self._engine = engine
        self._make_setup = make_setup
        self.setup: Optional[Any] = None
        self.widget, self.ui = load_ui("Engine")
        self.ui.startEngineButton.clicked.connect(lambda *_: self._start_or_stop())
        self.ui.setUpButton.clicked.connect(lambda *_: self._set_up().show())
        self.ui.checkButton.clicked.connect(lambda *_: self._check())
        self.ui.engineLogButton.clicked.connect(lambda *_: self._show_log())
        engine.changed.connect(self._show)
        self._show()

    def enter(self) -> None:
        """The person comes to the module."""
        self._engine.enter()

    def exit(self) -> None:
        """The person goes to another module."""
        self._engine.exit()

    def close(self) -> None:
        """The module goes."""
        self._engine.changed.disconnect(self._show)
        if self.setup is not None:
            self.setup.close()

    def _show(self) -> None:
        status = self._engine.status
        sign, color = _SIGNS[status.grade]
        self.ui.engineSign.text = f'<span style="color:{color}">{sign}</span>'
        self.ui.engineLabel.text = status.line
        self.ui.engineRemedyLabel.text = status.remedy
        self.ui.engineRemedyLabel.visible = bool(status.remedy)
        self.ui.startEngineButton.text = _("Stop") if status.grade == "ready" else _("Start")
        self.ui.checkButton.enabled = self.setup is None or not self.setup.busy
        self.ui.startEngineButton.enabled = status.grade in ("ready", "off", "failed")

    def _start_or_stop(self) -> None:
        if self._engine.status.grade == "ready":
            self._engine.stop()
        else:
            self._engine.start()

    def _set_up(self) -> Any:
        if self.setup is None:
            self.setup = self._make_setup()
            self.setup.changed.connect(self._show)
        return self.setup

    def _check(self) -> None:
        setup = self._set_up()
        setup.show()
        setup.check()

    def _show_log(self) -> None:
        self._engine.read_log(lambda text: show_text(_("Log of the engine"), text))
