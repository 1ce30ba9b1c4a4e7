"""The environment of the engine: made, brought up to date, repaired, removed."""

from __future__ import annotations

import os
import shutil
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from medssl.host import find_nvidia_gpus
from medssl.occupancy import STAMP, occupants

from .installation import LOG, Installation, program, say
from .lock import locked
from .points import look, needed_bytes
from .problems import SetupError, explain_os
from .stamp import Stamp, fingerprint, read_stamp, write_stamp
from .torch_build import choose_build, pinned_version

_LOCK = "medssl-environment.lock"


@dataclass(frozen=True)
class Environment:
    """An environment in `folder` for the engine in `backend`. Nothing is done until a method is called."""

    folder: Path
    backend: Path

    @property
    def python(self) -> Path:
        """Its Python."""
        return self.program("python")

    def program(self, name: str) -> Path:
        """A program that is installed in it."""
        return program(self.folder, name)

    @property
    def begun(self) -> bool:
        """Whether an installation was begun here, finished or not."""
        return read_stamp(self.folder) is not None

    @property
    def ready(self) -> bool:
        """Whether it is finished and made from the engine as it is now."""
        stamp = read_stamp(self.folder)
        return stamp is not None and self._is_current(stamp, self._wanted(stamp, None, False)[0])

    def ensure(self, torch: str | None = None, with_tests: bool = False) -> None:
        """Make or change the environment until it is as wanted; at once back when it is so already.

        Args:
            torch: auto, cpu or a build such as cu130; None keeps what is there, and is auto at first.
            with_tests: whether the packages that only the tests need must be there; they stay once they are.

        Raises:
            SetupError: what is in the way, and what to do.
        """
        stamp = read_stamp(self.folder)
        wanted, _ = self._wanted(stamp, torch, with_tests)
        if stamp is not None and self._is_current(stamp, wanted):
            return
        self._refuse_what_is_not_ours(stamp)
        version = pinned_version(self.backend)
        whole = stamp is not None and self._is_whole(stamp)
        needed = 0 if whole else needed_bytes(wanted.torch, version is not None)
        for point in look(self.folder, needed, version is not None):
            if point.remedy:
                raise SetupError(f"{point.found}.", point.remedy)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._locked() as lock:
                stamp = read_stamp(self.folder)  # again: another process may have done it while we waited
                wanted, reason = self._wanted(stamp, torch, with_tests)
                if stamp is None or not self._is_current(stamp, wanted):
                    if reason:
                        say(reason)
                    self._install(stamp, wanted, lock)
        except OSError as error:
            raise explain_os(error, self.folder) from error

    def remove(self) -> None:
        """Delete the environment and nothing else.

        Raises:
            SetupError: `ensure` did not make what is in the folder, or a job runs in it.
        """
        stamp = read_stamp(self.folder)
        if stamp is None and not self.folder.exists():
            return
        self._refuse_what_is_not_ours(stamp)
        try:
            with self._locked():
                self._refuse_while_jobs_run()
                self._clear()
                (self.folder / LOG).unlink(missing_ok=True)
                if os.name != "nt":  # Windows does not delete an open file
                    (self.folder / _LOCK).unlink()
            (self.folder / _LOCK).unlink(missing_ok=True)
            self.folder.rmdir()
        except OSError as error:
            raise explain_os(error, self.folder) from error

    def _locked(self) -> AbstractContextManager[int]:
        return locked(
            self.folder / _LOCK, lambda: say(f"Another process is at work in {self.folder}: waiting.")
        )

    def _wanted(self, stamp: Stamp | None, torch: str | None, with_tests: bool) -> tuple[Stamp, str]:
        """The stamp of the finished environment, and the reason for its torch where it was chosen here."""
        reason = ""
        if torch is None and stamp is not None and stamp.torch:
            build = stamp.torch
        elif torch in (None, "auto"):
            build, reason = choose_build(find_nvidia_gpus())
        else:
            build = str(torch)
        wanted = Stamp(
            state="ready",
            folder=str(self.folder),
            backend=str(self.backend),
            fingerprint=fingerprint(self.backend),
            with_tests=with_tests or (stamp is not None and stamp.with_tests),
            torch=build,
            python=stamp.python if stamp else Stamp.python,
        )
        return wanted, reason

    def _is_current(self, stamp: Stamp, wanted: Stamp) -> bool:
        return stamp == wanted and self._is_whole(stamp)

    def _is_whole(self, stamp: Stamp) -> bool:
        # The Python of the environment is a link to the one it was made with, which may be gone.
        return stamp.state == "ready" and stamp.folder == str(self.folder) and self.python.exists()

    def _refuse_what_is_not_ours(self, stamp: Stamp | None) -> None:
        if stamp is not None or not self.folder.exists():
            return
        if not self.folder.is_dir():
            raise SetupError(f"{self.folder} is a file.", "Choose a folder with --env DIR.")
        if any(entry.name != _LOCK for entry in self.folder.iterdir()):
            raise SetupError(
                f"{self.folder} holds something that this program did not make.",
                "Choose another folder with --env DIR, or move that one away.",
            )

    def _refuse_while_jobs_run(self) -> None:
        """Jobs need no engine, so that they may go on here after theirs has ended."""
        running = occupants(self.folder)
        if running:
            raise SetupError(
                f"The environment in {self.folder} is needed: {'; '.join(running)}.",
                "Wait for its end, or cancel it in the panel or with 'medssl job cancel', and do this again.",
            )

    def _install(self, before: Stamp | None, wanted: Stamp, lock: int) -> None:
        keeps = before if before is not None and self._is_whole(before) else None
        if keeps is None:
            wanted = replace(wanted, python=Stamp.python)
        if keeps is None and before is not None:
            self._refuse_while_jobs_run()
            say(f"The environment in {self.folder} was not finished, was moved, or lost its Python.")
            say("It is made anew.")
        write_stamp(self.folder, replace(wanted, state="unfinished"))
        installation = Installation(self.folder, self.backend, lock)
        installation.log.write_text("", encoding="utf-8")
        if keeps is None:
            self._clear(but_keep_stamp=True)
            installation.make()
        torch_is_another = False
        try:
            torch_is_another = installation.add_torch(wanted.torch)
            installation.add_engine(wanted.with_tests)
        except SetupError:
            if keeps is not None and not torch_is_another:
                # pip has put back what it had changed: the old environment still works.
                write_stamp(self.folder, keeps)
            raise
        installation.compile()
        installation.try_torch()
        write_stamp(self.folder, wanted)
        say("The environment is ready.")

    def _clear(self, but_keep_stamp: bool = False) -> None:
        """Delete what is inside; the stamp last, so that a kill leaves a folder that is known as ours."""
        kept = {_LOCK, LOG}
        for entry in sorted(self.folder.iterdir(), key=lambda e: e.name.startswith(STAMP)):
            if entry.name in kept or (but_keep_stamp and entry.name == STAMP):
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
