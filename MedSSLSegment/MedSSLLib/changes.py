"""How much of what a person did to a case is saved."""

from __future__ import annotations


class Changes:
    """Counts changes: those that come while earlier ones are being saved are not taken for saved.

    Attributes:
        count: of all changes.
    """

    def __init__(self) -> None:
        self.count = 0
        self._saved = 0
        self._on_the_way = 0

    @property
    def unsaved(self) -> bool:
        """Whether there are changes that nothing was told to have saved."""
        return self.count != self._saved

    @property
    def at_risk(self) -> bool:
        """Whether there are changes that are neither saved nor on their way."""
        return self.count not in (self._saved, self._on_the_way)

    def add(self) -> None:
        """Something changed."""
        self.count += 1

    def send(self, count: int) -> None:
        """The first so many are on their way; whoever sends them sees to it that they arrive."""
        self._on_the_way = count

    def keep(self, count: int) -> None:
        """The first so many are saved."""
        self._saved = count

    def forget(self) -> None:
        """Nothing of what was changed matters any more."""
        self._saved = self.count
