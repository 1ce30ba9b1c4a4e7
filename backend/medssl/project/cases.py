"""Adding cases, and listing them quickly however many there are."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from medssl.errors import GridError, ProjectError, UsageError
from medssl.imaging.few_values import has_few_values, no_intensities
from medssl.imaging.formats import WRITABLE, suffix_of
from medssl.imaging.multichannel import look_inside, read_channels
from medssl.imaging.reading import read_volume
from medssl.imaging.volume import Grid, Volume
from medssl.imaging.writing import write_volume
from medssl.project import tables
from medssl.project.lookup import AnySelect, case_state, find_case, summaries, to_summary, with_state
from medssl.project.records import CaseRef, CaseState, CaseSummary, Role, SortKey
from medssl.project.store import Store, checked_name, folder_name, now, search_name, sort_name
from medssl.project.traits import brightness, extents_mm
from medssl.storage import give_name, make_durable, remove_partial_files, staging_folder, storage_error
from medssl.words import counted

_STATE_ORDER: dict[str, int] = {"proposed": 0, "new": 1, "rejected": 2, "annotated": 3}  # most to do first


@dataclass(frozen=True)
class Page:
    """Which part of the table of cases, and in which order; see `Project.cases`."""

    sort: SortKey = "name"
    descending: bool = False
    offset: int = 0
    limit: int | None = None


def add_case(
    store: Store,
    name: str,
    channels: Sequence[Path],
    channel_names: Sequence[str],
    copy: bool,
    role: Role,
    must_be_scan: bool,
) -> tuple[int, tuple[str, ...]]:
    """Add a case and return its id, and what is notable about its images; see `Project.add_case`."""
    name = checked_name(name, "the case")
    paths = [path.expanduser().absolute() for path in channels]
    inside = look_inside(paths[0]) if len(paths) == 1 < len(channel_names) else None
    count = len(paths) if inside is None else inside[1]
    if count != len(channel_names):
        raise UsageError(
            f"Case '{name}' has {counted(count, 'image')}, but the project has "
            f"{counted(len(channel_names), 'channel')} ({', '.join(channel_names)}).",
            "Give one image for each channel, in that order, or one file that holds them all.",
        )
    with store.database.reading() as session:
        _check_is_new(session, name)
    split = () if inside is None else read_channels(paths, count)
    volumes = iter(split or map(read_volume, paths))
    if must_be_scan:
        volumes = _with_intensities(volumes, paths)
    traits, notes = _look_through(name, volumes, paths)
    if not copy and not split:
        with store.database.writing() as session:
            folder = _free_folder(store, session, name)
            return _insert(store, session, name, folder, paths, role, traits), notes
    images = store.folder / "images"
    with staging_folder(images) as staging:
        remove_partial_files(images)
        (staging / "case").mkdir()
        stems = [f"{position}-{folder_name(channel)}" for position, channel in enumerate(channel_names)]
        if split:
            copies = [_save(volume, staging / "case", s) for volume, s in zip(split, stems, strict=True)]
        else:
            copies = [_copy_image(path, staging / "case", s) for path, s in zip(paths, stems, strict=True)]
        make_durable(staging / "case")
        with store.database.writing() as session:
            folder = _free_folder(store, session, name)
            lasting = [images / folder / copied.name for copied in copies]
            case_id = _insert(store, session, name, folder, lasting, role, traits)
            give_name(staging / "case", images / folder)
            return case_id, notes


def list_cases(
    store: Store,
    *,
    state: CaseState | None,
    role: Role | None,
    text: str,
    page: Page,
) -> list[CaseSummary]:
    """Return one page of the table of cases; see `Project.cases`."""
    keys = {
        "name": tables.Case.sort_name,
        "uncertainty": tables.PseudoLabel.score,
        "state": case(_STATE_ORDER, value=case_state),
        "added": tables.Case.added,
    }
    key = keys[page.sort].desc() if page.descending else keys[page.sort].asc()
    # The name and the id behind the key: pages never repeat or skip a case.
    statement = _filtered(summaries(), state, role, text).order_by(
        key.nulls_last(), tables.Case.sort_name, tables.Case.id
    )
    with store.database.reading() as session:
        rows = session.execute(statement.offset(page.offset).limit(page.limit))
        return [to_summary(row) for row in rows]


def count_cases(store: Store, *, state: CaseState | None, role: Role | None, text: str) -> int:
    """Return how many cases there are; see `Project.count_cases`."""
    statement = with_state(select(func.count()))
    with store.database.reading() as session:
        return int(session.execute(_filtered(statement, state, role, text)).scalar_one())


def set_role(store: Store, case_ref: CaseRef, role: Role) -> None:
    """Change what a case is for."""
    with store.database.writing() as session:
        find_case(session, case_ref).role = role


def _filtered(statement: AnySelect, state: CaseState | None, role: Role | None, text: str) -> AnySelect:
    if state is not None:
        statement = statement.where(case_state == state)
    if role is not None:
        statement = statement.where(tables.Case.role == role)
    if text:
        # Not LIKE: '%' and '_' are characters of names like others.
        statement = statement.where(func.instr(tables.Case.search_name, search_name(text)) > 0)
    return statement


def _check_is_new(session: Session, name: str) -> None:
    if session.scalar(select(tables.Case.id).where(tables.Case.name == name)) is not None:
        raise ProjectError(f"The project has a case '{name}' already.", "Give the new case another name.")


def _with_intensities(volumes: Iterable[Volume], paths: Sequence[Path]) -> Iterator[Volume]:
    """Hand the channels of a scan on, one at a time; raise `NoIntensitiesError` after them if it is none."""
    few = []
    for volume in volumes:
        few.append(has_few_values(volume))
        yield volume
    if all(few):
        raise no_intensities(str(paths[0]))


def _look_through(
    name: str, volumes: Iterable[Volume], paths: Sequence[Path]
) -> tuple[list[float], tuple[str, ...]]:
    """Go through the channels once, and return the scan's traits and what is notable about its images.

    A damaged file is told now, with its name, and not while training.
    """
    first: Grid | None = None
    traits: list[float] = []
    notes: list[str] = []
    for index, volume in enumerate(volumes):
        notes += volume.notes
        if first is None:
            first = volume.grid
            traits = extents_mm(first)
        elif not first.agrees_with(volume.grid):
            raise GridError(
                f"The channels of case '{name}' lie on different grids: {paths[0]} has {_describe(first)}, "
                f"{paths[index]} has {_describe(volume.grid)}.",
                "Resample them onto one grid first.",
            )
        channel = brightness(volume)
        traits += channel
        if channel[0] == channel[-1] and volume.array.min() == volume.array.max():
            value = f"{volume.array.max():g}"
            notes.append(f"{paths[index]}: all voxels have the same value, {value}. Is it the right file?")
    return traits, tuple(notes)


def _describe(grid: Grid) -> str:
    size = " x ".join(map(str, grid.size))
    spacing = " x ".join(f"{s:.4g}" for s in grid.spacing_mm)
    origin = ", ".join(f"{o:.4g}" for o in grid.origin_mm)
    return f"{size} voxels of {spacing} mm at ({origin})"


def _free_folder(store: Store, session: Session, name: str) -> str:
    """Choose the name of the case's folders, one that no case has and that no killed import left behind."""
    wanted = folder_name(name)
    number = 1
    while True:
        folder = wanted if number == 1 else f"{wanted}-{number}"
        taken = session.scalar(select(tables.Case.id).where(tables.Case.folder == folder)) is not None
        if not taken and not (store.folder / "images" / folder).exists():
            return folder
        number += 1


def _insert(
    store: Store,
    session: Session,
    name: str,
    folder: str,
    paths: Sequence[Path],
    role: Role,
    traits: list[float],
) -> int:
    _check_is_new(session, name)
    row = tables.Case(
        name=name,
        search_name=search_name(name),
        sort_name=sort_name(name),
        folder=folder,
        role=role,
        added=now(),
        traits=traits,
    )
    session.add(row)
    session.flush()
    session.add_all(
        tables.Channel(case_id=row.id, position=position, path=store.to_stored(path))
        for position, path in enumerate(paths)
    )
    return row.id


def _copy_image(source: Path, folder: Path, stem: str) -> Path:
    """Copy an image; one that consists of several files becomes one NRRD file."""
    suffix = suffix_of(source)
    if source.is_dir() or suffix not in WRITABLE:
        return _save(read_volume(source), folder, stem)
    target = folder / f"{stem}{suffix}"
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        raise storage_error(error, target) from error
    return target


def _save(volume: Volume, folder: Path, stem: str) -> Path:
    target = folder / f"{stem}.nrrd"
    write_volume(target, volume)
    return target
