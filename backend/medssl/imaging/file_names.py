"""Names of files that are no text, as of old archives in Latin-1."""

from __future__ import annotations

from pathlib import Path

from medssl.access import escaped, is_text
from medssl.errors import ImageError


def check_name(path: Path) -> None:
    """Raise `ImageError` when the name of a file, or of a folder above it, is no text."""
    if not is_text(path):
        raise ImageError(
            f"The name of {escaped(path)} is not written in UTF-8, so it cannot be opened.", "Rename it."
        )
