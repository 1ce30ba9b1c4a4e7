"""What the reference of a case is worth when a model is scored against it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from medssl.project import Case, Project


@dataclass(frozen=True)
class Reference:
    """How the annotation of a case came about, as far as scores depend on it.

    Attributes:
        kind: drawn, accepted or corrected; one that was restored is what it was before.
        model_id: the model that proposed it; None when it was drawn.
        own_line: whether that is the scored model, or one that this began from.
        learned: whether the scored model, or one that it began from, was trained with what is drawn on it.
    """

    kind: str
    model_id: str | None
    own_line: bool
    learned: bool

    @classmethod
    def of(cls, project: Project, case: Case, line: Collection[str], learned: Collection[int]) -> Reference:
        """Look at the annotation that counts.

        Args:
            project: with the case.
            case: an annotated one.
            line: ids of the scored model and of all that it began from.
            learned: ids of the cases whose annotations these were trained with.
        """
        found = case.annotation
        assert found is not None
        versions = {each.version: each for each in project.annotations(case.id)}
        while found.restored_from is not None:
            found = versions[found.restored_from]
        return cls(found.kind, found.model_id, found.model_id in line, case.id in learned)

    @property
    def accepted(self) -> bool:
        """Whether it is a proposal that was accepted as it was, and nothing that a person drew."""
        return self.kind == "accepted"

    @property
    def refusal(self) -> str | None:
        """Why nothing can be scored against it; None when it can."""
        if self.learned:
            return (
                "The model was trained with what is drawn on it, before it was set aside for validation: its "
                "score would say how well that was learned. Train anew without it, or score other cases."
            )
        if not (self.accepted and self.own_line):
            return None
        return (
            f"Its reference is a proposal of the model {self.model_id}, accepted as it was, and that is the "
            "scored model or one it began from: it would be compared with itself. Correct it, or draw it."
        )
