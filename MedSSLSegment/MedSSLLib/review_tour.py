"""Where to look first in a proposal: its worst slice, and one uncertain place after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from medssl.client import PseudoLabel


class Views(Protocol):
    """The slice views; `MedSSLLib.review_scene.ReviewScene` moves them."""

    def jump_to_voxel(self, voxel: Sequence[float]) -> None:
        """Show a voxel (z, y, x)."""

    def jump_to_slice(self, z: int) -> None:
        """Show a slice across the third axis."""


class Tour:
    """Leads through the uncertain places of one proposal, the most uncertain first, and around again.

    Attributes:
        place: of the one that was shown last, from 0; -1 before the first.
    """

    def __init__(self, proposal: PseudoLabel, views: Views) -> None:
        self.place = -1
        self._proposal = proposal
        self._views = views

    @property
    def places(self) -> int:
        """How many places deserve a look."""
        return len(self._proposal.regions)

    def show_worst_slice(self) -> None:
        """Show the slice that the model is least certain about, where it goes through an uncertain place."""
        worst = self._proposal.worst_slice
        here = next((each for each in self._proposal.regions if each.box[0] <= worst < each.box[3]), None)
        if here is None:
            self._views.jump_to_slice(worst)
        else:
            self._views.jump_to_voxel((worst, *here.centre[1:]))

    def step(self, by: int) -> None:
        """Show the next uncertain place, or with -1 the one before."""
        if not self.places:
            return
        begin = self.place if self.place >= 0 or by > 0 else 0
        self.place = (begin + by) % self.places
        self._views.jump_to_voxel(self._proposal.regions[self.place].centre)
