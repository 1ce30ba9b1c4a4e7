"""The commands of `bootstrap.py`."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path

from medssl.host import find_nvidia_gpus

from .environment import Environment
from .points import look, needed_bytes
from .problems import SetupError
from .process import replace_this_process, run
from .steps import run_tests
from .torch_build import CHOICE, choose_build, pinned_version

_BACKEND = Path(__file__).resolve().parents[1]
_UNTESTABLE = (3, 14)  # slicer-core and pyjpegls (which highdicom needs) have no builds from here on
_COMMANDS = """commands:
  demo [options]     the whole job on scans of its own, and a report; options are those of 'medssl demo'
  medssl ...         the command line of MedSSL; everything after 'medssl' is handed on
  test               every check and test of the repository
  install            only make the environment, or bring it up to date
  check              say whether this computer has what is needed, and change nothing
  remove             delete the environment

The first three make the environment when it is not there."""


@dataclass(frozen=True)
class _Request:
    command: str
    environment: Environment
    torch: str | None
    rest: list[str]


def main(arguments: Sequence[str]) -> int:
    """Run one command; 0 done, 1 failed, 2 wrong use, 130 interrupted, or what the program returns."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(
                errors="backslashreplace"
            )  # a folder's name may be more than a console can show
    try:
        return _run(_parse(arguments))
    except SetupError as problem:
        print(f"{problem.what}\n{problem.remedy}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped. Start the same command again to go on.", file=sys.stderr)
        return 130


def _parse(arguments: Sequence[str]) -> _Request:
    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    options.add_argument(
        "--env", metavar="DIR", help="folder of the environment (default: .venv in the repository)"
    )
    options.add_argument(
        "--torch", metavar="BUILD", type=_torch, help="auto (default), cpu, or a CUDA build such as cu130"
    )
    parser = argparse.ArgumentParser(
        prog="bootstrap.py",
        parents=[options],
        allow_abbrev=False,
        description="Make an environment for MedSSL and run a command in it.",
        epilog=_COMMANDS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "command", choices=["demo", "medssl", "test", "install", "check", "remove"], metavar="COMMAND"
    )
    parser.add_argument("rest", nargs=argparse.REMAINDER, metavar="...", help=argparse.SUPPRESS)
    first = parser.parse_args(arguments)
    folder, torch, rest = first.env, first.torch, list(first.rest)
    if first.command != "medssl":
        later, rest = options.parse_known_args(rest)
        folder, torch = later.env or folder, later.torch or torch
        if rest and (first.command != "demo"):
            parser.error(f"{first.command} does not know {' '.join(rest)}")
    where = Path(folder).expanduser().absolute() if folder else _BACKEND.parent / ".venv"
    return _Request(first.command, Environment(where, _BACKEND), torch, rest)


def _torch(text: str) -> str:
    if CHOICE.fullmatch(text) is None:
        raise argparse.ArgumentTypeError(f"{text} is none of auto, cpu, cu1xx (such as cu130)")
    return text


@contextmanager
def _told_to_end_by_signal() -> Iterator[None]:
    """Take SIGTERM for a Ctrl+C, which whoever started this program may have switched off for it."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _run(request: _Request) -> int:
    environment = request.environment
    if request.command == "check":
        return _check(environment, request.torch)
    if request.command == "remove":
        environment.remove()
        print(f"There is no environment in {environment.folder} now.")
        return 0
    if request.command == "test" and sys.version_info[:2] >= _UNTESTABLE:
        newest = ".".join(map(str, _UNTESTABLE))
        raise SetupError(
            f"The tests need a Python before {newest}: slicer-core and pyjpegls have no builds for it yet.",
            "Start this command with an older one; everything else runs with this one too.",
        )
    with _told_to_end_by_signal():
        environment.ensure(request.torch, with_tests=request.command == "test")
    if request.command == "install":
        print(f"The command line is {environment.program('medssl')}")
        return 0
    if request.command == "test":
        return run_tests(environment)
    first = ["demo"] if request.command == "demo" else []
    return replace_this_process([environment.program("medssl"), *first, *request.rest])


def _check(environment: Environment, torch: str | None) -> int:
    if environment.ready:
        print(f"The environment in {environment.folder} is ready.", flush=True)
        return run([environment.program("medssl"), "doctor"])
    chosen, reason = choose_build(find_nvidia_gpus())
    build = torch if torch not in (None, "auto") else chosen
    with_torch = pinned_version(environment.backend) is not None
    points = look(environment.folder, needed_bytes(str(build), with_torch), with_torch)
    for point in points:
        print(f"{'ok     ' if not point.remedy else 'FAILED '} {point.name}: {point.found}")
        if point.remedy:
            print(f"        {point.remedy}")
    there = "Nothing is installed yet."
    if environment.begun:
        there = f"The environment in {environment.folder} is unfinished or out of date; install repairs it."
    print(f"        {reason}\n{there}")
    return 1 if any(point.remedy for point in points) else 0
