"""Finds the engine, starts it, and notices when it goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import qt
from slicer.i18n import tr as _

from MedSSLLib import backend, engine_tokens, environments
from MedSSLLib.background import Task
from MedSSLLib.engine_choice import REMOTE, EngineChoice, current_choice
from MedSSLLib.engine_status import EngineStatus, ready_line, sentences
from MedSSLLib.problems import Problem
from MedSSLLib.signals import Signal

if TYPE_CHECKING:
    from medssl.client import CheckPoint, Client, Device, EngineError

    from MedSSLLib.session import Session

_LOOK_MS = 5000
_UNREACHABLE, _TIMEOUT = "unreachable", "timeout"  # codes of the client
_LOG_BYTES = 200_000  # of its end


@dataclass(frozen=True)
class _Waiter:
    """Someone who waits for an engine.

    Attributes:
        then: called once it is there.
        folder: which it must be allowed to touch; None for none in particular.
        failed: gets what kept it from that; None when nobody wants to know.
    """

    then: Callable[[], Any]
    folder: Optional[Path] = None
    failed: Optional[Callable[[Exception], Any]] = None


class EngineLogic:
    """One for all panels; see `Session.engine`.

    Attributes:
        status: in one line.
        changed: the status is another.
    """

    def __init__(self, session: Session) -> None:
        self.status = EngineStatus("off", "")
        self.changed = Signal()
        self._session = session
        self._waiting: list[_Waiter] = []
        self._task: Task[Any] | None = None
        self._looking = False
        self._unexplained: list[Exception] = []
        self._timer = qt.QTimer()
        self._timer.setInterval(_LOOK_MS)
        self._timer.timeout.connect(self._look)

    @property
    def choice(self) -> Optional[EngineChoice]:
        """The engine that is set up; None when none is."""
        return current_choice(self._session.settings)

    def enter(self) -> None:
        """A panel is shown: find an engine that runs already, and keep the line true.

        With a project open, one that ended meanwhile, as it does when nobody uses it, is started again.
        """
        self._timer.start()
        if self._session.client is not None:
            self._look(entering=True)
        elif self._task is None and self._session.project is not None:
            self.start()
        elif self._task is None:
            self.attach()

    def exit(self) -> None:
        """No panel is shown: ask nothing any more."""
        self._timer.stop()

    def attach(self) -> None:
        """Take the engine that runs, if one does; starts none unless somebody waits for one."""
        choice = self.choice
        if choice is None:
            self._say_missing()
        elif choice.kind == REMOTE:
            self._connect(choice)
        else:
            medssl = backend.client_package()
            self._run(lambda: (medssl.attach(), None), choice)

    def when_ready(self, then: Callable[[], Any]) -> None:
        """Call `then` once there is an engine, which is started if need be; never without one."""
        if self._session.client is not None and self._task is None:
            then()
            return
        self._wait(_Waiter(then))

    def allow(self, folder: Path, then: Callable[[], Any], failed: Callable[[Exception], Any]) -> None:
        """Let the engine of this computer touch another folder; an idle one is started anew for that.

        An engine that works, or that somebody started with options of their own, stays as it is.

        Args:
            folder: one that is not there yet is let in by the nearest folder around it that is.
            then: called once the engine may touch it; so may those that are started later.
            failed: gets what kept it from that.
        """
        self._wait(_Waiter(then, folder, failed))

    def start(self) -> None:
        """Start the engine that is set up, or connect to it."""
        choice = self.choice
        if choice is None:
            problem = Problem(
                _("The engine is not set up yet."), _("Press 'Set up...' in the section Engine.")
            )
            self._turn_away(problem)
            self._say_missing()
            self._session.say(problem.message, problem.remedy, "warning")
            return
        if choice.kind == REMOTE:
            self._connect(choice)
            return
        remembered = self._session.settings.texts("engine.folders")
        asked = self._folders
        variables = choice.environment()
        self._say("busy", _("Starting..."))
        self._run(lambda: choice.start([*remembered, *map(_present, asked)], variables), choice, asked)

    def stop(self) -> None:
        """End the engine of this computer; jobs that run go on without it. From another one only part."""
        client, local = self._session.client, self._session.files.shares_disk
        self._part()
        if client is not None and local:
            self._session.background.run(lambda: client.shutdown(force=True), None, self._session.report)

    def end_idle(self, then: Callable[[], Any], failed: Callable[[Exception], Any]) -> Task[None]:
        """End the engine of this computer, whoever uses it, unless it works on a job of any project.

        Args:
            then: called once none runs any more.
            failed: gets why it cannot be ended now.
        """

        def ended(_none: None) -> None:
            if self._session.client is None or self._session.files.shares_disk:
                self._part()
            then()

        return self._session.background.run(backend.client_package().end_idle, ended, failed)

    def _part(self) -> None:
        self._session.set_project(None)
        self._session.set_client(None)
        self._say("off", _("Stopped. It starts again when it is needed."))

    def check(
        self, done: Callable[[tuple[CheckPoint, ...]], Any], failed: Callable[[Exception], Any]
    ) -> None:
        """Ask the engine whether its computer is fit for the work; takes some seconds."""
        self._session.ask(lambda client: client.check_computer(), done, failed)

    def looks_into(self, error: Exception) -> bool:
        """Whether an error says that the engine does not answer: then what became of it is told here."""
        if getattr(error, "code", "") != _UNREACHABLE:
            return False
        # One that went, is searched for or is started anew has been told of.
        if self._session.client is not None and self._task is None:
            self._unexplained.append(error)
            self._look()
        return True

    def read_log(self, done: Callable[[str], Any]) -> None:
        """Get the end of the log of this computer's engine; of another one, where to look for it."""
        choice = self.choice
        if choice is not None and choice.kind == REMOTE:
            done(_("The log is on the computer with the engine, {address}.").format(address=choice.address))
            return

        def read() -> str:
            path = backend.client_package().engine_state().log
            if not path.is_file():
                return ""
            with path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - _LOG_BYTES))
                return file.read().decode("utf-8", "replace")

        self._session.background.run(read, done, self._session.report)

    def close(self) -> None:
        """The last panel goes."""
        self.exit()
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()

    @property
    def _folders(self) -> tuple[Path, ...]:
        """Those that somebody waits for the engine to be let into."""
        return tuple(each.folder for each in self._waiting if each.folder is not None)

    def _wait(self, waiter: _Waiter) -> None:
        self._waiting.append(waiter)
        if self._task is None:
            self.start()

    def _connect(self, choice: EngineChoice) -> None:
        medssl = backend.client_package()
        token = engine_tokens.token_of(choice.address)

        def connect() -> tuple[Client, None]:
            client = medssl.Client(choice.address, token, verify=choice.certificate or True)
            client.service()
            return client, None

        self._say("busy", _("Connecting to {address}...").format(address=choice.address))
        self._run(connect, choice, self._folders)

    def _run(
        self,
        find: Callable[[], tuple[Optional[Client], Optional[EngineError]]],
        choice: EngineChoice,
        folders: tuple[Path, ...] = (),
        missing: Optional[Callable[[], Any]] = None,
    ) -> None:
        """Find an engine beside the main thread, and take it.

        Args:
            find: gives it, None when none runs, and why it may not touch all folders.
            choice: what is looked for.
            folders: of those who wait, which `find` has the engine let in.
            missing: called when none runs.
        """
        if self._task is not None:
            self._task.cancel()

        def find_and_look() -> tuple[Optional[Client], Optional[EngineError], Optional[Device]]:
            client, refusal = find()
            return client, refusal, None if client is None else client.device()

        def found(answer: tuple[Optional[Client], Optional[EngineError], Optional[Device]]) -> None:
            self._task = None
            client, refusal, device = answer
            if client is not None and device is not None:
                self._take(client, choice, device)
                self._serve(folders, refusal)
            elif missing is not None:
                missing()
            else:
                self._say("off", _("Not running. It starts when it is needed."))
            if self._waiting and self._task is None:  # somebody came while only a running one was looked for
                self.start()

        self._task = self._session.background.run(find_and_look, found, self._failed)

    def _take(self, client: Client, choice: EngineChoice, device: Device) -> None:
        self._say("ready", ready_line(device, choice))
        known = self._session.client
        if known is None or known.url != client.url:  # what listens to the same one goes on listening
            self._session.set_client(client, shares_disk=choice.kind != REMOTE)

    def _serve(self, folders: tuple[Path, ...], refusal: Optional[EngineError]) -> None:
        """Call those who wait for the engine that there is now, or for it to be let into these folders."""
        served = [each for each in self._waiting if each.folder is None or each.folder in folders]
        self._waiting = [each for each in self._waiting if each not in served]
        if refusal is None:
            known = self._session.settings.texts("engine.folders")
            every = dict.fromkeys([*known, *map(str, folders)])
            self._session.settings.remember("engine.folders", list(every))
        elif not folders:
            self._session.say(refusal.message, refusal.remedy, "warning")
        for each in served:
            if refusal is not None and each.failed is not None:
                each.failed(refusal)
            else:
                each.then()

    def _failed(self, error: Exception) -> None:
        self._task = None
        message, remedy = sentences(error)
        if self._session.client is not None:
            self._session.set_client(None)
        self._say("failed", message, remedy)
        self._session.tell(error)
        self._turn_away(error)

    def _turn_away(self, error: Exception) -> None:
        """Nobody waits any more."""
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if each.failed is not None:
                each.failed(error)

    def _look(self, entering: bool = False) -> None:
        """See whether the engine is still there, and how much memory is free."""
        client, choice = self._session.client, self.choice
        if client is None or choice is None or self._looking or self._task is not None:
            return
        self._looking = True

        def seen(device: Device) -> None:
            self._looking = False
            self._report_unexplained()
            if self._session.client is client:
                self._say("ready", ready_line(device, choice))

        def gone(error: Exception) -> None:
            self._looking = False
            if getattr(error, "code", "") == _TIMEOUT:
                self._report_unexplained()
            self._unexplained.clear()
            if self._session.client is client and self._task is None:
                self._lost(error, choice, entering)

        self._session.background.run(client.device, seen, gone)

    def _report_unexplained(self) -> None:
        unexplained, self._unexplained = self._unexplained, []
        for error in unexplained:
            self._session.tell(error)

    def _lost(self, error: Exception, choice: EngineChoice, entering: bool) -> None:
        """Say that the engine went; what is open stays open, and comes back with it."""
        code = getattr(error, "code", "")
        if code == _TIMEOUT:
            return  # it works hard; the next look says more
        if code == _UNREACHABLE and choice.kind == REMOTE:
            line = _("The engine at {address} does not answer any more.").format(address=choice.address)
            remedy = _("Check the network, and press 'Start' to connect again.")
        elif code == _UNREACHABLE:  # another Slicer may have started it anew, for a folder of its own
            medssl = backend.client_package()
            self._run(lambda: (medssl.attach(), None), choice, missing=lambda: self._ended(entering))
            return
        else:
            line, remedy = sentences(error)
        self._lose(line, remedy)

    def _ended(self, entering: bool) -> None:
        """The engine of this computer is gone: say whether it ended as it does when nobody uses it."""
        backend.client_package()
        from medssl.endpoint import read_endpoint, state_folder

        if read_endpoint(state_folder()) is not None or self._session.jobs.active:
            # One that was killed could not take its file along.
            self._lose(
                _("The engine ended unexpectedly."),
                _("Press 'Start' to start it again; a training goes on from its last checkpoint."),
            )
            return
        self._session.set_client(None)
        self._say("off", _("The engine ended because nobody used it. It starts again when it is needed."))
        if entering and self._session.project is not None:
            self.start()

    def _lose(self, line: str, remedy: str) -> None:
        self._session.set_client(None)
        self._say("failed", line, remedy)
        self._session.say(line, remedy, "error")

    def _say_missing(self) -> None:
        """Say that there is no engine, or only one that another version of MedSSL was installed with."""
        if environments.is_ours(environments.environment_folder(self._session.settings)):
            line = _("The installed engine is not finished, or not of this version of MedSSL.")
            remedy = _("Press 'Set up...' and 'Install'; only what changed is downloaded.")
        else:
            line, remedy = _("Not set up yet."), _("Press 'Set up...' to choose where it computes.")
        self._say("missing", line, remedy)

    def _say(self, grade: str, line: str, remedy: str = "") -> None:
        status = EngineStatus(grade, line, remedy)
        if status != self.status:
            self.status = status
            self.changed.emit()


def _present(folder: Path) -> Path:
    return next((each for each in (folder, *folder.parents) if each.is_dir()), folder)
