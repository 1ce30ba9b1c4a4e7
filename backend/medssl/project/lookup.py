"""From rows to records: finding a case, and telling its state."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import ColumnElement, Row, Select, and_, case, select, true
from sqlalchemy.orm import Session

from medssl.errors import NotFoundError
from medssl.project import tables
from medssl.project.records import (
    Annotation,
    Case,
    CaseRef,
    CaseSummary,
    DecisionKind,
    PseudoLabel,
    Region,
    UncertainRegion,
)
from medssl.project.store import Store, checked_name

if TYPE_CHECKING:
    from typing_extensions import Unpack

AnySelect: TypeAlias = "Select[Unpack[tuple[Any, ...]]]"
AnyRow: TypeAlias = "Row[Unpack[tuple[Any, ...]]]"

# An annotation decides; without one, what became of the newest proposal.
case_state: ColumnElement[str] = case(
    (tables.Annotation.id.is_not(None), "annotated"),
    (tables.PseudoLabel.id.is_(None), "new"),
    (tables.Decision.kind == "rejected", "rejected"),
    else_="proposed",
)


def with_state(statement: AnySelect) -> AnySelect:
    """Join to each case the annotation and the proposal that count, and the decision on the latter."""
    return (
        statement.select_from(tables.Case)
        .outerjoin(
            tables.Annotation,
            and_(tables.Annotation.case_id == tables.Case.id, tables.Annotation.current == true()),
        )
        .outerjoin(
            tables.PseudoLabel,
            and_(tables.PseudoLabel.case_id == tables.Case.id, tables.PseudoLabel.current == true()),
        )
        .outerjoin(
            tables.Decision,
            and_(tables.Decision.pseudo_label_id == tables.PseudoLabel.id, tables.Decision.undone.is_(None)),
        )
    )


def summaries() -> AnySelect:
    """Select what `to_summary` takes, for all cases."""
    return with_state(
        select(
            tables.Case.id,
            tables.Case.name,
            tables.Case.role,
            case_state,
            tables.PseudoLabel.score,
            tables.PseudoLabel.model_id,
            tables.Annotation.version,
            tables.Case.added,
        )
    )


def to_summary(row: AnyRow) -> CaseSummary:
    """Turn a row of `summaries` into a record."""
    return CaseSummary(*row)


def find_case(session: Session, case_ref: CaseRef) -> tables.Case:
    """Return the row of a case.

    Raises:
        NotFoundError: there is no such case.
    """
    found: tables.Case | None
    if isinstance(case_ref, str):
        name = checked_name(case_ref, "the case")
        found = session.scalar(select(tables.Case).where(tables.Case.name == name))
    else:
        found = session.get(tables.Case, case_ref if isinstance(case_ref, int) else case_ref.id)
    if found is None:
        named = case_ref if isinstance(case_ref, str | int) else case_ref.name
        raise NotFoundError(f"The project has no case '{named}'.", "List the cases to see their names.")
    return found


def load_case(store: Store, session: Session, case_ref: CaseRef) -> Case:
    """Return everything about a case.

    Raises:
        NotFoundError: there is no such case.
    """
    row = find_case(session, case_ref)
    (case,) = load_cases(store, session, tables.Case.id == row.id)
    return case


def load_cases(store: Store, session: Session, wanted: ColumnElement[bool]) -> list[Case]:
    """Return everything about the cases that are wanted, sorted by name, in as many queries as for one."""
    statement = (
        with_state(select(tables.Case, case_state, tables.PseudoLabel, tables.Decision.kind))
        .where(wanted)
        .order_by(tables.Case.sort_name, tables.Case.id)
    )
    channels: dict[int, list[Path]] = {}
    for case_id, path in session.execute(
        select(tables.Channel.case_id, tables.Channel.path)
        .join(tables.Case, tables.Case.id == tables.Channel.case_id)
        .where(wanted)
        .order_by(tables.Channel.case_id, tables.Channel.position)
    ):
        channels.setdefault(case_id, []).append(store.to_path(path))
    current: dict[int, Annotation] = {}
    for row in session.execute(
        _annotations()
        .join(tables.Case, tables.Case.id == tables.Annotation.case_id)
        .where(wanted, tables.Annotation.current == true())
    ):
        current[row[0].case_id] = _to_annotation(store, row)
    return [
        Case(
            id=row.id,
            name=row.name,
            channels=tuple(channels.get(row.id, ())),
            folder=row.folder,
            role=row.role,
            state=state,
            annotation=current.get(row.id),
            pseudo_label=None if proposal is None else to_pseudo_label(store, proposal, decision),
            added=row.added,
        )
        for row, state, proposal, decision in session.execute(statement)
    ]


def annotations_of(store: Store, session: Session, case_id: int) -> list[Annotation]:
    """Return all annotations of a case, the oldest first, those taken back too."""
    rows = session.execute(_annotations().where(tables.Annotation.case_id == case_id))
    return [_to_annotation(store, row) for row in rows]


def to_pseudo_label(store: Store, row: tables.PseudoLabel, decision: DecisionKind | None) -> PseudoLabel:
    """Turn a row into a record."""
    return PseudoLabel(
        id=row.id,
        case_id=row.case_id,
        path=store.to_path(row.path),
        uncertainty_path=store.to_path(row.uncertainty_path),
        model_id=row.model_id,
        score=row.score,
        worst_slice=row.worst_slice,
        worst_region=None if row.worst_region is None else _to_region(row.worst_region),
        created=row.created,
        decision=decision,
        regions=tuple(_to_uncertain(found) for found in row.regions or ()),
    )


def _annotations() -> AnySelect:
    return (
        select(tables.Annotation, tables.Decision, tables.PseudoLabel.model_id)
        .join(tables.Decision, tables.Decision.annotation_id == tables.Annotation.id)
        .outerjoin(tables.PseudoLabel, tables.Decision.pseudo_label_id == tables.PseudoLabel.id)
        .order_by(tables.Annotation.version)
    )


def _to_annotation(store: Store, row: AnyRow) -> Annotation:
    annotation: tables.Annotation = row[0]
    decision: tables.Decision = row[1]
    return Annotation(
        id=annotation.id,
        case_id=annotation.case_id,
        version=annotation.version,
        path=store.to_path(annotation.path),
        kind=decision.kind,
        model_id=row[2],
        author=decision.author,
        seconds=decision.seconds,
        created=annotation.created,
        withdrawn=decision.undone is not None,
        restored_from=annotation.restored_from,
    )


def _to_uncertain(found: dict[str, Any]) -> UncertainRegion:
    z, y, x = found["centre"]
    return UncertainRegion(_to_region(found["box"]), (z, y, x), found["share"])


def _to_region(numbers: list[int]) -> Region:
    z0, y0, x0, z1, y1, x1 = numbers
    return z0, y0, x0, z1, y1, x1
