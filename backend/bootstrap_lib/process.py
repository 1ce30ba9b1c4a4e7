"""Starting programs in the environment, without what another program has left in the variables."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

# They would make the environment's Python look elsewhere, or pip install elsewhere.
_REMOVED = {
    "PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONEXECUTABLE", "__PYVENV_LAUNCHER__", "PYTHONUSERBASE",
    "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_REQUIRE_VIRTUALENV",
}  # fmt: skip
_WINDOWS_INTERRUPTED = 0xC000013A  # what a program returns that Ctrl+C has ended
# Lists of folders; only those inside 3D Slicer are taken out, because a cluster's own may be needed.
_SEARCH_PATHS = {"PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "QT_PLUGIN_PATH"}


def clean_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables for a child: without those that lead its Python astray, such as 3D Slicer's.

    3D Slicer's launcher sets SLICER_HOME, PYTHONHOME, and its own folders in the search paths.
    """
    slicer = variables.get("SLICER_HOME", "")
    kept = {}
    for name, value in variables.items():
        if name.upper() in _REMOVED:
            continue
        if slicer and name.upper() in _SEARCH_PATHS:
            value = os.pathsep.join(p for p in value.split(os.pathsep) if not _inside(p, slicer))
            if not value:
                continue
        kept[name] = value
    return kept


def _inside(path: str, folder: str) -> bool:
    path, folder = os.path.normcase(os.path.normpath(path)), os.path.normcase(os.path.normpath(folder))
    return path == folder or path.startswith(folder + os.sep)


def run(command: Sequence[str | Path], folder: Path | None = None) -> int:
    """Run a program to its end on this terminal; its exit code, or 130 when it was interrupted."""
    arguments = [str(part) for part in command]
    child = subprocess.Popen(arguments, cwd=folder, env=clean_environment(os.environ))
    while True:
        try:
            code = child.wait()
            return 130 if code in (-signal.SIGINT, _WINDOWS_INTERRUPTED) else code
        except KeyboardInterrupt:  # noqa: PERF203 - it is a wait, not a loop over things
            continue  # the terminal has told the child too, and it ends in its own way


def run_logged(
    command: Sequence[str | Path], log: Path, on_line: Callable[[str], None], lock: int
) -> tuple[int, str]:
    """Run a program, add what it prints to `log`, and hand each line on; exit code and all it printed.

    The program keeps the open file `lock`, and with it the lock, to its own end.
    """
    arguments = [str(part) for part in command]
    lines = []
    with log.open("a", encoding="utf-8") as written:
        written.write(f"\n$ {subprocess.list2cmdline(arguments)}\n")
        with subprocess.Popen(
            arguments,
            env=clean_environment(os.environ),
            pass_fds=() if os.name == "nt" else (lock,),
            start_new_session=True,  # so that `_end` reaches what it has started in its turn
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        ) as child:
            try:
                assert child.stdout is not None  # it is a pipe, see above
                for line in child.stdout:
                    lines.append(line)
                    written.write(line)
                    on_line(line.rstrip())
            except BaseException:
                _end(child)  # never leave a pip behind that goes on changing the environment
                raise
    return child.returncode, "".join(lines)


def _end(child: subprocess.Popen[str]) -> None:
    """End a program and, where that is known, those that it started: `python -m venv` starts pip."""
    if sys.platform == "win32":
        child.kill()
    else:
        os.killpg(child.pid, signal.SIGKILL)


def replace_this_process(command: Sequence[str | Path]) -> int:  # noqa: RET503 - execve never returns
    """Become the program, so that signals and the terminal are its own; Windows only waits for it."""
    if sys.platform == "win32":
        return run(command)
    sys.stdout.flush()
    sys.stderr.flush()
    arguments = [str(part) for part in command]
    os.execve(arguments[0], arguments, clean_environment(os.environ))
