"""What the reference of a case is worth when a model is scored against it."""

from __future__ import annotations

from dataclasses import dataclass

from medssl.errors import MedSSLError
from medssl.learning.card import read_card
from medssl.project import Case, Project


@dataclass(frozen=True)
class Reference:
    """How the annotation of a case came about, as far as scores depend on it.

    Attributes:
        kind: drawn, accepted or corrected; one that was restored is what it was before.
        model_id: the model that proposed it; None when it was drawn.
        own_line: whether that is the scored model, or one that this began from.
    """

    kind: str
    model_id: str | None
    own_line: bool

    @classmethod
    def of(cls, project: Project, case: Case, line: frozenset[str]) -> Reference:
        """Look at the annotation that counts; `line` is the scored model and all that it began from."""
        found = case.annotation
        assert found is not None
        versions = {each.version: each for each in project.annotations(case.id)}
        while found.restored_from is not None:
            found = versions[found.restored_from]
        return cls(found.kind, found.model_id, found.model_id in line)

    @property
    def accepted(self) -> bool:
        """Whether it is a proposal that was accepted as it was, and nothing that a person drew."""
        return self.kind == "accepted"

    @property
    def refusal(self) -> str | None:
        """Why nothing can be scored against it; None when it can."""
        if not (self.accepted and self.own_line):
            return None
        return (
            f"Its reference is a proposal of the model {self.model_id}, accepted as it was, and that is the "
            "scored model or one it began from: it would be compared with itself. Correct it, or draw it."
        )


def line_of(project: Project, model_id: str) -> frozenset[str]:
    """Return the ids of a model and of all models that it began from, as far as their cards tell."""
    found: set[str] = set()
    waiting: list[str | None] = [model_id]
    while waiting:
        wanted = waiting.pop()
        if wanted is None or wanted in found:
            continue
        found.add(wanted)
        try:
            card = read_card(project.model(wanted).folder)
        except MedSSLError:
            continue  # deleted since, or known by its id elsewhere only
        waiting += [card.started_from, card.imported_from]
    return frozenset(found)
