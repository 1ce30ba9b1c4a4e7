"""Which proposals wait for a decision, and whether enough was decided to learn from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from medssl.client import Case, CaseSummary, Client, Model

WAITS = "proposed"
"""The state of cases with an undecided proposal; the section Review opens these, Annotate all others."""

ENOUGH = 3
"""New annotations after which a refinement is worth its time."""


@dataclass(frozen=True)
class ReviewQueue:
    """The state of the review of a project.

    Attributes:
        waiting: cases with an undecided proposal, the most uncertain first.
        model: the newest model that segments; None when there is none.
        learned: new annotations since that model, which a refinement would learn from.
        unproposed: cases that nobody annotated and that this model proposed nothing for.
        rejected: cases whose proposal was turned down.
    """

    waiting: tuple[CaseSummary, ...] = ()
    model: Optional[Model] = None
    learned: int = 0
    unproposed: int = 0
    rejected: int = 0

    def place(self, case: int) -> int:
        """Where a case is in the queue, -1 when it is not."""
        return next((place for place, each in enumerate(self.waiting) if each.id == case), -1)

    def has(self, case: Case) -> bool:
        """Whether it is this proposal of the case that waits, not a newer one or none."""
        proposal = case.pseudo_label
        return proposal is not None and any(
            (each.id, each.model_id, each.score) == (case.id, proposal.model_id, proposal.score)
            for each in self.waiting
        )

    def following(self, case: Optional[int]) -> tuple[int, ...]:
        """The cases to look at after one; from the first on when that is not in the queue or is None."""
        others = tuple(each.id for each in self.waiting if each.id != case)
        place = 0 if case is None else max(0, self.place(case))
        # Those before it were passed over and come again at the end.
        return (*others[place:], *others[:place])

    def after(self, case: Optional[int]) -> Optional[int]:
        """The first of those that follow a case; None when none does."""
        return next(iter(self.following(case)), None)


def fetch_queue(client: Client, project: str) -> ReviewQueue:
    """Ask the engine; for a thread beside the main one."""
    waiting = client.review_queue(project)
    model = next((each for each in client.models(project) if each.can_segment and not each.problem), None)
    if model is None:
        return ReviewQueue(waiting)
    annotated = client.cases(project, role="training", state="annotated", limit=1).total
    trained_on = int(model.card["annotated_cases"]) if model.card is not None else annotated
    new = client.cases(project, role="training", state="new", limit=1).total
    rejected = client.cases(project, role="training", state="rejected", limit=1).total
    stale = sum(each.model_id != model.id for each in waiting)
    return ReviewQueue(waiting, model, max(0, annotated - trained_on), new + stale, rejected)
