"""Where a project's files are and what they are called."""

from __future__ import annotations

import re
import secrets
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath

from medssl.errors import UsageError
from medssl.project.database import Database

_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)  # on Windows
_LONGEST_FOLDER_NAME = 60  # characters; Windows allows 260 for a whole path
_DIGITS = re.compile("[0-9]+")


@dataclass(frozen=True)
class Store:
    """A project's folder and its database.

    In the database, paths inside the folder are relative, so that the folder can be copied elsewhere.
    """

    folder: Path
    database: Database

    def to_stored(self, path: Path) -> str:
        """Turn an absolute path into its text in the database."""
        if path.is_relative_to(self.folder):
            return path.relative_to(self.folder).as_posix()
        return str(path)

    def to_path(self, stored: str) -> Path:
        """Turn text of the database into an absolute path."""
        return self.folder / Path(PurePosixPath(stored))


def kept_name(name: str) -> str:
    """Turn a name, as of a file, into the form in which projects keep names; see `checked_name`."""
    return unicodedata.normalize("NFC", name).strip()


def checked_name(name: str, what: str) -> str:
    """Return a name as it is kept: without space around it, in one Unicode form.

    Raises:
        UsageError: it is empty, has characters that cannot be shown, or is longer than 255 characters.
    """
    name = kept_name(name)
    if not name:
        raise UsageError(f"The name of {what} is empty.", "Give it a name.")
    if len(name) > 255:
        raise UsageError(
            f"The name of {what}, '{name[:40]}...', has {len(name)} characters.", "Use up to 255."
        )
    if not name.isprintable():
        raise UsageError(
            f"The name of {what}, {name!r}, has characters that cannot be shown.",
            "Use letters, digits and signs.",
        )
    return name


def folder_name(name: str) -> str:
    """Turn a name into one that every file system takes: nothing reserved, nothing hidden, not long."""
    kept = re.sub(r'[<>:"/\\|?*\x00-\x1f]', "_", name)[:_LONGEST_FOLDER_NAME]
    # File systems count bytes, of which a character may have four.
    kept = kept.encode()[: 2 * _LONGEST_FOLDER_NAME].decode(errors="ignore").strip(". ")
    return f"_{kept}" if not kept or _RESERVED.fullmatch(kept) else kept


def search_name(name: str) -> str:
    """Turn a name or a part of one into what is compared when searching, without regard to case."""
    return unicodedata.normalize("NFC", name).casefold()


def sort_name(name: str) -> str:
    """Turn a name into what is compared when sorting: 'case 9' comes before 'Case 10'."""
    return _DIGITS.sub(lambda digits: digits.group().zfill(12), search_name(name))


def next_number(folder: Path, prefix: str, highest: int) -> int:
    """Return the first number above `highest` and above those of all files `<prefix><number>...` in a folder.

    A program killed between a file and its row leaves a file nobody knows: its number is never used again.
    """
    numbered = re.compile(rf"{re.escape(prefix)}([0-9]+)\D.*")
    found = [numbered.fullmatch(path.name) for path in folder.glob(f"{prefix}*")]
    return 1 + max([highest, *(int(match.group(1)) for match in found if match)])


def new_id() -> str:
    """Make an id that sorts by time, and that a copy of the project on another computer will not make too."""
    return f"{now():%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def now() -> datetime:
    """Return the present moment, in UTC."""
    return datetime.now(timezone.utc)
