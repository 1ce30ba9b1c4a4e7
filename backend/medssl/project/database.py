"""The connection to `project.db`: transactions that two processes can share, and errors a person can read."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from medssl.errors import MedSSLError, ProjectError, StorageError
from medssl.project.network_drive import is_on_network_drive

BUSY_TIMEOUT_S = 30.0  # how long a write waits for another process; every transaction takes milliseconds
CHANGE_TIMEOUT_S = 5.0  # how long the change to another journal waits for others to close the project

# What a killed program left beside a database belongs to that one only: SQLite would write it into the copy.
RESTORE = (
    "Move project.db-wal, project.db-shm and project.db-journal away, those that are there, and restore "
    "project.db from a copy."
)

_BESIDE_BYTES = 1 << 16  # of the index of the write-ahead log and its first pages


class Database:
    """One SQLite file, in which writers wait for each other.

    On a disk of this computer it has a write-ahead log (WAL), with which readers never wait. Programs find
    their way in that log by memory that they share, so that those of several computers would lose each
    other's changes: on a network drive it has a rollback journal instead, with which readers wait for the
    milliseconds of a commit. A file that ever had one keeps it, as another computer may use it that way now.
    """

    def __init__(self, path: Path) -> None:
        """Name the file; nothing is opened yet, but the first transaction makes a missing one."""
        self.path = path
        self._engine = create_engine(
            URL.create("sqlite", database=str(path)), connect_args={"timeout": BUSY_TIMEOUT_S}
        )
        self._writing = self._engine.execution_options(writes=True)
        _prepare(self._engine, path)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Give a session that sees the project as it is at one moment."""
        with self._session(self._engine) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Give a session that holds the write lock from its start; all of it happens, or nothing.

        What is read in it is still true when it commits. Keep it short: no image is read or written in it.
        """
        with self._session(self._writing) as session:
            yield session
            session.commit()

    def close(self) -> None:
        """Close the file; SQLite then moves what is in the write-ahead log into it."""
        self._engine.dispose()

    @contextmanager
    def _session(self, engine: Engine) -> Iterator[Session]:
        try:
            with Session(engine, expire_on_commit=False) as session:
                yield session
        except DatabaseError as error:
            raise self._explain(error) from error

    def _explain(self, error: DatabaseError) -> MedSSLError | DatabaseError:
        """Say what a refusal of SQLite means; what is left is a defect of ours and stays as it is."""
        # By text: Python 3.10 does not tell SQLite's error codes.
        text = str(error.orig)
        if "disk is full" in text or ("disk I/O error" in text and self._disk_is_full()):
            return StorageError(
                f"The disk is full: {self.path} could not be written.", "Free some space and try again."
            )
        if "readonly" in text or "unable to open" in text:
            return StorageError(
                f"The project {self.path.parent} may not be written.",
                "Ask for permission to write there, or copy the project to a folder of your own.",
            )
        if "locked" in text:
            return ProjectError(
                f"The project {self.path.parent} is kept busy by another program.",
                "Wait until that program is done, or close it, and try again.",
            )
        if "not a database" in text or "malformed" in text:
            return ProjectError(
                f"The project's database {self.path} is damaged.",
                f"{RESTORE} Images, labels and models are in their folders, unharmed.",
            )
        if "disk I/O error" in text:
            return StorageError(
                f"{self.path} could not be read or written: disk error.", "Check the disk and try again."
            )
        return error

    def _disk_is_full(self) -> bool:
        """Whether there is no room even for the files beside the database, which SQLite cannot do without."""
        return shutil.disk_usage(self.path.parent).free < _BESIDE_BYTES


def write_something(connection: Connection) -> None:
    """Let the disk say now if it takes no changes; nothing is changed.

    A rollback journal meets the disk with the first change only, a write-ahead log when it is opened.
    """
    if connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() != "wal":
        version = int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
        connection.exec_driver_sql(f"PRAGMA user_version = {version}")


def _prepare(engine: Engine, path: Path) -> None:
    """Set up every connection, and make transactions begin where we say."""
    on_network_drive = is_on_network_drive(path.resolve().parent)

    @event.listens_for(engine, "connect")
    def connect(connection: sqlite3.Connection, entry: ConnectionPoolEntry) -> None:
        # Python's sqlite3 would begin transactions late, and none around a change of the schema.
        connection.isolation_level = None
        _choose_journal(connection, path, on_network_drive)
        # What a person decided is on the disk when the call returns, whatever happens to the power.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        # In KiB, when negative: a project of 10,000 cases fits, so that listing it reads nothing twice.
        connection.execute("PRAGMA cache_size = -16000")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # Taking the write lock first lets two writers queue; upgrading a read would fail instead.
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _choose_journal(connection: sqlite3.Connection, path: Path, on_network_drive: bool) -> None:
    """Let a database of this computer write ahead, and one of several computers not; see `Database`."""
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    if not on_network_drive and (mode == "wal" or pages == 0):
        connection.execute("PRAGMA journal_mode = WAL")
        return
    give_up = time.monotonic() + CHANGE_TIMEOUT_S
    while True:
        try:
            # Not DELETE, which leaves it to the drive when other computers, or a power cut, see a change of
            # the folder: a commit is a change of the journal's own content, and on the disk.
            connection.execute("PRAGMA journal_mode = TRUNCATE")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            if time.monotonic() >= give_up:
                raise ProjectError(
                    f"The project {path.parent} is on a network drive, and open in a program that keeps it "
                    "as on a disk of one computer: changes of others would be lost.",
                    "Close it in all programs on all computers, and open it here first.",
                ) from error
        time.sleep(0.05)
