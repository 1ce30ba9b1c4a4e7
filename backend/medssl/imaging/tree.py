"""Going through a folder of scans, past what is hidden and past what MedSSL itself put there."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from medssl.errors import ImageError
from medssl.imaging.file_names import check_name
from medssl.imaging.formats import SEGMENTATION_SUFFIX, suffix_of
from medssl.imaging.own_files import DATABASE_NAME, RESULTS_FOLDER, is_project, results_in


@dataclass(frozen=True)
class Tree:
    """What a folder holds.

    Attributes:
        volumes: files of images.
        others: files that may be DICOM.
        projects: folders that are projects, into which nobody looked.
        refused: what cannot be opened, and why.
    """

    volumes: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    projects: list[Path] = field(default_factory=list)
    refused: list[tuple[Path, ImageError]] = field(default_factory=list)


def walk(top: Path, recursive: bool) -> Tree:
    """List the files of a folder that may be scans.

    Hidden files and folders, segmentations (`.seg.nrrd`) and the results of earlier runs are passed over.

    Raises:
        ImageError: the folder may not be read, or is a project.
    """

    def refuse(error: OSError) -> None:
        raise ImageError(f"{error.filename} may not be read.", "Ask for permission to read it.") from error

    if is_project(top):
        raise ImageError(
            f"{top} is a project of MedSSL, and what it holds are no scans.",
            "Choose the folder of the scans themselves.",
        )
    tree, results = Tree(), set[Path]()
    for parent, folders, names in os.walk(top, onerror=refuse):
        here = Path(parent)
        if DATABASE_NAME in names:
            tree.projects.append(here)
            folders.clear()
            continue
        if RESULTS_FOLDER in folders:
            results |= results_in(here) | results_in(here.resolve())
        folders[:] = sorted(name for name in folders if recursive and not name.startswith("."))
        folders[:] = [name for name in folders if _has_name(here / name, tree)]
        for name in sorted(names):
            if not name.startswith("."):
                _sort_in(here / name, tree)
    # Only now, since a link may point into a folder that comes later.
    tree.volumes[:] = [file for file in tree.volumes if not _is_result(file, results)]
    return tree


def _is_result(file: Path, results: set[Path]) -> bool:
    """Whether a run wrote a file, or the one that a link points to."""
    return bool(results) and (file in results or (file.is_symlink() and file.resolve() in results))


def _has_name(path: Path, tree: Tree) -> bool:
    """Whether the name of a file or folder is text; if not, it is refused."""
    try:
        check_name(path)
    except ImageError as error:
        tree.refused.append((path, error))
        return False
    return True


def _sort_in(file: Path, tree: Tree) -> None:
    suffix = suffix_of(file)
    if suffix is None:
        tree.others.append(file)
    elif suffix not in (SEGMENTATION_SUFFIX, ".seg.nhdr") and _has_name(file, tree):
        tree.volumes.append(file)
