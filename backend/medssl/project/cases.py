"""Adding cases, and listing them quickly however many there are."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import case, func, select, update
from sqlalchemy.orm import Session

from medssl.errors import GridError, ProjectError, UsageError
from medssl.imaging.few_values import has_few_values, no_intensities
from medssl.imaging.formats import WRITABLE, suffix_of
from medssl.imaging.multichannel import look_inside, read_channels
from medssl.imaging.reading import read_volume
from medssl.imaging.volume import Grid, Volume
from medssl.imaging.writing import write_volume
from medssl.project import tables
from medssl.project.lookup import (
    AnySelect,
    case_state,
    find_case,
    load_case,
    summaries,
    to_summary,
    with_state,
)
from medssl.project.lost import check_is_its_scan, is_lost
from medssl.project.records import Case, CaseRef, CaseState, CaseSummary, Role, SortKey
from medssl.project.store import Store, checked_name, folder_name, now, search_name, sort_name
from medssl.project.traits import brightness, extents_mm
from medssl.storage import give_name, make_durable, remove_partial_files, staging_folder, storage_error
from medssl.words import counted

_STATE_ORDER: dict[str, int] = {"proposed": 0, "new": 1, "rejected": 2, "annotated": 3}  # most to do first


@dataclass(frozen=True)
class _New:
    """What is written down of a case beside its files; `lost` is the case that gets its files again."""

    name: str
    role: Role
    traits: list[float]
    lost: Case | None


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
) -> Case:
    """Add a case, or give one its files again; see `Project.add_case`."""
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
        lost = _lost_case(store, session, name)
    split = () if inside is None else read_channels(paths, count)
    volumes = iter(split or map(read_volume, paths))
    if must_be_scan:
        volumes = _with_intensities(volumes, paths)
    grid, traits, notes = _look_through(name, volumes, paths)
    if lost is not None:
        check_is_its_scan(store, lost, grid, traits)
        notes = ("The project had this case, whose files were gone; it has them again.", *notes)
    new = _New(name, role, traits, lost)
    if not copy and not split:
        with store.database.writing() as session:
            folder = _free_folder(store, session, name)
            return replace(_write_down(store, session, new, folder, paths), notes=notes)
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
            written = _write_down(store, session, new, folder, lasting)
            give_name(staging / "case", images / folder)
            return replace(written, notes=notes)


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


def _lost_case(store: Store, session: Session, name: str) -> Case | None:
    """The case of a name if its files are gone, None if there is no such case; raise if the name is taken."""
    case_id = session.scalar(select(tables.Case.id).where(tables.Case.name == name))
    if case_id is None:
        return None
    found = load_case(store, session, case_id)
    if not is_lost(found):
        raise _name_is_taken(name)
    return found


def _name_is_taken(name: str) -> ProjectError:
    return ProjectError(f"The project has a case '{name}' already.", "Give the new case another name.")


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
) -> tuple[Grid, list[float], tuple[str, ...]]:
    """Go through the channels once; return the scan's grid, its traits and what is notable about its images.

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
    assert first is not None  # a case has at least one channel
    return first, traits, tuple(notes)


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


def _write_down(store: Store, session: Session, new: _New, folder: str, paths: Sequence[Path]) -> Case:
    """Write a new case down, or the new places of one whose files were gone."""
    stored = [store.to_stored(path) for path in paths]
    if new.lost is None:
        case_id = _insert(session, new, folder, stored)
    else:
        case_id = new.lost.id
        # Another program may have found them in the meantime.
        if load_case(store, session, case_id).channels != new.lost.channels:
            raise _name_is_taken(new.name)
        for position, path in enumerate(stored):
            session.execute(
                update(tables.Channel)
                .where(tables.Channel.case_id == case_id, tables.Channel.position == position)
                .values(path=path)
            )
    return load_case(store, session, case_id)


def _insert(session: Session, new: _New, folder: str, stored: Sequence[str]) -> int:
    if session.scalar(select(tables.Case.id).where(tables.Case.name == new.name)) is not None:
        raise _name_is_taken(new.name)
    row = tables.Case(
        name=new.name,
        search_name=search_name(new.name),
        sort_name=sort_name(new.name),
        folder=folder,
        role=new.role,
        added=now(),
        traits=new.traits,
    )
    session.add(row)
    session.flush()
    session.add_all(
        tables.Channel(case_id=row.id, position=position, path=path) for position, path in enumerate(stored)
    )
    session.flush()
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
