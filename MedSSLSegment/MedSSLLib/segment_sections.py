"""The sections of the module MedSSL Segment, from top to bottom."""

from __future__ import annotations

from slicer.i18n import tr as _

from MedSSLLib import annotate_view, apply_view, models_view, review_view, train_view
from MedSSLLib.engine_view import EngineView
from MedSSLLib.project_view import ProjectView
from MedSSLLib.sections import Section, needs_nothing, needs_project
from MedSSLLib.session import Session
from MedSSLLib.setup_logic import SetupLogic
from MedSSLLib.setup_view import SetupView


def segment_sections() -> tuple[Section, ...]:
    """List the sections; nothing is built yet."""
    annotate = Section("annotate", _("Annotate"), annotate_view.build, needs_project)
    return (engine_section(), _project_section(), annotate, *learning_sections())


def learning_sections() -> tuple[Section, ...]:
    """The sections that work with models."""
    return (
        Section("train", _("Train"), train_view.build, needs_project),
        Section("review", _("Review"), review_view.build, needs_project),
        Section("apply", _("Apply"), apply_view.build, needs_project),
        Section("models", _("Models"), models_view.build, needs_project),
    )


def engine_section() -> Section:
    """The section that both modules begin with."""

    def build(session: Session) -> EngineView:
        return EngineView(session.engine, lambda: SetupView(SetupLogic(session)))

    return Section("engine", _("Engine"), build, needs_nothing, collapsed=False)


def _project_section() -> Section:
    def build(session: Session) -> ProjectView:
        return ProjectView(session)

    return Section("project", _("Project"), build, needs_nothing, collapsed=False)
