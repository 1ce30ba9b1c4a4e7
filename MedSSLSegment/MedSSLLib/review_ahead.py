"""The proposal that comes next, read while the person looks at another one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Optional

from MedSSLLib.review_queue import WAITS, ReviewQueue
from MedSSLLib.review_scene import Proposal, fetch_proposal

if TYPE_CHECKING:
    from medssl.client import Client, Project

    from MedSSLLib.session import Session


class ReadAhead:
    """Reads proposals, one of them ahead of time.

    Attributes:
        proposal: that was read and is not shown yet.
    """

    def __init__(self, session: Session) -> None:
        self.proposal: Optional[Proposal] = None
        self._session = session

    def fetch(self, project: Project, case: int) -> Callable[[Client], Proposal]:
        """Make the function that reads a case with its proposal, beside the main thread."""
        files = self._session.files

        def fetch(client: Client) -> Proposal:
            return fetch_proposal(client, files, project.key, client.case(project.key, case))

        return fetch

    def fetch_first(self, project: Project, cases: Sequence[int]) -> Callable[[Client], Optional[Proposal]]:
        """Make the function that reads the first of some cases whose proposal still waits; None for none."""
        files = self._session.files

        def fetch(client: Client) -> Optional[Proposal]:
            for each in cases:
                case = client.case(project.key, each)
                if case.state == WAITS:  # else it was decided elsewhere since the queue was asked for
                    return fetch_proposal(client, files, project.key, case)
            return None

        return fetch

    def prepare(self, project: Project, case: int, wanted: Callable[[int], bool]) -> None:
        """Read a case now, unless that is done.

        Args:
            project: that it belongs to.
            case: its id.
            wanted: says, when it was read, whether it still comes next.
        """
        if self.proposal is not None and self.proposal.case.id == case:
            return

        def keep(proposal: Proposal) -> None:
            if wanted(proposal.case.id):
                self.proposal = proposal

        self._session.ask(self.fetch(project, case), keep, lambda _error: None)

    def take(self, case: int) -> Optional[Proposal]:
        """Give the proposal of a case if it was read ahead; None otherwise."""
        found = self.proposal
        if found is None or found.case.id != case:
            return None
        self.proposal = None
        return found

    def follow(self, queue: ReviewQueue) -> None:
        """Forget a proposal that waits no more, or in whose place a newer one waits."""
        if self.proposal is not None and not queue.has(self.proposal.case):
            self.proposal = None

    def forget(self) -> None:
        """Forget what was read."""
        self.proposal = None
