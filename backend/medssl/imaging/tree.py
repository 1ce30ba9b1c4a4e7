"""Going through a folder of scans, past what is hidden and past what MedSSL itself put there."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from medssl.access import cannot_be_read
from medssl.errors import ImageError
from medssl.imaging.file_names import check_name
from medssl.imaging.formats import SEGMENTATION_SUFFIX, suffix_of
from medssl.imaging.own_files import DATABASE_NAME, RESULTS_FOLDER, results_in


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

    Hidden files and folders, segmentations (`.seg.nrrd`) and the results of earlier runs are passed over. A
    folder in it that may not be read, as the `lost+found` of a disk, is refused, and the others go on.

    Raises:
        ImageError: the folder itself may not be read, or is a project.
    """

    tree, results = Tree(), set[Path]()

    def refuse(error: OSError) -> None:
        refusal = cannot_be_read(error, Path(error.filename), ImageError)
        if Path(error.filename) == top:
            raise refusal from error
        tree.refused.append((Path(error.filename), refusal))

    for parent, folders, names in os.walk(top, onerror=refuse):
        here = Path(parent)
        if DATABASE_NAME in names:
            if here == top:
                raise ImageError(
                    f"{top} is a project of MedSSL, and what it holds are no scans.",
                    "Choose the folder of the scans themselves.",
                )
            tree.projects.append(here)
            folders.clear()
            continue
        if RESULTS_FOLDER in folders:
            try:
                results |= results_in(here) | results_in(here.resolve())
            except OSError as error:
                refuse(error)
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
    if not results or file in results:
        return file in results
    is_link = os.path.islink(file)  # noqa: PTH114 - `is_symlink` raises where a folder may not be entered
    return is_link and file.resolve() in results


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
