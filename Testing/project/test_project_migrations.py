from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from medssl.errors import ProjectError, StorageError
from medssl.project import tables
from medssl.project.database import Database
from medssl.project.migrations import MIGRATIONS, is_project, migrate, schema_version
from sqlalchemy import Connection, create_engine, inspect
from sqlalchemy.exc import DatabaseError, OperationalError

_LATER = (*MIGRATIONS, ('ALTER TABLE "case" ADD COLUMN note VARCHAR',), ("CREATE TABLE tag (id INTEGER)",))
_TOO_NEW = f"schema {len(_LATER)}; this version knows {len(MIGRATIONS)}"


def _tables_of(connection: Connection) -> dict[str, dict[str, Any]]:
    """Describe what matters about each table: columns, keys, indices."""
    look = inspect(connection)
    return {
        name: {
            "columns": {c["name"]: (str(c["type"]), c["nullable"]) for c in look.get_columns(name)},
            "primary": look.get_pk_constraint(name)["constrained_columns"],
            "foreign": sorted((f["constrained_columns"], f["referred_table"]) for f in foreign),
            "unique": sorted(u["column_names"] for u in look.get_unique_constraints(name)),
            "indices": {
                i["name"]: (i["column_names"], i["unique"], str(i["dialect_options"].get("sqlite_where")))
                for i in look.get_indexes(name)
            },
        }
        for name, foreign in ((name, look.get_foreign_keys(name)) for name in look.get_table_names())
    }


def test_the_migrations_make_the_tables_that_the_code_expects() -> None:
    made, expected = create_engine("sqlite://"), create_engine("sqlite://")
    tables.Table.metadata.create_all(expected)
    with made.connect() as by_migrations, expected.connect() as by_code:
        migrate(by_migrations, "here")
        assert _tables_of(by_migrations) == _tables_of(by_code)


def test_an_older_database_is_brought_to_the_newest_version_with_its_content(tmp_path: Path) -> None:
    database = Database(tmp_path / "project.db")
    with database.writing() as session:
        assert migrate(session.connection(), "here") == (0, len(MIGRATIONS))
        session.connection().exec_driver_sql("INSERT INTO model VALUES ('m', 'name', 'dual_task', '2026', 1)")
    with database.writing() as session:
        assert migrate(session.connection(), "here", _LATER) == (len(MIGRATIONS), len(_LATER))
    with database.reading() as session:
        connection = session.connection()
        assert schema_version(connection) == len(_LATER)
        assert is_project(connection)
        assert "note" in _tables_of(connection)["case"]["columns"]
        assert connection.exec_driver_sql("SELECT id FROM model").scalar_one() == "m"
    with database.writing() as session, pytest.raises(ProjectError, match=_TOO_NEW):
        migrate(session.connection(), "here")
    database.close()


def test_models_of_a_project_from_before_pretraining_can_segment(tmp_path: Path) -> None:
    database = Database(tmp_path / "project.db")
    with database.writing() as session:
        migrate(session.connection(), "here", MIGRATIONS[:1])
        session.connection().exec_driver_sql("INSERT INTO model VALUES ('m', 'name', 'dual_task', '2026')")
    with database.writing() as session:
        migrate(session.connection(), "here")
        assert session.connection().exec_driver_sql("SELECT can_segment FROM model").scalar_one() == 1
    database.close()


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    database = Database(tmp_path / "project.db")
    with database.writing() as session:
        migrate(session.connection(), "here")
    broken = (*_LATER[:-1], ("CREATE TABLE tag (id INTEGER)", "this is not SQL"))
    with pytest.raises(DatabaseError), database.writing() as session:
        migrate(session.connection(), "here", broken)
    with database.reading() as session:
        assert schema_version(session.connection()) == len(MIGRATIONS)
        assert "tag" not in _tables_of(session.connection())
        assert "note" not in _tables_of(session.connection())["case"]["columns"]
    database.close()


def test_every_connection_keeps_foreign_keys_and_writes_ahead(tmp_path: Path) -> None:
    database = Database(tmp_path / "project.db")
    for transaction in (database.writing, database.reading):
        with transaction() as session:
            asked = session.connection().exec_driver_sql
            assert asked("PRAGMA foreign_keys").scalar_one() == 1
            assert asked("PRAGMA journal_mode").scalar_one() == "wal"
            assert asked("PRAGMA synchronous").scalar_one() == 2
    database.close()


def test_a_row_without_its_case_is_refused_by_the_database(tmp_path: Path) -> None:
    database = Database(tmp_path / "project.db")
    with database.writing() as session:
        migrate(session.connection(), "here")
    with pytest.raises(DatabaseError, match="FOREIGN KEY"), database.writing() as session:
        session.add(tables.Channel(case_id=5, position=0, path="a.nii"))
    database.close()


def test_a_full_disk_is_told_and_what_was_there_stays(tmp_path: Path) -> None:
    database = Database(tmp_path / "project.db")
    with database.writing() as session:
        migrate(session.connection(), "here")
    with pytest.raises(StorageError, match="disk is full"), database.writing() as session:
        # SQLite's own limit gives the error of a full disk without one.
        session.connection().exec_driver_sql("PRAGMA max_page_count = 30")
        session.connection().exec_driver_sql("CREATE TABLE filler (content)")
        session.connection().exec_driver_sql("INSERT INTO filler VALUES (zeroblob(1000000))")
    with database.reading() as session:
        assert "filler" not in _tables_of(session.connection())
    database.close()


def test_an_error_of_ours_is_not_dressed_up_as_the_persons(tmp_path: Path) -> None:
    database = Database(tmp_path / "project.db")
    with pytest.raises(OperationalError, match="syntax error"), database.writing() as session:
        session.connection().exec_driver_sql("this is not SQL")
    database.close()
