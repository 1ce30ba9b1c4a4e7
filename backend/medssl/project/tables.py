"""The tables of `project.db`, as SQLAlchemy sees them; `migrations.py` makes them in the file."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from sqlalchemy import JSON, Dialect, Float, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from medssl.events import JobState
from medssl.project.records import DecisionKind, Role


class UtcTime(TypeDecorator[datetime]):
    """A moment in UTC, kept as ISO 8601 text: a person reads it in the file, and it sorts by time."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """Turn a moment into text."""
        return None if value is None else value.astimezone(timezone.utc).isoformat(timespec="microseconds")

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        """Turn text into a moment."""
        return None if value is None else datetime.fromisoformat(value)


class Table(DeclarativeBase):
    """Base of all tables. Paths are relative to the project's folder where they lie inside it, with '/'."""

    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        datetime: UtcTime,
        float: Float,
        list[str]: JSON,
        list[int]: JSON,
        Role: String,
        DecisionKind: String,
        JobState: String,
    }


class Project(Table):
    """The project itself: always one row."""

    __tablename__ = "project"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    label_schema: Mapped[str]
    channel_names: Mapped[list[str]]
    created: Mapped[datetime]
    medssl_version: Mapped[str]


class Case(Table):
    """One subject's scan."""

    __tablename__ = "case"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    # Derived from the name once, because SQLite neither sorts numbers in text nor folds case beyond ASCII.
    search_name: Mapped[str]
    sort_name: Mapped[str] = mapped_column(index=True)
    # Windows and macOS take 'A' and 'a' for one folder.
    folder: Mapped[str] = mapped_column(String(collation="NOCASE"), unique=True)
    role: Mapped[Role]
    added: Mapped[datetime] = mapped_column(index=True)
    # Of the scan, see `traits.py`; null for cases of older versions.
    traits: Mapped[list[float] | None] = mapped_column(JSON(none_as_null=True))


class Channel(Table):
    """One image of a case."""

    __tablename__ = "channel"

    case_id: Mapped[int] = mapped_column(ForeignKey("case.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str]


class Annotation(Table):
    """One version of a label map a person stands behind; how it came about is in its decision."""

    __tablename__ = "annotation"
    __table_args__ = (
        UniqueConstraint("case_id", "version"),
        # At most one annotation of a case counts: the database itself sees to it, and finds it at once.
        Index("annotation_current", "case_id", unique=True, sqlite_where=text("current = 1")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case.id"))
    version: Mapped[int]
    path: Mapped[str]
    label_values: Mapped[list[int]]
    created: Mapped[datetime]
    current: Mapped[bool]
    restored_from: Mapped[int | None]


class PseudoLabel(Table):
    """One proposal of a model. The model's id is no foreign key: it outlives the model as provenance."""

    __tablename__ = "pseudo_label"
    __table_args__ = (
        Index("pseudo_label_case", "case_id"),
        Index("pseudo_label_current", "case_id", unique=True, sqlite_where=text("current = 1")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case.id"))
    model_id: Mapped[str]
    path: Mapped[str]
    uncertainty_path: Mapped[str]
    score: Mapped[float]
    worst_slice: Mapped[int]
    worst_region: Mapped[list[int] | None] = mapped_column(JSON(none_as_null=True))
    label_values: Mapped[list[int]]
    created: Mapped[datetime]
    current: Mapped[bool]
    # Each with `box`, `centre` and `share`; null for proposals of older versions.
    regions: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON(none_as_null=True))


class Decision(Table):
    """What a person did: drew an annotation, or accepted, corrected or rejected a proposal.

    Rows are never deleted; undoing one fills `undone`, so that the whole history stays readable.
    """

    __tablename__ = "decision"
    __table_args__ = (
        Index("decision_case", "case_id"),
        # Two people cannot both decide on one proposal.
        Index("decision_effective", "pseudo_label_id", unique=True, sqlite_where=text("undone IS NULL")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case.id"))
    kind: Mapped[DecisionKind]
    annotation_id: Mapped[int | None] = mapped_column(ForeignKey("annotation.id"), unique=True)
    pseudo_label_id: Mapped[int | None] = mapped_column(ForeignKey("pseudo_label.id"))
    author: Mapped[str]
    seconds: Mapped[float | None]
    decided: Mapped[datetime]
    undone: Mapped[datetime | None]


class Model(Table):
    """A trained model, whose files are in `models/<id>/`."""

    __tablename__ = "model"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    method: Mapped[str]
    created: Mapped[datetime]
    can_segment: Mapped[bool]


class Job(Table):
    """A long operation, whose files are in `jobs/<id>/`."""

    __tablename__ = "job"

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    request: Mapped[str]
    state: Mapped[JobState]
    created: Mapped[datetime]
    started: Mapped[datetime | None]
    ended: Mapped[datetime | None]
    process_id: Mapped[int | None]
    process_mark: Mapped[str | None]
    host: Mapped[str | None]
    error: Mapped[str]
    remedy: Mapped[str]
