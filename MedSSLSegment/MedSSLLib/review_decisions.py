"""What was decided about proposals in this window, and what is said when it is taken back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional

from slicer.i18n import tr as _

from MedSSLLib.meantime import Overtaken, version_of
from MedSSLLib.problems import Problem

if TYPE_CHECKING:
    from medssl.client import Case

_NOT_NOW = "project"  # the engine's code for a step that the state of a case does not allow


@dataclass(frozen=True, eq=False)
class Decision:
    """One decision about a case.

    Attributes:
        case: its id.
        name: of the case.
        kind: 'accepted', 'corrected' or 'rejected'.
        version: of the annotation that it made, 0 for a rejection.
    """

    case: int
    name: str
    kind: str
    version: int

    @property
    def _words(self) -> str:
        words = {
            "accepted": _("The acceptance of {name}"),
            "corrected": _("The correction of {name}"),
            "rejected": _("The rejection of {name}"),
        }
        return str(words[self.kind].format(name=self.name))

    def taken_back(self, waits: bool, now: Case) -> str:
        """Say that it was taken back, and what the case is now.

        Args:
            waits: whether its proposal waits for a decision again.
            now: the case.
        """
        if waits:
            text = _("{decision} is taken back: the proposal waits for a decision again.")
            return str(text.format(decision=self._words))
        if now.annotation is not None:
            text = _("{decision} is taken back: version {version} of the annotation counts again.")
            return str(text.format(decision=self._words, version=version_of(now)))
        return str(_("{decision} is taken back.").format(decision=self._words))

    def lost(self, error: Exception) -> Optional[Problem]:
        """Say why it cannot be taken back any more; None for an error after which it still can."""
        remedy = _("{decision} is not taken back.").format(decision=self._words)
        if isinstance(error, Overtaken):
            return Problem(error.message, remedy)
        if getattr(error, "code", "") != _NOT_NOW:
            return None
        text = _("Nothing of {name} is left to undo: it was undone elsewhere, or there is a newer proposal.")
        return Problem(text.format(name=self.name), remedy)
