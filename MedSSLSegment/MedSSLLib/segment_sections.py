"""The sections of the module MedSSL Segment, from top to bottom."""

from __future__ import annotations

from slicer.i18n import tr as _

from MedSSLLib.engine_view import EngineView
from MedSSLLib.sections import Section, needs_nothing
from MedSSLLib.session import Session
from MedSSLLib.setup_logic import SetupLogic
from MedSSLLib.setup_view import SetupView


def segment_sections() -> tuple[Section, ...]:
    """List the sections; nothing is built yet."""
    return (engine_section(),)


def engine_section() -> Section:
    """The section that both modules begin with."""

    def build(session: Session) -> EngineView:
        return EngineView(session.engine, lambda: SetupView(SetupLogic(session)))

    return Section("engine", _("Engine"), build, needs_nothing, collapsed=False)
