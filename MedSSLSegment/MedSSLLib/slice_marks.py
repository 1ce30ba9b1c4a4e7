"""Which slices of a scan a person is done with; on the others nobody looked, and they never train."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Optional

import numpy as np
from slicer.i18n import tr as _

from MedSSLLib.problems import Problem


@dataclass
class SliceMarks:
    """Slices across one axis of a volume, counted from 0.

    Attributes:
        shape: of the volume, (k, j, i).
        axis: of the array, 0 for slices across k.
        done: the slices that are done.
        partly: whether only marked slices are done; otherwise the whole scan is.
        hidden: (k, j, i), voxels that an earlier annotation left out in another way than by slices; what is
            drawn there counts all the same.
    """

    shape: tuple[int, int, int]
    axis: int = 0
    done: set[int] = field(default_factory=set)
    partly: bool = False
    hidden: Optional[np.ndarray] = None

    @property
    def count(self) -> int:
        """How many slices there are."""
        return self.shape[self.axis]

    def copy(self) -> SliceMarks:
        """The marks as they are now."""
        return replace(self, done=set(self.done))

    def turn(self, axis: int) -> None:
        """Count slices across another axis; the marks across the old one are forgotten."""
        if axis != self.axis:
            self.axis = axis
            self.done = set()

    def mark(self, slices: Iterable[int], done: bool = True) -> None:
        """Say whether slices are done; those outside the scan are left out."""
        inside = {each for each in slices if 0 <= each < self.count}
        self.done = self.done | inside if done else self.done - inside

    def mark_drawn(self, labels: np.ndarray) -> None:
        """Say that every slice with something drawn on it is done."""
        others = tuple(axis for axis in range(3) if axis != self.axis)
        self.mark(int(index) for index in np.flatnonzero(labels.any(axis=others)))

    def check(self) -> None:
        """See whether anything was looked at.

        Raises:
            Problem: no slice is done.
        """
        if self.partly and not self.done:
            raise Problem(
                _("No slice is marked as done."),
                _("Mark those that are, or clear 'Only some slices are done'."),
            )

    def unannotated(self) -> Optional[np.ndarray]:
        """Where nobody looked, (k, j, i); None when the whole scan was looked at."""
        if not self.partly:
            return self.hidden
        mask = np.ones(self.shape, dtype=bool)
        np.moveaxis(mask, self.axis, 0)[sorted(self.done)] = False
        return mask

    def ranges(self) -> str:
        """The slices that are done, counted from 1 as people do: '3-5, 9'."""
        texts: list[str] = []
        ordered = sorted(self.done)
        for number, index in enumerate(ordered):
            if number and index == ordered[number - 1] + 1:
                first = texts[-1].partition("-")[0]
                texts[-1] = f"{first}-{index + 1}"
            else:
                texts.append(str(index + 1))
        return ", ".join(texts)


def marks_of(
    shape: tuple[int, int, int], hidden: Optional[np.ndarray], labels: Optional[np.ndarray]
) -> SliceMarks:
    """Read the marks back from an annotation: whole slices where it has them, else its voxels as they are.

    A slice that is not done may have something drawn on it, but nothing that somebody said is background.

    Args:
        shape: of the volume, (k, j, i).
        hidden: where nobody looked; None for nowhere.
        labels: (k, j, i), what is drawn; needed where something is hidden.
    """
    if hidden is None or labels is None:
        return SliceMarks(shape)
    background = (labels == 0) & ~hidden
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        done = ~hidden.any(axis=others)
        if done.any() and not (background.any(axis=others) & ~done).any():
            return SliceMarks(shape, axis, {int(each) for each in np.flatnonzero(done)}, partly=True)
    return SliceMarks(shape, hidden=hidden)
