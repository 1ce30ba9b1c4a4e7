"""Standard output and error: text that each reader takes, and readers that go before the end."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import TextIO

NOBODY_READS = 141  # as shells call a program that a closed pipe ended: 128 and the number of SIGPIPE
_CLOSED = (errno.EPIPE, errno.EINVAL)  # Windows calls a closed pipe an invalid argument


class NobodyReadsError(Exception):
    """Whoever read standard output has gone."""


def take_every_text() -> None:
    """Let the streams of this process take whatever is in a name.

    A program gets UTF-8 on every computer, also where Windows would write in its old code page. A terminal
    keeps its encoding, and shows the letters that it lacks as escapes.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="backslashreplace")


def put(text: str) -> None:
    """Write a text and the end of its line to standard output, at once.

    Raises:
        NobodyReadsError: the other end was closed.
    """
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except OSError as error:
        if error.errno in _CLOSED:
            raise NobodyReadsError from error
        raise


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
    except OSError:
        _silence(sys.stdout)


def _silence(stream: TextIO) -> None:
    with suppress(OSError):  # it is no file, and then nothing is left in it
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
