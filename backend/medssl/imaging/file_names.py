"""Files that cannot be opened: by their name, as of old archives in Latin-1, or for lack of permission."""

from __future__ import annotations

import os
from pathlib import Path

from medssl.errors import ImageError


def is_text(path: Path) -> bool:
    """Whether a path can be written as text; image libraries end the process over one that cannot."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def escaped(path: Path) -> Path:
    """Return a path that can be shown, with the bytes that are no text written out: `M\\xfcller`."""
    return path if is_text(path) else Path(os.fsencode(path).decode(errors="backslashreplace"))


def check_name(path: Path) -> None:
    """Raise `ImageError` when the name of a file, or of a folder above it, is no text."""
    if not is_text(path):
        raise ImageError(
            f"The name of {escaped(path)} is not written in UTF-8, so it cannot be opened.", "Rename it."
        )


def may_not_be_read(path: Path) -> ImageError:
    """Say that a file or a folder is not for this person's eyes."""
    return ImageError(f"{escaped(path)} may not be read.", "Ask for permission to read it.")
