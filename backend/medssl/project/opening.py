"""Making a project and opening one, of whatever age."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from medssl.access import is_file
from medssl.errors import NotFoundError, ProjectError, UsageError
from medssl.imaging.own_files import DATABASE_NAME
from medssl.labels import LabelSchema
from medssl.project.database import Database, write_something
from medssl.project.migrations import is_project, migrate
from medssl.project.schema import insert_project, project_row
from medssl.project.store import Store, checked_name
from medssl.storage import storage_error


@dataclass(frozen=True)
class Opened:
    """An open project's database, and what never changes about it."""

    store: Store
    name: str
    channel_names: tuple[str, ...]


def create(folder: Path, label_schema: LabelSchema, channel_names: Sequence[str], name: str) -> Opened:
    """Make a new project; see `Project.create`."""
    folder = folder.expanduser().absolute()
    channels = tuple(checked_name(channel, "a channel") for channel in channel_names)
    if not channels or len(set(channels)) < len(channels):
        raise UsageError(
            f"The channels of a project cannot be called {', '.join(channels) or 'nothing'}.",
            "Give one name for each image of a case, all different.",
        )
    name = checked_name(name or folder.name, "the project")
    label_schema.check_names()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # A database without a project in it is what a killed program leaves; this one takes its place.
        others = [path.name for path in folder.iterdir() if not path.name.startswith((DATABASE_NAME, "."))]
    except OSError as error:
        raise storage_error(error, folder) from error
    if others and not (folder / DATABASE_NAME).exists():
        raise ProjectError(
            f"The folder {folder} is not empty: it holds {others[0]}.", "Choose a new or an empty folder."
        )
    database = Database(folder / DATABASE_NAME)
    with _closed_on_error(database), database.writing() as session:
        connection = session.connection()
        if is_project(connection):
            raise ProjectError(
                f"There is a project in {folder} already.", "Open it, or choose another folder."
            )
        _check_is_empty(connection, database.path)
        migrate(connection, str(folder))
        insert_project(session, name, label_schema, channels)
    return Opened(Store(folder, database), name, channels)


def open_existing(folder: Path) -> Opened:
    """Open a project; see `Project.open`."""
    folder = folder.expanduser().absolute()
    path = folder / DATABASE_NAME
    if not is_file(path, ProjectError):
        raise NotFoundError(
            f"There is no project in {folder}: it has no {DATABASE_NAME}.",
            "Check the path, or make a new project there.",
        )
    database = Database(path)
    # A writing transaction even when there is nothing to migrate: a folder that may not be written is told
    # now, and not after an hour of training.
    with _closed_on_error(database), database.writing() as session:
        connection = session.connection()
        if not is_project(connection):
            _check_is_empty(connection, path)
            raise ProjectError(
                f"The project in {folder} was never finished being made.", "Make it again; it is empty."
            )
        migrate(connection, str(folder))
        write_something(connection)
        row = project_row(session)
        return Opened(Store(folder, database), row.name, tuple(row.channel_names))


def _check_is_empty(connection: Connection, path: Path) -> None:
    """Refuse another program's database, which happens to have the name of ours."""
    if connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one() > 0:
        raise ProjectError(f"{path} is not MedSSL's: another program made it.", "Choose another folder.")


@contextmanager
def _closed_on_error(database: Database) -> Iterator[None]:
    try:
        yield
    except BaseException:
        database.close()
        raise
