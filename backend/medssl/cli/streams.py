"""Standard output and error: text that each reader takes, and readers that go before the end."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from typing import TextIO

NOBODY_READS = 141  # as shells call a program that a closed pipe ended: 128 and the number of SIGPIPE
_CLOSED = (errno.EPIPE, errno.EINVAL)  # Windows calls a closed pipe an invalid argument


class NobodyReadsError(Exception):
    """Whoever read standard output has gone."""


class _Output(TextIOWrapper):
    """Standard output of which all who write hear the same when its reader has gone.

    What prints the help would end the process with a code of its own, and on Windows take a closed pipe for
    a fault of the program.
    """

    def write(self, text: str) -> int:
        """See `TextIOWrapper`; raises `NobodyReadsError`."""
        with _somebody_reads():
            return super().write(text)

    def flush(self) -> None:
        """See `TextIOWrapper`; raises `NobodyReadsError`."""
        with _somebody_reads():
            super().flush()


@contextmanager
def _somebody_reads() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _CLOSED:
            raise NobodyReadsError from error
        raise


def prepare() -> None:
    """Let the streams of this process take whatever is in a name, and say when nobody reads the output.

    A program gets UTF-8 on every computer, also where Windows would write in its old code page. A terminal
    keeps its encoding, and shows the letters that it lacks as escapes.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="backslashreplace")
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout = _Output(
            sys.stdout.buffer,
            sys.stdout.encoding,
            sys.stdout.errors,
            line_buffering=sys.stdout.line_buffering,
            write_through=sys.stdout.write_through,
        )


def put(text: str) -> None:
    """Write a text and the end of its line to standard output, at once.

    Raises:
        NobodyReadsError: the other end was closed.
    """
    with _somebody_reads():
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def tell(text: str) -> None:
    """Write a line to standard error; when nobody reads that any more, nobody is told."""
    try:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
    except OSError:
        _silence(sys.stderr)


def release() -> None:
    """Drop what nobody read of standard output: Python would complain of it when the process ends."""
    try:
        sys.stdout.flush()
    except (OSError, NobodyReadsError):
        _silence(sys.stdout)


def _silence(stream: TextIO) -> None:
    with suppress(OSError):  # it is no file, and then nothing is left in it
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
