"""The project's own row: its name, its channels, and its label schema, which may grow but lose nothing."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select, true
from sqlalchemy.orm import Session

from medssl import __version__
from medssl.errors import LabelError, ProjectError
from medssl.labels import BACKGROUND, UNANNOTATED, LabelSchema
from medssl.project import tables
from medssl.project.database import RESTORE
from medssl.project.store import Store, now


def insert_project(session: Session, name: str, schema: LabelSchema, channel_names: Sequence[str]) -> None:
    """Write the one row of a new project."""
    row = tables.Project(
        id=1,
        name=name,
        label_schema=schema.model_dump_json(),
        channel_names=list(channel_names),
        created=now(),
        medssl_version=__version__,
    )
    session.add(row)
    session.flush()


def project_row(session: Session) -> tables.Project:
    """Return the one row of the project."""
    row = session.get(tables.Project, 1)
    if row is None:
        raise ProjectError("The project's database has no project in it.", RESTORE)
    return row


def read_schema(session: Session) -> LabelSchema:
    """Return the label schema as it is now."""
    return LabelSchema.model_validate_json(project_row(session).label_schema)


def set_schema(store: Store, schema: LabelSchema, seen: LabelSchema | None) -> None:
    """Change the label schema; see `Project.set_schema`."""
    schema.check_names()
    with store.database.writing() as session:
        now = read_schema(session)
        _check_seen(now, seen)
        used = _values_in_use(session)
        after = {segment.value: segment.name for segment in schema.segments}
        for segment in now.segments:
            if segment.value not in used:
                continue
            moved = next((v for v, n in after.items() if n == segment.name and v != segment.value), None)
            if segment.value not in after or moved is not None:
                raise LabelError(
                    f"The segment {segment.name} (value {segment.value}) is drawn in this project, but the "
                    f"new label schema {'lacks it' if moved is None else f'gives it the value {moved}'}.",
                    "Keep the value of every segment that was drawn; names and colours may change.",
                )
        project_row(session).label_schema = schema.model_dump_json()


def _check_seen(now: LabelSchema, seen: LabelSchema | None) -> None:
    """Refuse to replace what the person has not seen: a segment that somebody else added meanwhile."""
    if seen is not None and now != seen:
        segments = ", ".join(f"{segment.value} ({segment.name})" for segment in now.segments)
        raise ProjectError(
            f"The label schema is another than the one that was seen: its segments are {segments} now.",
            "Look at it first, then change it as it is now.",
        )


def _values_in_use(session: Session) -> set[int]:
    """Collect the values of all annotations ever made, and of the proposals that could still be accepted."""
    found: set[int] = set()
    for values in session.scalars(select(tables.Annotation.label_values).distinct()):
        found.update(values)
    open_ones = select(tables.PseudoLabel.label_values).where(tables.PseudoLabel.current == true())
    for values in session.scalars(open_ones.distinct()):
        found.update(values)
    return found - {BACKGROUND, UNANNOTATED}
