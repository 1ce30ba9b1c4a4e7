"""What can go wrong on the way to a working environment, in a person's words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path


class SetupError(Exception):
    """Something that only the person can put right: what it is, and what to do about it."""

    def __init__(self, what: str, remedy: str) -> None:
        """Keep both sentences."""
        self.what = what
        self.remedy = remedy
        super().__init__(f"{what} {remedy}")


@dataclass(frozen=True)
class _Symptom:
    pattern: str
    what: str
    remedy: str


# In this order: a full disk or a dead network also makes pip say that it found no fitting version.
_SYMPTOMS = (
    _Symptom(
        r"No space left on device|Errno 28\b|not enough space on the disk|Disk quota exceeded",
        "The disk is full.",
        "Free some gigabytes (or choose another disk with --env DIR; pip also uses the folder for temporary "
        "files, TMPDIR or TEMP) and start the same command again.",
    ),
    _Symptom(
        r"CERTIFICATE_VERIFY_FAILED|SSLCertVerificationError",
        "The package server's certificate is not trusted here.",
        "Behind a company's proxy, tell pip of its certificate (pip config set global.cert FILE) and start "
        "the same command again.",
    ),
    _Symptom(
        r"Retrying \(Retry|NewConnectionError|ConnectTimeout|ProxyError|Temporary failure in name resolution"
        r"|getaddrinfo failed|Network is unreachable|ReadTimeoutError|Connection aborted|NameResolutionError",
        "The package server could not be reached.",
        "Connect this computer to the internet (behind a proxy, set HTTPS_PROXY) and start the same command "
        "again; what was downloaded already is kept.",
    ),
    _Symptom(
        r"long path|WinError 206|File name too long",
        "A path became too long for this computer.",
        "Choose a short folder for the environment, such as --env C:\\medssl-env, or switch long paths on in "
        "Windows, and start the same command again.",
    ),
    _Symptom(
        r"Microsoft Visual C\+\+|command '?\S*(gcc|g\+\+|cc|clang|cl\.exe)'? failed|Failed building wheel"
        r"|unable to execute '\S*(gcc|cc)'"
        r"|No such file or directory: '(gcc|cc|c\+\+)'|Python\.h: No such file",
        "A package has no ready build for this computer, and there is no compiler to build it with.",
        "Use a Python between 3.10 and 3.14 of the usual kind (64 bits, from python.org or the system), or "
        "install a compiler (Debian and Ubuntu: apt install build-essential python3-dev; macOS: xcode-select "
        "--install; Windows: the Visual C++ Build Tools).",
    ),
    _Symptom(
        r"Permission denied|Errno 13\b|WinError 5\b|WinError 32\b|Read-only file system|Access is denied",
        "A file of the environment may not be written, or another program holds it.",
        "End programs that use the environment, or choose a folder of your own with --env DIR, and start the "
        "same command again.",
    ),
)
_NOT_FOUND = re.compile(r"No matching distribution found for ([^\s;]+)")


def found_nothing(text: str) -> bool:
    """Whether pip's sources answered that they do not have what was asked for."""
    return _symptom(text) is None and _NOT_FOUND.search(text) is not None


def _symptom(text: str) -> _Symptom | None:
    return next((each for each in _SYMPTOMS if re.search(each.pattern, text, re.IGNORECASE)), None)


def explain(text: str, log: Path) -> SetupError:
    """Turn what pip printed into a sentence for a person; `log` holds all of it."""
    symptom = _symptom(text)
    if symptom is not None:
        return SetupError(symptom.what, f"{symptom.remedy} Details: {log}")
    missing = _NOT_FOUND.search(text)
    if missing:
        return SetupError(
            f"There is no build of {missing.group(1)} for this Python and this computer.",
            f"Try another Python between 3.10 and 3.14 of 64 bits. Details: {log}",
        )
    errors = [line.strip() for line in text.splitlines() if line.strip().lower().startswith("error")]
    reason = f": {errors[-1]}" if errors else "."
    return SetupError(
        f"The installation failed{reason}", f"Start the same command again; details, for who helps you: {log}"
    )


def explain_os(error: OSError, folder: Path) -> SetupError:
    """Turn the operating system's refusal about the environment's folder into a sentence for a person."""
    found = explain(f"{error} {error.strerror}", folder)
    what = f"The environment in {folder} could not be written: {error.strerror or error}."
    return SetupError(what, found.remedy.partition(" Details:")[0])
