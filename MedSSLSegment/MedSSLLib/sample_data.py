"""Scans to try things out with: made up by the engine, or the hippocampus scans of the Decathlon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

if TYPE_CHECKING:
    from MedSSLLib.session import Session

_SCANS, _ANNOTATED, _VALIDATION = 12, 2, 2


def register() -> None:
    """Register sample data."""


def make_project(session: Session) -> None:
    """Make a project of made-up scans and open it; they come one after the other."""
    from MedSSLLib.schema_logic import read_templates, schema_of

    template = next(each for each in read_templates() if each.title == "Made-up kidney")
    schema = schema_of(template.segments, template.mirror_axes)
    request = {"kind": "sample", "cases": _SCANS, "annotated": _ANNOTATED, "validation": _VALIDATION}

    def work(client: Any) -> Any:
        taken = {each.name for each in client.projects()}
        names = [_("Made-up kidneys"), *(_("Made-up kidneys {n}").format(n=n) for n in range(2, 1000))]
        project = client.create_project(next(name for name in names if name not in taken), schema)
        client.submit(project.key, request)
        return project

    def made(project: Any) -> None:
        session.settings.remember("project.folder", project.folder)
        session.set_project(project)
        session.jobs.refresh()

    session.engine.when_ready(lambda: session.ask(work, made))
