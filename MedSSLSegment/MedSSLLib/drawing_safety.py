"""Drawings whose case is no longer on the screen: sent to the engine, and kept until it has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from MedSSLLib.engine_files import EngineFiles

if TYPE_CHECKING:
    from medssl.client import Client

    from MedSSLLib.session import Session


class Safety:
    """Sends a drawing; while the engine is away, it waits in memory for it to come back."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._waiting: list[tuple[str, Callable[[Client, EngineFiles], Any]]] = []
        session.engine_changed.connect(self._again)

    def save(self, name: str, send: Callable[[Client, EngineFiles], Any]) -> None:
        """Save what was drawn now or, when that fails, as soon as there is an engine again.

        Args:
            name: of the case.
            send: does it, in a thread beside the main one.
        """
        files = self._session.files
        self._session.unsaved += 1

        def saved(annotation: Any) -> None:
            self._session.unsaved -= 1
            if annotation is None:
                return
            self._session.say(_("What was drawn on {name} was saved.").format(name=name))
            self._session.cases_changed.emit()

        self._session.ask(lambda client: send(client, files), saved, self._keep(name, send))

    def _keep(self, name: str, send: Callable[[Client, EngineFiles], Any]) -> Callable[[Exception], None]:
        def keep(error: Exception) -> None:
            self._session.unsaved -= 1
            self._waiting.append((name, send))
            self._session.report(error)
            self._session.say(
                _("What was drawn on {name} is not saved yet.").format(name=name),
                _("It is kept until the engine answers again; do not close 3D Slicer."),
                "warning",
            )

        return keep

    def _again(self) -> None:
        if self._session.client is None:
            return
        waiting, self._waiting = self._waiting, []
        for name, send in waiting:
            self.save(name, send)
