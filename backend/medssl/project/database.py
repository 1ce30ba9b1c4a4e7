"""The connection to `project.db`: transactions that two processes can share, and errors a person can read."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from medssl.errors import MedSSLError, ProjectError, StorageError

BUSY_TIMEOUT_S = 30.0  # how long a write waits for another process; every transaction takes milliseconds

_BESIDE_BYTES = 1 << 16  # of the index of the write-ahead log and its first pages


class Database:
    """One SQLite file in WAL mode: readers never wait, and writers wait for each other."""

    def __init__(self, path: Path) -> None:
        """Name the file; nothing is opened yet, but the first transaction makes a missing one."""
        self.path = path
        self._engine = create_engine(
            URL.create("sqlite", database=str(path)), connect_args={"timeout": BUSY_TIMEOUT_S}
        )
        self._writing = self._engine.execution_options(writes=True)
        _prepare(self._engine)

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
                "Restore project.db from a copy; images, labels and models are in their folders, unharmed.",
            )
        if "disk I/O error" in text:
            return StorageError(
                f"{self.path} could not be read or written: disk error.", "Check the disk and try again."
            )
        return error

    def _disk_is_full(self) -> bool:
        """Whether there is no room even for the files beside the database, which SQLite cannot do without."""
        return shutil.disk_usage(self.path.parent).free < _BESIDE_BYTES


def _prepare(engine: Engine) -> None:
    """Set up every connection, and make transactions begin where we say."""

    @event.listens_for(engine, "connect")
    def connect(connection: sqlite3.Connection, entry: ConnectionPoolEntry) -> None:
        # Python's sqlite3 would begin transactions late, and none around a change of the schema.
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode = WAL")
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
