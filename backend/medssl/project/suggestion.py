"""Which case a person should work on next.

Proposals come first, the most uncertain one before all others. Without any, the case to annotate is the one
that, together with those annotated already, leaves the other scans least unlike an annotated one: a greedy
k-medoids choice over size and brightness. The first is then the most typical scan of all, the next one
stands for those that the first does not resemble.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from medssl.project import tables
from medssl.project.cases import Page, list_cases
from medssl.project.records import CaseSummary, Role, Suggestion
from medssl.project.store import Store
from medssl.words import counted

_MOST_COMPARED = 1000  # scans; of more, as many evenly spaced ones stand for all
_SMALLEST_MM = 1e-3


def suggest(store: Store) -> Suggestion:
    """Suggest a case; see `Project.suggest`."""
    cases = [case for case in _all_cases(store) if case.role != "excluded"]
    waiting = [case for case in cases if case.state == "proposed"]
    if waiting:
        return _most_uncertain(waiting)
    left = [case for case in cases if case.state in ("new", "rejected")]
    if not left:
        reason = "Every scan is annotated or excluded. Add scans, or train a model with these."
        return Suggestion(None, reason, "done")
    # A validation case teaches nothing; it is drawn when no other is left.
    role: Role = "training" if any(case.role == "training" for case in left) else "validation"
    traits = _traits(store)
    known = [case for case in cases if case.role == role and case.id in traits]
    open_ids = {case.id for case in left}
    if not any(case.id in open_ids for case in known):
        first = next(case for case in left if case.role == role)
        return Suggestion(first, "It is the next one by name.", "next")
    return _most_telling(_thinned(known), traits, open_ids)


def _all_cases(store: Store) -> list[CaseSummary]:
    return list_cases(store, state=None, role=None, text="", page=Page())


def _traits(store: Store) -> dict[int, list[float]]:
    statement = select(tables.Case.id, tables.Case.traits).where(tables.Case.traits.is_not(None))
    with store.database.reading() as session:
        return {case_id: traits for case_id, traits in session.execute(statement) if traits}


def _most_uncertain(waiting: Sequence[CaseSummary]) -> Suggestion:
    most = max(waiting, key=lambda case: case.score or 0.0)
    others = len(waiting) - 1
    of_all = f" of {len(waiting)} proposals" if others else ""
    reason = f"The model is least certain here{of_all}: uncertainty {most.score or 0.0:.2f}."
    return Suggestion(most, reason, "uncertain")


def _thinned(cases: Sequence[CaseSummary]) -> Sequence[CaseSummary]:
    """At most so many cases as are compared: all annotated ones that fit, and the others evenly."""
    if len(cases) <= _MOST_COMPARED:
        return cases
    annotated = [case for case in cases if case.state == "annotated"][: _MOST_COMPARED // 2]
    others = [case for case in cases if case.state != "annotated"]
    wanted = np.linspace(0, len(others) - 1, min(len(others), _MOST_COMPARED - len(annotated)))
    return [*annotated, *(others[round(float(index))] for index in wanted)]


def _most_telling(
    cases: Sequence[CaseSummary], traits: dict[int, list[float]], open_ids: Collection[int]
) -> Suggestion:
    """Choose among the open cases the one that leaves all of them least unlike an annotated one."""
    distances = _distances(np.array([traits[case.id] for case in cases]))
    annotated = np.array([case.state == "annotated" for case in cases])
    first = not annotated.any()
    nearest = np.full(len(cases), np.inf) if first else distances[:, annotated].min(axis=1)
    unlikeness = np.minimum(distances, nearest[:, None]).sum(axis=0)
    unlikeness[[case.id not in open_ids for case in cases]] = np.inf
    chosen = int(unlikeness.argmin())
    size = " x ".join(f"{mm:.0f}" for mm in reversed(traits[cases[chosen].id][:3]))
    if first:
        reason = f"It is the most typical of {counted(len(cases), 'scan')} in size and brightness: {size} mm."
        return Suggestion(cases[chosen], reason, "typical")
    reason = f"It stands best for the scans that are unlike the annotated ones: {size} mm."
    return Suggestion(cases[chosen], reason, "unlike")


def _distances(traits: NDArray[np.float64]) -> NDArray[np.float64]:
    """How unlike each two cases are: the mean difference of their traits, each in units of its own spread."""
    scaled = traits.copy()
    scaled[:, :3] = np.log(np.maximum(scaled[:, :3], _SMALLEST_MM))  # half as large is as far as twice
    spread = np.abs(scaled - np.median(scaled, axis=0)).mean(axis=0)
    scaled /= np.where(spread > 0, spread, 1.0)
    total = np.zeros((len(scaled), len(scaled)))
    for trait in scaled.T:
        total += np.abs(trait[:, None] - trait[None, :])
    return np.asarray(total / scaled.shape[1])
