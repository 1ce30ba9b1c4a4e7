"""Scans to try things out with: made up by the engine, or the hippocampus scans of the Decathlon.

They are offered in the section Project and in Slicer's module Sample Data. Nothing is downloaded before the
person asks for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from MedSSLLib import asking, folder_jobs, hippocampus
from MedSSLLib.problems import Problem
from MedSSLLib.project_logic import LAST_PROJECT, projects_folder
from MedSSLLib.schema_logic import Template, read_templates, schema_of
from MedSSLLib.signals import Signal

if TYPE_CHECKING:
    from medssl.client import Client, Job, Project

    from MedSSLLib.session import Session

CATEGORY = "MedSSL"
_ICONS = Path(__file__).resolve().parents[1] / "Resources" / "Icons"
_MODULE = "MedSSLSegment"
_MADE_UP, _HIPPOCAMPUS = "Made-up kidney", "Hippocampus, anterior and posterior"  # titles of templates
_SCANS, _ANNOTATED, _VALIDATION = 12, 2, 2
_HIPPOCAMPUS_VALIDATION = 8
_DOWNLOADED = "samples.folder"  # the setting that says where scans were downloaded to


class SampleData:
    """Makes projects of sample scans.

    Attributes:
        changed: `busy`, or what is on the disk, is another.
        busy: '' or what is done now.
    """

    def __init__(self, session: Session) -> None:
        self.changed = Signal()
        self.busy = ""
        self._session = session

    @property
    def is_downloaded(self) -> bool:
        """Whether scans were downloaded that can be removed."""
        return bool(self._session.settings.value(_DOWNLOADED, ""))

    @property
    def _projects(self) -> Path:
        """Where new projects are made."""
        return projects_folder(self._session.settings)

    def make_up(self) -> None:
        """Make a project of scans that no patient has; they come one after the other."""
        request = {"kind": "sample", "cases": _SCANS, "annotated": _ANNOTATED, "validation": _VALIDATION}
        self._session.engine.when_ready(
            lambda: self._make(_("Made-up kidneys"), _template(_MADE_UP), request)
        )

    def download_hippocampus(self) -> None:
        """Download the hippocampus scans, unless they are there, and make a project of them."""
        self._session.engine.when_ready(self._download)

    def remove_downloads(self) -> None:
        """Delete what was downloaded, after asking; projects that were made of it then lack their scans."""
        folder = Path(self._session.settings.value(_DOWNLOADED, ""))
        question = _(
            "Delete the hippocampus scans that were downloaded to {folder}? "
            "Projects that were made of them lack their scans then."
        )
        answers = [_("Delete"), _("Keep")]
        title = _("Remove the downloaded scans")
        if asking.choose(title, question.format(folder=folder), answers, while_testing=0, losing=0) != 0:
            return

        def removed(all_of_it: bool) -> None:
            self._session.settings.forget(_DOWNLOADED)
            text = _("The downloaded scans were removed.")
            if not all_of_it:
                text = f"{text} " + _("What else is in {folder} was left.").format(folder=folder)
            self._end(text)

        self._session.background.run(lambda: hippocampus.remove(folder), removed, self._failed)

    def _download(self) -> None:
        if self.busy:
            return
        if not self._session.files.shares_disk:
            self._session.report(
                Problem(
                    _("Sample scans are downloaded to this computer, and the engine is on another one."),
                    _("Choose an engine on this computer in 'Set up...'."),
                )
            )
            return
        # Not beside the project that was made last, wherever that is by now.
        kept = self._session.settings.value(_DOWNLOADED, "")
        wanted = Path(kept) if kept else self._projects / "Sample data"

        def tell(done: int, total: int) -> None:
            text = _("Downloading: {done:.0f} of {total:.0f} MB").format(done=done / 1e6, total=total / 1e6)
            self._session.background.post(lambda: self._begin(text))

        def fetch() -> tuple[Path, bool]:
            folder = hippocampus.folder_for(wanted)
            was_there = hippocampus.is_there(folder)
            return hippocampus.download(folder, tell), was_there

        def ready(found: tuple[Path, bool]) -> None:
            dataset, was_there = found
            if not was_there:
                self._session.settings.remember(_DOWNLOADED, str(dataset.parent))
            request = {
                "kind": "import",
                "folder": str(dataset),
                "annotated": _ANNOTATED,
                "validation": _HIPPOCAMPUS_VALIDATION,
            }
            self._make(_("Hippocampus"), _template(_HIPPOCAMPUS), request)

        self._begin(_("Downloading..."))
        self._session.background.run(fetch, ready, self._failed)

    def _make(self, name: str, template: Template, request: dict[str, Any]) -> None:
        schema = schema_of(template.segments, template.mirror_axes)
        here, parent = self._session.files.shares_disk, self._projects
        read = [str(request["folder"])] if "folder" in request else []

        def work(client: Client) -> tuple[Project, Job]:
            for folder in read:
                client.folder(folder)  # refused before there is a project that stays empty
            taken = {each.name for each in client.projects()}
            names = (name, *(f"{name} {number}" for number in range(2, 1000)))
            free = next(each for each in names if each not in taken and not (parent / each).exists())
            project = client.create_project(free, schema, folder=parent / free if here else None)
            return project, client.submit(project.key, request)

        def made(found: tuple[Project, Job]) -> None:
            project, job = found
            self._session.settings.remember(LAST_PROJECT, project.folder)
            self._session.set_project(project)
            self._session.jobs.add(job)
            self._end("")

        self._begin(_("Making the project..."))
        folder_jobs.attempt(
            self._session,
            [str(parent), *read],
            lambda refused: self._session.ask(work, made, refused),
            self._failed,
        )

    def _begin(self, doing: str) -> None:
        self.busy = doing
        self.changed.emit()

    def _end(self, text: str) -> None:
        self.busy = ""
        self.changed.emit()
        if text:
            self._session.say(text)

    def _failed(self, error: Exception) -> None:
        self.busy = ""
        self.changed.emit()
        self._session.report(error)


def register() -> None:
    """Offer both in Slicer's module Sample Data."""
    import SampleData as module

    # Slicer wants an address, a file and a node for every entry, also where another function does the work.
    module.SampleDataLogic.registerCustomSampleDataSource(
        category=CATEGORY,
        sampleName="Made-up kidneys",
        uris=hippocampus.HOMEPAGE,
        fileNames="made-up",
        nodeNames="made-up",
        customDownloader=lambda _source: _open_module().make_up(),
        thumbnailFileName=str(_ICONS / "MadeUpKidneys.png"),
    )
    module.SampleDataLogic.registerCustomSampleDataSource(
        category=CATEGORY,
        sampleName="Hippocampus (MSD Task04)",
        uris=hippocampus.ADDRESS,
        fileNames=hippocampus.ARCHIVE,
        nodeNames="Hippocampus",
        checksums=hippocampus.CHECKSUM,
        customDownloader=lambda _source: _open_module().download_hippocampus(),
        thumbnailFileName=str(_ICONS / "Hippocampus.png"),
    )


def _open_module() -> SampleData:
    from MedSSLLib.session import Session

    slicer.util.selectModule(_MODULE)
    return Session.current().samples


def _template(title: str) -> Template:
    return next(each for each in read_templates() if each.title == title)
