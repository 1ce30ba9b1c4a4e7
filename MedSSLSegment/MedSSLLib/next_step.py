"""What the person can do next, in one short line: for the place where nothing else is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from MedSSLLib.plurals import plural

if TYPE_CHECKING:
    from MedSSLLib.session import Session

_WORTH_TELLING = ("train", "propose", "pretrain", "predict", "import", "sample")  # kinds of jobs


def next_step(session: Session) -> str:
    """Say what runs, else what comes next on the way from scans to a model; empty while that is unknown."""
    if session.client is None:
        return ""  # the section Engine says how it is
    project = session.project
    if project is None:
        return str(_("Next: make a project, or try it with made-up scans."))
    running = next((track for track in session.jobs.active if track.job.kind in _WORTH_TELLING), None)
    if running is not None:
        left = f", {running.left}" if running.left else ""
        return f"{running.title}: {running.doing}{left}"
    if not project.cases:
        return str(_("Next: add scans, in the section Project."))
    if project.proposed:
        text = plural(
            project.proposed,
            _("Next: review 1 proposal, in the section Review."),
            _("Next: review {count} proposals, in the section Review."),
        )
        return text.format(count=project.proposed)
    if not project.annotated:
        return str(_("Next: annotate a scan, in the section Annotate."))
    if session.models.last is None:
        return str(_("Next: train, in the section Train, or annotate another scan."))
    return str(_("Next: segment new scans, in the section Apply."))
