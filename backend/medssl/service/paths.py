"""Which files a request may name: those inside the allowed folders, by whatever way the path gets there."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, TypeVar

from pydantic import BaseModel

from medssl.errors import MedSSLError
from medssl.storage import storage_error

AnyModel = TypeVar("AnyModel", bound=BaseModel)


class PathError(MedSSLError):
    """A path that a request may not name."""

    code: ClassVar[str] = "path"


class Roots:
    """The folders that requests may touch."""

    def __init__(self, folders: Sequence[Path], uploads: Path) -> None:
        """Make missing folders.

        Args:
            folders: what the person who started the service allows.
            uploads: where uploaded files are; allowed too, but not told.

        Raises:
            StorageError: a folder cannot be made.
        """
        for folder in (*folders, uploads):
            _make(folder)
        self.folders = tuple(folder.absolute() for folder in folders)
        named = (*self.folders, uploads.absolute())
        self._named = tuple(dict.fromkeys((*named, *(folder.resolve() for folder in named))))
        self._real = tuple(folder.resolve() for folder in named)

    def inside(self, path: Path) -> Path:
        """Return a path with every link in it followed, once it is certain that it is allowed.

        Args:
            path: absolute; what it names need not exist.

        Raises:
            PathError: it leads out of the allowed folders, or to something that is no file and no folder.
        """
        text = str(path)
        if "\0" in text or not path.is_absolute():
            raise PathError(f"The path {text[:200]!r} is not a full path.", "Give a path from the root on.")
        if ".." in path.parts:
            raise PathError(f"The path {path} holds '..'.", "Give the path without it.")
        # By name first: nobody learns what is outside, and no network drive is touched.
        if not any(path.is_relative_to(root) for root in self._named):
            raise self._outside(path)
        try:
            real = path.resolve()
            mode = _mode(real)
        except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: a circle of links, before 3.13
            raise PathError(f"The path {text[:200]} cannot be followed.", "Check the path.") from error
        if not any(real.is_relative_to(root) for root in self._real):
            raise self._outside(path)
        if mode is not None and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise PathError(f"{path} is neither a file nor a folder.", "Name a file or a folder.")
        return real

    def below(self, real: Path) -> Path:
        """Return the way to a path that `inside` answered, from the innermost allowed folder on.

        What lies above that one, hidden folders too, was allowed with it.
        """
        above = (root for root in self._real if real.is_relative_to(root))
        return real.relative_to(max(above, key=lambda root: len(root.parts)))

    def inside_request(self, request: AnyModel) -> AnyModel:
        """Return a request whose paths, however deep in it, were all checked by `inside`."""
        return request.model_copy(
            update={name: self._checked(getattr(request, name)) for name in type(request).model_fields}
        )

    def _checked(self, value: object) -> object:
        if isinstance(value, os.PathLike):
            return self.inside(Path(value))
        if isinstance(value, BaseModel):
            return self.inside_request(value)
        if isinstance(value, (tuple, list)):
            return type(value)(self._checked(each) for each in value)
        return value

    def _outside(self, path: Path) -> PathError:
        allowed = ", ".join(map(str, self.folders))
        return PathError(
            f"{path} is outside the folders that this service may touch ({allowed}).",
            "Choose a path inside, or start the service with --root for another folder.",
        )


def _mode(path: Path) -> int | None:
    """What a path is, as `stat` says it; None where there is nothing."""
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, folder) from error
