"""The database's schema, version by version.

Each migration is plain SQL that is never changed once released: a project of any age is brought to the
present by running those it has not seen. To change the schema, change `tables.py` and append a migration.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from medssl.errors import ProjectError

APPLICATION_ID = 0x4D53534C  # 'MSSL': tells our databases from other programs'

_FIRST = (
    """CREATE TABLE project (
        id INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
        name VARCHAR NOT NULL,
        label_schema VARCHAR NOT NULL,
        channel_names JSON NOT NULL,
        created VARCHAR NOT NULL,
        medssl_version VARCHAR NOT NULL
    )""",
    """CREATE TABLE "case" (
        id INTEGER PRIMARY KEY NOT NULL,
        name VARCHAR NOT NULL UNIQUE,
        search_name VARCHAR NOT NULL,
        sort_name VARCHAR NOT NULL,
        folder VARCHAR COLLATE "NOCASE" NOT NULL,
        role VARCHAR NOT NULL CHECK (role IN ('training', 'validation', 'excluded')),
        added VARCHAR NOT NULL,
        UNIQUE (folder)
    )""",
    'CREATE INDEX ix_case_sort_name ON "case" (sort_name)',
    'CREATE INDEX ix_case_added ON "case" (added)',
    """CREATE TABLE channel (
        case_id INTEGER NOT NULL REFERENCES "case" (id),
        position INTEGER NOT NULL,
        path VARCHAR NOT NULL,
        PRIMARY KEY (case_id, position)
    )""",
    """CREATE TABLE annotation (
        id INTEGER PRIMARY KEY NOT NULL,
        case_id INTEGER NOT NULL REFERENCES "case" (id),
        version INTEGER NOT NULL,
        path VARCHAR NOT NULL,
        label_values JSON NOT NULL,
        created VARCHAR NOT NULL,
        current BOOLEAN NOT NULL,
        UNIQUE (case_id, version)
    )""",
    "CREATE UNIQUE INDEX annotation_current ON annotation (case_id) WHERE current = 1",
    """CREATE TABLE pseudo_label (
        id INTEGER PRIMARY KEY NOT NULL,
        case_id INTEGER NOT NULL REFERENCES "case" (id),
        model_id VARCHAR NOT NULL,
        path VARCHAR NOT NULL,
        uncertainty_path VARCHAR NOT NULL,
        score FLOAT NOT NULL,
        worst_slice INTEGER NOT NULL,
        worst_region JSON,
        label_values JSON NOT NULL,
        created VARCHAR NOT NULL,
        current BOOLEAN NOT NULL
    )""",
    "CREATE INDEX pseudo_label_case ON pseudo_label (case_id)",
    "CREATE UNIQUE INDEX pseudo_label_current ON pseudo_label (case_id) WHERE current = 1",
    """CREATE TABLE decision (
        id INTEGER PRIMARY KEY NOT NULL,
        case_id INTEGER NOT NULL REFERENCES "case" (id),
        kind VARCHAR NOT NULL CHECK (kind IN ('drawn', 'accepted', 'corrected', 'rejected')),
        annotation_id INTEGER UNIQUE REFERENCES annotation (id),
        pseudo_label_id INTEGER REFERENCES pseudo_label (id),
        author VARCHAR NOT NULL,
        seconds FLOAT,
        decided VARCHAR NOT NULL,
        undone VARCHAR
    )""",
    "CREATE INDEX decision_case ON decision (case_id)",
    "CREATE UNIQUE INDEX decision_effective ON decision (pseudo_label_id) WHERE undone IS NULL",
    """CREATE TABLE model (
        id VARCHAR PRIMARY KEY NOT NULL,
        name VARCHAR NOT NULL,
        method VARCHAR NOT NULL,
        created VARCHAR NOT NULL
    )""",
    """CREATE TABLE job (
        id VARCHAR PRIMARY KEY NOT NULL,
        kind VARCHAR NOT NULL,
        request VARCHAR NOT NULL,
        state VARCHAR NOT NULL,
        created VARCHAR NOT NULL,
        started VARCHAR,
        ended VARCHAR,
        process_id INTEGER,
        process_mark VARCHAR,
        host VARCHAR,
        error VARCHAR NOT NULL,
        remedy VARCHAR NOT NULL
    )""",
    f"PRAGMA application_id = {APPLICATION_ID}",
)

_PRETRAINED = ("ALTER TABLE model ADD COLUMN can_segment BOOLEAN NOT NULL DEFAULT 1",)

_REVIEW = (
    'ALTER TABLE "case" ADD COLUMN traits JSON',
    "ALTER TABLE annotation ADD COLUMN restored_from INTEGER",
    "ALTER TABLE pseudo_label ADD COLUMN regions JSON",
)

MIGRATIONS: tuple[Sequence[str], ...] = (_FIRST, _PRETRAINED, _REVIEW)
"""The statements that lead from version i to i + 1."""


def schema_version(connection: Connection) -> int:
    """Version of the schema in a database; 0 when it was never finished being made."""
    return int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())


def is_project(connection: Connection) -> bool:
    """Whether a database is one of ours."""
    return int(connection.exec_driver_sql("PRAGMA application_id").scalar_one()) == APPLICATION_ID


def migrate(
    connection: Connection, where: str, migrations: Sequence[Sequence[str]] = MIGRATIONS
) -> tuple[int, int]:
    """Bring a database to the newest schema, inside the caller's transaction.

    Args:
        connection: in a transaction that holds the write lock, so that two processes do not both migrate.
        where: names the project in messages.
        migrations: all there are, in order.

    Returns:
        The versions before and after.

    Raises:
        ProjectError: a newer version of MedSSL made the database.
    """
    before = schema_version(connection)
    if before > len(migrations):
        raise ProjectError(
            f"The project {where} was made by a newer version of MedSSL "
            f"(schema {before}; this version knows {len(migrations)}).",
            "Update MedSSL to open it; nothing was changed.",
        )
    for statements in migrations[before:]:
        for statement in statements:
            connection.exec_driver_sql(statement)
    if before < len(migrations):
        # Part of the same transaction: a killed migration never happened.
        connection.exec_driver_sql(f"PRAGMA user_version = {len(migrations)}")
    return before, len(migrations)
