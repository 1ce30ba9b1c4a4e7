"""The project's scans and annotations as a data set for other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from MedSSLLib.jobs_track import Track
from MedSSLLib.journeys import Errand
from MedSSLLib.plurals import plural
from MedSSLLib.told_errands import ToldErrands

if TYPE_CHECKING:
    from MedSSLLib.session import Session

FORMATS = {"nnunet": "nnU-Net", "decathlon": "Decathlon"}  # the engine's names, and what people call them
_NAMES = {"nnunet": "Dataset001_{name}", "decathlon": "Task01_{name}"}  # of folders


def folder_name(project: str, file_format: str) -> str:
    """Return what the folder of a project's data set is usually called in a format."""
    return _NAMES[file_format].format(name="_".join(project.split()))


class ProjectExport:
    """Starts the job that writes it, and says where it is."""

    def __init__(self, session: Session) -> None:
        self._errands = ToldErrands(session, _ended)

    def start(self, folder: str, file_format: str) -> None:
        """Write every scan that is not excluded, and its annotation, into a folder of this computer.

        Args:
            folder: empty, or not there yet.
            file_format: one of `FORMATS`.
        """
        errand = Errand({"kind": "export_project", "format": file_format}, target=folder)
        self._errands.begin(errand, _("Exporting the data set..."))


def _ended(track: Track, here: str) -> str:
    result = track.job.result or {}
    annotated, others = int(result.get("annotated", 0)), int(result.get("unannotated", 0))
    return str(
        plural(
            annotated,
            _("The data set is in {folder}: one annotated scan, and {others} without an annotation."),
            _("The data set is in {folder}: {count} annotated scans, and {others} without an annotation."),
        ).format(folder=here, count=annotated, others=others)
    )
