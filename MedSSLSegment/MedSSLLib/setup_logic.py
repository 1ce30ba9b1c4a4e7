"""Setting up an engine: its own environment, the Python of Slicer, another one, or another computer."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from MedSSLLib import backend, engine_choice, engine_tokens, environments
from MedSSLLib.background import Task
from MedSSLLib.engine_choice import ENVIRONMENT, PYTHON, REMOTE, SLICER
from MedSSLLib.logged_process import LoggedProcess
from MedSSLLib.problems import Problem
from MedSSLLib.pythons import FoundPython, find_pythons, no_python
from MedSSLLib.signals import Signal

if TYPE_CHECKING:
    from medssl.client import CheckPoint

    from MedSSLLib.session import Session

_LOG = logging.getLogger("MedSSL")
_WORKS = "usage"  # the engine's code for an end that it refuses because of a job


class SetupLogic:
    """What the dialog 'Set up...' does.

    Attributes:
        found: the Pythons of this computer became known.
        pythons: those, the best first; None until they are known.
        line: (text) of an installation, a removal or a check.
        changed: something began or ended.
        doing: '' or what is done now, in a few words.
        outcome: (grade, text) of what was done last; the grade is 'info' or 'error'.
    """

    def __init__(self, session: Session) -> None:
        self.found = Signal()
        self.pythons: tuple[FoundPython, ...] | None = None
        self.line = Signal()
        self.changed = Signal()
        self.doing = ""
        self.outcome = ("", "")
        self._session = session
        self._process = LoggedProcess(session.background)
        self._process.line.connect(self._take_line)
        self._process.ended.connect(self._process_ended)
        self._lines: list[str] = []
        self._then: Any = None
        self._ending: Task[None] | None = None

    @property
    def folder(self) -> Path:
        """Where the environment is, or will be."""
        return environments.environment_folder(self._session.settings)

    @property
    def kind(self) -> str:
        """The kind of engine that was chosen last."""
        return self._session.settings.value("engine.kind", ENVIRONMENT)

    @property
    def python(self) -> str:
        """The other Python that was chosen last."""
        return self._session.settings.value("engine.python", "")

    @property
    def address(self) -> str:
        """The address of the other computer that was chosen last."""
        return self._session.settings.value("engine.address", "")

    @property
    def certificate(self) -> str:
        """The certificate of the other computer."""
        return self._session.settings.value("engine.certificate", "")

    def is_installed(self, folder: Path) -> bool:
        """Whether there is a finished environment in a folder."""
        return environments.is_ready(folder)

    def may_remove(self, folder: Path) -> bool:
        """Whether a folder holds an environment that was made here."""
        return environments.is_ours(folder)

    def has_agreed(self, address: str) -> bool:
        """Whether the person agreed before that scans go to this address."""
        return engine_choice.has_agreed(self._session.settings, address)

    def split_address(self, text: str) -> tuple[str, str]:
        """Part an address from the token in it, see `engine_tokens.split_address`."""
        return engine_tokens.split_address(text)

    def token(self, address: str) -> str:
        """The token for an address, as far as it is known."""
        return engine_tokens.token_of(address)

    def why_not_slicer(self) -> str:
        """Why Slicer's own Python cannot run the engine; '' when it can."""
        if sys.version_info < (3, 10):
            return _("The Python of this Slicer is {version}; the engine needs 3.10 or newer.").format(
                version=f"{sys.version_info.major}.{sys.version_info.minor}"
            )
        if find_spec("slicer.packaging") is None:
            return _("This Slicer cannot install what the engine needs; 3D Slicer 5.12 and newer can.")
        if not hasattr(slicer.modules, "pytorchutils"):
            return _("Install the extension PyTorch (SlicerPyTorch) first, and start Slicer again.")
        return ""

    def look_for_pythons(self) -> None:
        """Find the Pythons of this computer; `found` tells when they are known."""

        def known(pythons: tuple[FoundPython, ...]) -> None:
            self.pythons = pythons
            self.found.emit()

        environment = dict(slicer.util.startupEnvironment())
        own = engine_choice.slicers_python()
        self._session.background.run(lambda: find_pythons(environment, own), known, self._session.report)

    def install(self, python: Path, folder: Path) -> None:
        """Make the environment, and use it. Its lines come as they are printed."""
        doing = _("Installing the engine. This takes some minutes.")

        def begin() -> None:
            environments.choose_environment(self._session.settings, folder)
            self._run(doing, python, ["install", "--env", str(folder)])
            self._then = lambda: self._use(ENVIRONMENT, _("The engine is installed."))

        self._once_ended(doing, begin)

    def use_environment(self, folder: Path) -> None:
        """Use an environment that is there."""
        environments.choose_environment(self._session.settings, folder)
        self._use(ENVIRONMENT, _("The environment in {folder} is used from now on.").format(folder=folder))

    def remove(self, python: Path, folder: Path) -> None:
        """Delete the environment. Projects and models are not in it."""
        doing, removed = (
            _("Removing the engine."),
            _("The engine was removed. Projects and models are still there."),
        )

        def begin() -> None:
            self._run(doing, python, ["remove", "--env", str(folder)])
            self._then = lambda: self._end("info", removed)

        self._once_ended(doing, begin)

    def check(self, python: Path | None, folder: Path) -> None:
        """Say whether this computer is fit: asked of the engine when there is one, else before installing.

        While something else is done, that is what goes on.
        """
        if self.doing:
            return
        if self._session.client is not None:
            self._begin(_("Checking the computer."))
            self._session.engine.check(self._show_points, self._failed)
        elif python is None:
            self._failed(no_python())
        else:
            self._run(_("Checking this computer."), python, ["check", "--env", str(folder)])
            self._then = lambda: self._end("info", _("This computer meets the requirements."))

    def cancel(self) -> None:
        """Stop what is done, with everything that it started."""
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None
            self._process_ended(None, cancelled=True)
        self._process.cancel()

    def use_slicers_python(self) -> None:
        """Install what the engine needs into Slicer's own Python, now, on the main thread; then use it.

        Raises:
            Problem: it cannot be done, and never is while Slicer tests itself.
        """
        reason = self.why_not_slicer()
        if reason:
            raise Problem(reason)
        if slicer.app.testingEnabled():
            raise Problem(_("Nothing is installed into Slicer while it tests itself."))
        try:
            has_torch = _install_into_slicer()
        except Exception as error:  # of pip, of Slicer or of its extension, which name none
            _LOG.exception("Nothing could be installed into Slicer's own Python.")
            raise Problem(
                _("Slicer's own Python could not get what the engine needs: {reason}").format(reason=error),
                _("Slicer's log has the rest. Try again, or choose an environment of its own."),
            ) from error
        if not has_torch:
            raise Problem(_("PyTorch was not installed, so that Slicer's own Python cannot run the engine."))
        self._use(SLICER, _("Slicer's own Python runs the engine from now on."))

    def use_python(self, python: Path) -> None:
        """Use another Python, which has MedSSL installed."""
        self._session.settings.remember("engine.python", str(python))
        self._use(PYTHON, _("This Python runs the engine from now on."))

    def use_remote(self, address: str, token: str, certificate: str, agreed: bool) -> None:
        """Use an engine on another computer.

        Args:
            address: of the engine; a token in it goes before the other one.
            token: of the engine.
            certificate: PEM file to trust it by; '' for what this computer trusts.
            agreed: whether scans may be sent there.

        Raises:
            Problem: the person did not agree that scans are sent there, or gave no address.
        """
        address, pasted = engine_tokens.split_address(address)
        if not agreed:
            raise Problem(
                _("Scans would leave this computer, and you did not agree to that yet."),
                _("Tick the box below the address if they may."),
            )
        settings = self._session.settings
        engine_choice.agree(settings, address)
        engine_tokens.keep_token(address, pasted or token.strip())
        settings.remember("engine.address", address)
        settings.remember("engine.certificate", certificate)
        self._use(REMOTE, _("The engine at {address} is used from now on.").format(address=address))

    def _once_ended(self, doing: str, then: Callable[[], Any]) -> None:
        """Do something with an environment once no engine runs in it that works on a job."""

        def ended() -> None:
            self._ending = None
            then()

        def refused(error: Exception) -> None:
            self._ending = None
            if getattr(error, "code", "") == _WORKS:
                text = _("The engine still works on a job, of this project or of another one.")
                error = Problem(text, _("Wait for its end, or cancel it in the section Train."))
            self._failed(error)

        self._begin(doing)
        self._ending = self._session.engine.end_idle(ended, refused)

    def _use(self, kind: str, text: str) -> None:
        self._session.settings.remember("engine.kind", kind)
        self._session.set_project(None)
        self._session.set_client(None)
        self._end("info", text)
        self._session.engine.start()

    def _run(self, doing: str, python: Path, arguments: Sequence[str]) -> None:
        bootstrap = backend.backend_folder() / "bootstrap.py"
        self._begin(doing)
        self.line.emit(f"{python} {bootstrap} {' '.join(arguments)}")
        # Slicer's own variables would lead the new environment astray; bootstrap takes out what is left.
        environment = {**slicer.util.startupEnvironment(), "PYTHONUNBUFFERED": "1"}
        self._process.start([str(python), str(bootstrap), *arguments], environment)

    def _begin(self, doing: str) -> None:
        self.doing, self.outcome, self._lines, self._then = doing, ("", ""), [], None
        self.changed.emit()

    def _end(self, grade: str, text: str) -> None:
        self.doing, self.outcome = "", (grade, text)
        self.changed.emit()

    def _failed(self, error: Exception) -> None:
        self._end("error", str(error))

    def _take_line(self, text: str) -> None:
        self._lines.append(text)
        self.line.emit(text)

    def _process_ended(self, code: int | None, cancelled: bool) -> None:
        if cancelled:
            self._end("info", _("Stopped. Press the button again to go on."))
        elif code == 0 and self._then is not None:
            self._then()
        else:
            # The last lines say what was wrong and what to do; a check has said it line by line.
            told = " ".join(line.strip() for line in self._lines[-2:] if line.strip())
            self._end("error", told or _("It did not work, and nothing was printed."))

    def _show_points(self, points: Sequence[CheckPoint]) -> None:
        for point in points:
            self.line.emit(f"{_grade(point.grade)} {point.name}: {point.found}")
            if point.remedy:
                self.line.emit(f"        {point.remedy}")
        failed = [point for point in points if point.grade == "failed"]
        warned = [point for point in points if point.grade == "warning"]
        if failed:
            self._end("error", f"{failed[0].found}. {failed[0].remedy}")
        elif warned:
            self._end("info", f"{warned[0].found}: {warned[0].remedy}")
        else:
            self._end("info", _("Everything is as it should be."))


def _install_into_slicer() -> bool:
    """Install PyTorch, then the rest; returns whether there is PyTorch, which the person may refuse."""
    import PyTorchUtils
    from slicer.packaging import load_pyproject_dependencies, pip_ensure

    if PyTorchUtils.PyTorchUtilsLogic().installTorch(askConfirmation=True) is None:
        return False
    needed = load_pyproject_dependencies(backend.backend_folder() / "pyproject.toml")
    others = [each for each in needed if each.name != "torch"]
    pip_ensure(others, requester="MedSSL", skip_packages=["torch"])
    return True


def _grade(grade: str) -> str:
    return {"ok": "ok     ", "warning": "warning", "failed": "FAILED "}[grade]
