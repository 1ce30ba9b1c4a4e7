"""What goes into an environment, step by step, with pip; all that is printed goes into its log."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from .problems import SetupError, explain, found_nothing
from .process import run_logged
from .torch_build import attempts, pinned_version

LOG = "install.log"
_DOWNLOAD = re.compile(r"\s*Downloading (?:\S*/)?([^-\s]+)-([^-\s]+)\S* \((\d+(?:\.\d+)? [MG]B)\)")
_UNPACK = re.compile(r"Installing collected packages: (.+)")


def program(folder: Path, name: str) -> Path:
    """Where a program of the environment in `folder` lies."""
    return folder / "Scripts" / f"{name}.exe" if os.name == "nt" else folder / "bin" / name


def say(text: str) -> None:
    """Tell the person what happens, apart from the output of the command that was asked for."""
    print(text, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Installation:
    """The steps for one environment. `lock` is an open file that the started programs hold on to."""

    folder: Path
    backend: Path
    lock: int

    @property
    def log(self) -> Path:
        """The file with all that was printed."""
        return self.folder / LOG

    def make(self) -> None:
        """Make the environment itself, with pip."""
        say(f"Making an environment in {self.folder}.")
        code, text = self._start(sys.executable, "-m", "venv", self.folder)
        if code != 0:
            raise explain(text, self.log)

    def add_torch(self, build: str) -> bool:
        """Install the tested version of torch in this build; whether that changed the environment."""
        version = pinned_version(self.backend)
        if version is None:
            return False
        tries = attempts(build, version)
        for attempt in tries:
            source = ["--index-url", attempt.index] if attempt.index else []
            say(f"Asking {attempt.index or 'the sources of pip'} for {attempt.requirement}.")
            # Without its dependencies: the engine's installation brings them, in the tested versions.
            code, text = self._pip("--no-deps", *source, attempt.requirement)
            if code == 0:
                return _UNPACK.search(text) is not None
            # The sources of pip must answer, or nothing else can be installed either.
            goes_on = attempt.index is not None or found_nothing(text)
            if attempt is tries[-1] or not goes_on:
                raise self._no_torch(text, build, version)
        return False

    def add_engine(self, with_tests: bool) -> None:
        """Install the engine, used where it lies, and the tested versions of what it needs."""
        say("Installing the engine and what it needs.")
        engine = f"{self.backend}[test]" if with_tests else str(self.backend)
        constraints = self.backend / "constraints" / "cpu.txt"
        code, text = self._pip("--prefer-binary", "--constraint", constraints, "--editable", engine)
        if code != 0:
            raise explain(text, self.log)

    def compile(self) -> None:
        """Compile what was installed on every core: pip does it on one, which is half of its time.

        What is not compiled here, Python compiles when it first imports it, so no failure matters.
        """
        libraries = self.folder / ("Lib" if os.name == "nt" else "lib")
        self._start(program(self.folder, "python"), "-m", "compileall", "-q", "-j", "0", libraries)

    def try_torch(self) -> None:
        """Load torch once: what it lacks of the system shows here and not in the middle of the work."""
        if pinned_version(self.backend) is None:
            return
        code, text = self._start(program(self.folder, "python"), "-c", "import torch")
        if code != 0:
            raise SetupError(
                f"torch was installed but does not start: {text.strip().splitlines()[-1]}",
                "On Windows install the Visual C++ Redistributable "
                "(https://aka.ms/vs/17/release/vc_redist.x64.exe); elsewhere try --torch cpu.",
            )

    def _no_torch(self, text: str, build: str, version: str) -> SetupError:
        if not found_nothing(text):
            return explain(text, self.log)
        return SetupError(
            f"There is no build {build} of torch {version} for this computer.",
            f"Try --torch auto, or --torch cpu. Details: {self.log}",
        )

    def _pip(self, *arguments: str | Path) -> tuple[int, str]:
        pip = ("-m", "pip", "--no-input", "--disable-pip-version-check", "install", "--no-user")
        return self._start(program(self.folder, "python"), *pip, "--no-compile", *arguments)

    def _start(self, *command: str | Path) -> tuple[int, str]:
        return run_logged(command, self.log, _say_progress, self.lock)


def _say_progress(line: str) -> None:
    download, unpack = _DOWNLOAD.match(line), _UNPACK.match(line)
    if download:
        say(f"  downloading {download.group(1)} {download.group(2)} ({download.group(3)})")
    elif unpack:
        say(f"  unpacking {unpack.group(1).count(',') + 1} packages")
