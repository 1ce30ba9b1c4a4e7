"""What the sections of both panels share: the engine, the open project, and who is told of changes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Optional, TypeVar

import slicer
from slicer.i18n import tr as _

from MedSSLLib.background import Background, Task
from MedSSLLib.drawing_safety import Safety
from MedSSLLib.editor import SegmentEditor
from MedSSLLib.engine_files import EngineFiles
from MedSSLLib.engine_logic import EngineLogic
from MedSSLLib.engine_status import sentences
from MedSSLLib.jobs_logic import JobsLogic
from MedSSLLib.journeys import Journeys
from MedSSLLib.learning_offers import LearningOffers
from MedSSLLib.models_logic import ModelsLogic
from MedSSLLib.problems import Problem
from MedSSLLib.sample_data import SampleData
from MedSSLLib.scene_watch import SceneWatch
from MedSSLLib.settings import Settings
from MedSSLLib.signals import Signal
from MedSSLLib.train_logic import TrainLogic

if TYPE_CHECKING:
    from medssl.client import Client, Project

    from MedSSLLib.case_desk import Desk

T = TypeVar("T")

_LOG = logging.getLogger("MedSSL")


class Session:
    """One for all panels of a running Slicer; reloading a module starts a new one.

    Attributes:
        background: threads for everything that could take longer than a blink.
        settings: what is remembered.
        client: of the engine, None until there is one.
        files: the way of files to and from this engine.
        engine: finds, starts and watches it.
        editor: the one Segment Editor of the panel.
        project: the open project as the engine described it last, None without one.
        address: of the engine that is there, or was there last; '' for this computer's own, None before any.
        engine_changed: the engine came, went or changed its mind.
        project_changed: another project, or other words in it, such as its schema.
        cases_changed: cases, annotations or decisions changed.
        jobs_changed: a job came, went or changed its state.
        models_changed: models came or went.
        case_asked: (CaseSummary) the person wants to work on a case: the section Review takes those with
            the state 'proposed', the section Annotate all others.
        section_asked: (name) a section has something to show, and is to be unfolded.
        scene_closing: everything in the scene is about to go.
        scene_closed: the scene is empty now.
        jobs: of the open project, watched for all sections.
        journeys: starts jobs with files of this computer, wherever the engine is.
        samples: scans to try things out with.
        desks: the sections' cases on the screen, of which one at most is there at a time.
        safety: keeps what was drawn on cases that left the screen.
        models: of the open project.
        offers: what the engine offers for learning.
        training: what the sections that train share.
        message: (text, remedy, grade) for the line of the panel; the grade is 'info', 'warning' or 'error'.
    """

    _current: ClassVar[Optional[Session]] = None

    def __init__(self) -> None:
        self.background = Background()
        self.settings = Settings()
        self.client: Client | None = None
        self.files = _files(shares_disk=False)
        self.project: Project | None = None
        self.address: Optional[str] = None
        self.engine_changed = Signal()
        self.project_changed = Signal()
        self.cases_changed = Signal()
        self.jobs_changed = Signal()
        self.models_changed = Signal()
        self.case_asked = Signal()
        self.section_asked = Signal()
        self.scene_closing = Signal()
        self.scene_closed = Signal()
        self.message = Signal()
        self.editor = SegmentEditor()
        self.engine = EngineLogic(self)
        self.jobs = JobsLogic(self)
        self.journeys = Journeys(self)
        self.samples = SampleData(self)
        self.desks: list[Desk] = []
        self.safety = Safety(self)
        self.models = ModelsLogic(self)
        self.offers = LearningOffers(self)
        self.training = TrainLogic(self)
        self.scene_closed.connect(self.editor.scene_closed)
        self._scene = SceneWatch(self.scene_closing, self.scene_closed)

    @classmethod
    def current(cls) -> Session:
        """Return the one session, made at first use."""
        if cls._current is None:
            cls._current = cls()
        return cls._current

    @classmethod
    def end(cls) -> None:
        """Drop the session: its answers still on the way are not handed over."""
        if cls._current is not None:
            cls._current.engine.close()
            cls._current._scene.close()
            cls._current.journeys.close()
            cls._current.offers.close()
            cls._current.safety.close()
            cls._current.jobs.close()
            cls._current.background.close()
            cls._current = None

    def wait_for_drawings(self, at_most_s: float) -> None:
        """Wait, at the end of Slicer, until drawings that are on their way have arrived."""
        end = time.monotonic() + at_most_s
        self.safety.ending = True
        while self.safety.unsaved and time.monotonic() < end:
            self.background.turn()
        self.safety.ending = False

    def ask(
        self,
        work: Callable[[Client], T],
        done: Callable[[T], Any] | None = None,
        failed: Callable[[Exception], Any] | None = None,
    ) -> Task[T]:
        """Do `work(client)` beside the main thread, and `done(answer)` on it.

        Without `failed`, an error becomes one sentence in the panel, and the log has the rest.
        """
        client = self.client

        def ask_client() -> T:
            if client is None:
                raise Problem(_("The engine is not running."), _("Start it in the section Engine."))
            return work(client)

        def report(error: Exception) -> None:
            if client is not None and self.client is not client:
                _LOG.info("Asked of an engine that went since: %s", error)  # the panel has said so
            else:
                self.report(error)

        return self.background.run(ask_client, done, failed or report)

    def set_client(self, client: Client | None, shares_disk: bool = False) -> None:
        """Take the engine that was found, or None when it went.

        Args:
            client: of the engine.
            shares_disk: whether its paths are paths of this computer.
        """
        self.client = client
        self.files = _files(shares_disk)
        if client is not None:
            self.address = "" if shares_disk else client.url
        self.engine_changed.emit()

    def set_project(self, project: Project | None) -> None:
        """Open another project, or take what the engine says of the open one now."""
        before = self.project
        self.project = project
        self.project_changed.emit()
        if (before and before.key) != (project and project.key):
            self.cases_changed.emit()
            self.jobs_changed.emit()
            self.models_changed.emit()

    def is_open(self, project: str) -> bool:
        """Whether the project with this key is the open one: an id of a case says nothing in another."""
        return self.project is not None and self.project.key == project

    def say(self, text: str, remedy: str = "", grade: str = "info") -> None:
        """Show a sentence in the panel."""
        self.message.emit(text, remedy, grade)

    def say_with_notes(self, text: str, notes: Sequence[str]) -> None:
        """Show a sentence with the engine's notes on a file, if any: those do not go by themselves."""
        self.say(text, " ".join(notes), "warning" if notes else "info")

    def report(self, error: Exception) -> None:
        """Show an error as one sentence, and put all of it into the log.

        That the engine does not answer, the section Engine says once for all who asked.
        """
        if self.engine.looks_into(error):
            _LOG.info("Asked of an engine that does not answer: %s", error)
        else:
            self.tell(error)

    def tell(self, error: Exception) -> None:
        """Show an error as `report` does, whatever it is about."""
        _LOG.error("%s", error, exc_info=error)
        self.say(*sentences(error), "error")


def _files(shares_disk: bool) -> EngineFiles:
    return EngineFiles(shares_disk, Path(slicer.app.temporaryPath))
