"""The environment of the engine: made, brought up to date, repaired, removed."""

from __future__ import annotations

import os
import re
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from medssl.host import find_nvidia_gpus

from .lock import locked
from .points import look, needed_bytes
from .problems import NOT_FOUND, SetupError, explain, explain_os
from .process import run_logged
from .stamp import Stamp, fingerprint, read_stamp, write_stamp
from .torch_build import attempts, choose_build, pinned_version

LOG = "install.log"
_LOCK = "medssl-environment.lock"
_DOWNLOAD = re.compile(r"\s*Downloading (?:\S*/)?([^-\s]+)-([^-\s]+)\S* \((\d+(?:\.\d+)? [MG]B)\)")
_UNPACK = re.compile(r"Installing collected packages: (.+)")


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
        return (
            self.folder
            / ("Scripts" if os.name == "nt" else "bin")
            / (f"{name}.exe" if os.name == "nt" else name)
        )

    @property
    def ready(self) -> bool:
        """Whether it is finished and made from the engine as it is now."""
        stamp = read_stamp(self.folder)
        return stamp is not None and self._is_current(stamp, self._wanted(stamp, None, False))

    def ensure(self, torch: str | None = None, with_tests: bool = False) -> None:
        """Make or change the environment until it is as wanted; at once back when it is so already.

        Args:
            torch: auto, cpu or a build such as cu130; None keeps what is there, and is auto at first.
            with_tests: whether the packages that only the tests need must be there; they stay once they are.

        Raises:
            SetupError: what is in the way, and what to do.
        """
        stamp = read_stamp(self.folder)
        wanted = self._wanted(stamp, torch, with_tests)
        if stamp is not None and self._is_current(stamp, wanted):
            return
        self._refuse_what_is_not_ours(stamp)
        version = pinned_version(self.backend)
        needed = 0 if stamp else needed_bytes(wanted.torch, version is not None)
        for point in look(self.folder, needed, version is not None):
            if point.remedy:
                raise SetupError(f"{point.found}.", point.remedy)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with locked(
                self.folder / _LOCK, lambda: _say(f"Another process is at work in {self.folder}: waiting.")
            ):
                stamp = read_stamp(self.folder)
                if stamp is None or not self._is_current(stamp, wanted):
                    self._install(stamp, wanted)
        except OSError as error:
            raise explain_os(error, self.folder) from error

    def remove(self) -> None:
        """Delete the environment and nothing else; refuses a folder that `ensure` did not make."""
        stamp = read_stamp(self.folder)
        if stamp is None and not self.folder.exists():
            return
        self._refuse_what_is_not_ours(stamp)
        try:
            with locked(
                self.folder / _LOCK, lambda: _say(f"Another process is at work in {self.folder}: waiting.")
            ):
                self._clear()
                (self.folder / LOG).unlink(missing_ok=True)
                if os.name != "nt":  # Windows does not delete an open file
                    (self.folder / _LOCK).unlink()
            (self.folder / _LOCK).unlink(missing_ok=True)
            self.folder.rmdir()
        except OSError as error:
            raise explain_os(error, self.folder) from error

    def _wanted(self, stamp: Stamp | None, torch: str | None, with_tests: bool) -> Stamp:
        if torch is None and stamp is not None and stamp.torch:
            build = stamp.torch
        elif torch in (None, "auto"):
            build, reason = choose_build(find_nvidia_gpus())
            _say(reason)
        else:
            build = str(torch)
        return Stamp(
            state="ready",
            folder=str(self.folder),
            backend=str(self.backend),
            fingerprint=fingerprint(self.backend),
            with_tests=with_tests or (stamp is not None and stamp.with_tests),
            torch=build,
            python=stamp.python if stamp else Stamp.python,
        )

    def _is_current(self, stamp: Stamp, wanted: Stamp) -> bool:
        # The Python of the environment is a link to the one it was made with, which may be gone.
        return stamp == wanted and self.python.exists()

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

    def _install(self, before: Stamp | None, wanted: Stamp) -> None:
        whole = before is not None and before.state == "ready" and before.folder == str(self.folder)
        keeps = before if whole and self.python.exists() else None
        if keeps is None:
            wanted = replace(wanted, python=Stamp.python)
            if before is not None:
                _say(f"The environment in {self.folder} was not finished, or was moved: making it anew.")
        write_stamp(self.folder, replace(wanted, state="unfinished"))
        (self.folder / LOG).write_text("", encoding="utf-8")
        if keeps is None:
            self._clear(but_keep_stamp=True)
            _say(f"Making an environment in {self.folder}.")
            self._run(sys.executable, "-m", "venv", self.folder)
        try:
            self._install_torch(wanted.torch)
            self._install_engine(wanted.with_tests)
        except SetupError:
            if keeps is not None:
                write_stamp(
                    self.folder, keeps
                )  # pip has put back what it had changed: the old one still works
            raise
        write_stamp(self.folder, wanted)
        _say("The environment is ready.")

    def _install_torch(self, build: str) -> None:
        version = pinned_version(self.backend)
        if version is None:
            return
        tries = attempts(build, version)
        for attempt in tries:
            source = ["--index-url", attempt.index] if attempt.index else []
            where = attempt.index or "pip's own sources"
            _say(f"Asking {where} for {attempt.requirement}.")
            # Without its dependencies: the engine's installation brings them, in the tested versions.
            code, text = self._pip("install", "--no-deps", *source, attempt.requirement)
            if code == 0:
                break
            if attempt is tries[-1] or not (NOT_FOUND.search(text) or attempt.index):
                raise self._no_torch(text, build, version)
        code, text = run_logged([self.python, "-c", "import torch"], self.folder / LOG, lambda _: None)
        if code != 0 and "No module named" not in text:
            raise SetupError(
                f"torch {version} was installed but does not start: {text.strip().splitlines()[-1]}",
                "On Windows install the Visual C++ Redistributable "
                "(https://aka.ms/vs/17/release/vc_redist.x64.exe); elsewhere try --torch cpu.",
            )

    def _no_torch(self, text: str, build: str, version: str) -> SetupError:
        found = explain(text, self.folder / LOG)
        if not found.what.startswith("There is no build"):
            return found
        return SetupError(
            f"There is no build {build} of torch {version} for this computer.",
            f"Try --torch auto, or --torch cpu. Details: {self.folder / LOG}",
        )

    def _install_engine(self, with_tests: bool) -> None:
        _say("Installing the engine and what it needs.")
        engine = f"{self.backend}[test]" if with_tests else str(self.backend)
        constraints = self.backend / "constraints" / "cpu.txt"
        code, text = self._pip(
            "install", "--prefer-binary", "--constraint", constraints, "--editable", engine
        )
        if code != 0:
            raise explain(text, self.folder / LOG)

    def _pip(self, command: str, *arguments: str | Path) -> tuple[int, str]:
        pip = ("-m", "pip", "--no-input", "--disable-pip-version-check", command, "--no-user")
        return run_logged([self.python, *pip, *arguments], self.folder / LOG, _say_progress)

    def _run(self, *command: str | Path) -> None:
        code, text = run_logged(command, self.folder / LOG, lambda _: None)
        if code != 0:
            raise explain(text, self.folder / LOG)

    def _clear(self, but_keep_stamp: bool = False) -> None:
        """Delete what is inside; the stamp last, so that a kill leaves a folder that is known as ours."""
        kept = {_LOCK, LOG}
        for entry in sorted(
            self.folder.iterdir(), key=lambda e: e.name.startswith("medssl-environment.json")
        ):
            if entry.name in kept or (but_keep_stamp and entry.name == "medssl-environment.json"):
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()


def _say_progress(line: str) -> None:
    download, unpack = _DOWNLOAD.match(line), _UNPACK.match(line)
    if download:
        _say(f"  downloading {download.group(1)} {download.group(2)} ({download.group(3)})")
    elif unpack:
        _say(f"  unpacking {len(unpack.group(1).split(', '))} packages")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
