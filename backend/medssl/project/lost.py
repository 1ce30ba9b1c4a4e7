"""Cases whose files are gone, as of a project that came without them, and telling their scans from others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from medssl.access import is_file, is_folder
from medssl.errors import ImageError, ProjectError
from medssl.imaging.reading import read_grid
from medssl.imaging.volume import Grid
from medssl.project import tables
from medssl.project.lookup import annotations_of
from medssl.project.records import Case
from medssl.project.store import Store

_ROUNDING = 1e-5  # relative: of positions in another format, and of percentiles on another computer


def is_lost(case: Case) -> bool:
    """Whether a file of a case is gone; not where nobody can know, as on a drive that does not answer."""
    try:
        there = [is_file(path, ImageError) or is_folder(path, ImageError) for path in case.channels]
    except ImageError:
        return False
    return not all(there)


def check_is_its_scan(store: Store, case: Case, grid: Grid, traits: Sequence[float]) -> None:
    """Check that a scan is the one that a case had, by what the project kept of it.

    Its extents and brightness have to be those of the scan, and its grid that of all that was drawn on it and
    of what is proposed for it.

    Raises:
        ProjectError: it is another, or nobody can tell.
        ImageError: an annotation or a proposal cannot be read.
    """
    with store.database.reading() as session:
        row = session.get(tables.Case, case.id)
        kept = None if row is None else row.traits
        drawn = [annotation.path for annotation in annotations_of(store, session, case.id)]
    if kept is None or not _is_telling(kept):
        raise _refusal(case, "The project knows too little of it to tell whether this is the scan.")
    alike = len(kept) == len(traits) and np.allclose(kept, traits, rtol=_ROUNDING, atol=0)
    proposed: list[Path] = [] if case.pseudo_label is None else [case.pseudo_label.path]
    if not alike or not all(read_grid(path).agrees_with(grid) for path in (*drawn, *proposed)):
        raise _refusal(case, "This is another scan.")


def _is_telling(traits: Sequence[float]) -> bool:
    """Whether a channel's brightness sets a scan apart: nearly empty ones are alike, whatever they show."""
    return any(low < high for low, high in zip(traits[3::3], traits[5::3], strict=True))


def _refusal(case: Case, why: str) -> ProjectError:
    return ProjectError(
        f"The files of the case '{case.name}' are gone ({case.channels[0]}). {why}",
        "Add the case's own scan from where it lies now, or give this one another name.",
    )
