"""Proposals of models, and what a person decides about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, or_, select, true, update
from sqlalchemy.orm import Session

from medssl.errors import ProjectError, UsageError
from medssl.imaging.labels import write_labels
from medssl.imaging.volume import Volume
from medssl.imaging.writing import write_volume
from medssl.project import tables
from medssl.project.annotations import (
    Provenance,
    add_decision,
    add_version,
    check_seen,
    copy_labels,
    labels_on_case,
    staged_labels,
    values_in,
)
from medssl.project.lookup import find_case, load_case, to_pseudo_label
from medssl.project.records import Annotation, Case, CaseRef, PseudoLabel, Region, Seen, UncertainRegion
from medssl.project.schema import read_schema
from medssl.project.store import Store, next_number, now
from medssl.storage import give_name, make_durable, remove_partial_files, staging_folder

_UNCERTAINTY_STEPS = 256  # rounded floats compress to a tenth; no eye or threshold sees the difference


def add_pseudo_label(
    store: Store,
    case_ref: CaseRef,
    values: NDArray[np.uint8],
    uncertainty: NDArray[np.float32],
    *,
    score: float,
    model_id: str,
    worst_slice: int,
    worst_region: Region | None,
    regions: Sequence[UncertainRegion],
) -> PseudoLabel:
    """Keep what a model proposes; see `Project.add_pseudo_label`."""
    with store.database.reading() as session:
        case, schema = load_case(store, session, case_ref), read_schema(session)
    proposed, grid, _ = labels_on_case(case, values, schema)
    _check_numbers(case, proposed, uncertainty, score, worst_slice)
    folder = store.folder / "predictions" / case.folder
    with staging_folder(folder) as staging:
        remove_partial_files(folder)
        staged = staging / "labels.seg.nrrd", staging / "uncertainty.nrrd"
        write_labels(staged[0], proposed, grid, schema)
        write_volume(staged[1], Volume(_rounded(uncertainty), grid))
        for written in staged:
            make_durable(written)
        with store.database.writing() as session:
            of_case = tables.PseudoLabel.case_id == case.id
            count = session.scalar(select(func.count()).where(of_case))
            number = next_number(folder, "p", count or 0)
            lasting = folder / f"p{number:04d}.seg.nrrd", folder / f"p{number:04d}-uncertainty.nrrd"
            session.execute(
                update(tables.PseudoLabel)
                .where(of_case, tables.PseudoLabel.current == true())
                .values(current=False)
            )
            row = tables.PseudoLabel(
                case_id=case.id,
                model_id=model_id,
                path=store.to_stored(lasting[0]),
                uncertainty_path=store.to_stored(lasting[1]),
                score=float(score),
                worst_slice=int(worst_slice),
                worst_region=None if worst_region is None else [int(n) for n in worst_region],
                label_values=values_in(proposed),
                created=now(),
                current=True,
                regions=[asdict(region) for region in regions],
            )
            session.add(row)
            session.flush()
            for written, target in zip(staged, lasting, strict=True):
                give_name(written, target)
            return to_pseudo_label(store, row, None)


def accept(
    store: Store, case_ref: CaseRef, author: str, seconds: float | None, seen_version: Seen
) -> Annotation:
    """Make the proposal an annotation as it is; see `Project.accept`."""
    with store.database.reading() as session:
        case = load_case(store, session, case_ref)
        proposal = _open_proposal(case, case_ref)
        present = session.get_one(tables.PseudoLabel, proposal.id).label_values
    provenance = Provenance("accepted", author, seconds, proposal.id)
    with staged_labels(store, case) as staged:
        copy_labels(proposal.path, staged, "Let the model propose it again.")
        make_durable(staged)
        with store.database.writing() as session:
            _check_open(load_case(store, session, case.id), case, seen_version)
            return add_version(store, session, case, staged, present, provenance)


def correct(
    store: Store,
    case_ref: CaseRef,
    values: NDArray[np.uint8] | Path,
    author: str,
    seconds: float | None,
    seen_version: Seen,
) -> Annotation:
    """Make a corrected proposal an annotation; see `Project.correct`."""
    with store.database.reading() as session:
        case, schema = load_case(store, session, case_ref), read_schema(session)
    proposal = _open_proposal(case, case_ref)
    provenance = Provenance("corrected", author, seconds, proposal.id)
    corrected, grid, notes = labels_on_case(case, values, schema)
    with staged_labels(store, case) as staged:
        write_labels(staged, corrected, grid, schema)
        make_durable(staged)
        with store.database.writing() as session:
            _check_open(load_case(store, session, case.id), case, seen_version)
            made = add_version(store, session, case, staged, values_in(corrected), provenance)
            return replace(made, notes=notes)


def reject(store: Store, case_ref: CaseRef, author: str, seconds: float | None, seen_version: Seen) -> None:
    """Turn the proposal down; see `Project.reject`."""
    with store.database.writing() as session:
        case = load_case(store, session, case_ref)
        proposal = _check_open(case, case_ref, seen_version)
        add_decision(session, case.id, Provenance("rejected", author, seconds, proposal.id))


def undo(store: Store, case_ref: CaseRef, seen_version: Seen) -> None:
    """Take back the last annotation or decision of a case; every file stays. See `Project.undo`."""
    with store.database.writing() as session:
        check_seen(load_case(store, session, case_ref), seen_version)
        row = find_case(session, case_ref)
        # A rejection of a proposal that a newer one has replaced changes nothing any more.
        last = session.scalars(
            select(tables.Decision)
            .outerjoin(tables.PseudoLabel, tables.Decision.pseudo_label_id == tables.PseudoLabel.id)
            .where(
                tables.Decision.case_id == row.id,
                tables.Decision.undone.is_(None),
                or_(tables.Decision.annotation_id.is_not(None), tables.PseudoLabel.current == true()),
            )
            .order_by(tables.Decision.id.desc())
            .limit(1)
        ).one_or_none()
        if last is None:
            raise ProjectError(
                f"There is nothing to undo for case '{row.name}'.",
                "Only annotations and decisions are undone.",
            )
        last.undone = now()
        session.flush()
        if last.annotation_id is not None:
            _restore_annotation(session, row.id, last.annotation_id)


def _restore_annotation(session: Session, case_id: int, withdrawn_id: int) -> None:
    """Let the newest annotation that was not taken back count."""
    session.get_one(tables.Annotation, withdrawn_id).current = False
    session.flush()
    before = session.scalars(
        select(tables.Annotation)
        .join(tables.Decision, tables.Decision.annotation_id == tables.Annotation.id)
        .where(tables.Annotation.case_id == case_id, tables.Decision.undone.is_(None))
        .order_by(tables.Annotation.version.desc())
        .limit(1)
    ).one_or_none()
    if before is not None:
        before.current = True


def _open_proposal(case: Case, seen: CaseRef) -> PseudoLabel:
    """Return the proposal that waits for a decision, which must be the one the person has seen."""
    proposal = case.pseudo_label
    if proposal is None:
        raise ProjectError(f"There is no proposal for case '{case.name}'.", "Let a model propose one first.")
    if isinstance(seen, Case) and seen.pseudo_label is not None and seen.pseudo_label.id != proposal.id:
        raise ProjectError(
            f"There is a newer proposal for case '{case.name}' than the one decided on.", "Look at it first."
        )
    if proposal.decision is not None:
        raise ProjectError(
            f"The proposal for case '{case.name}' was {proposal.decision} already.",
            "Undo that first, or save an annotation.",
        )
    return proposal


def _check_open(case: Case, seen: CaseRef, seen_version: Seen) -> PseudoLabel:
    """Return the proposal that waits, if proposal and annotation are those that the person has seen."""
    proposal = _open_proposal(case, seen)
    check_seen(case, seen_version)
    return proposal


def _check_numbers(
    case: Case,
    proposed: NDArray[np.uint8],
    uncertainty: NDArray[np.float32],
    score: float,
    worst_slice: int,
) -> None:
    """Refuse what a model cannot have meant; a wrong number would silently spoil the order of the review."""
    if uncertainty.shape != proposed.shape:
        what = f"an uncertainty map of shape {uncertainty.shape}"
    # Written so that NaN, which compares with nothing, ends here too.
    elif not (uncertainty.min() >= 0 and uncertainty.max() <= 1):
        what = "an uncertainty map with values outside 0..1"
    elif not 0 <= score <= 1:
        what = f"the score {score}, outside 0..1,"
    elif not 0 <= worst_slice < proposed.shape[0]:
        what = f"the worst slice {worst_slice}"
    else:
        return
    raise UsageError(
        f"A model gave {what} for case '{case.name}' of shape {proposed.shape}.", "This model cannot be used."
    )


def _rounded(uncertainty: NDArray[np.float32]) -> NDArray[np.float32]:
    steps = np.float32(_UNCERTAINTY_STEPS)
    return np.asarray(np.rint(uncertainty.astype(np.float32) * steps) / steps, dtype=np.float32)
