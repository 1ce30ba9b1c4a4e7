"""Proposals of models, and what people decide about them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from medssl.client.answers import annotation_of, case_of, each, record_of
from medssl.client.calls import Calls, as_text, case_path, project_path
from medssl.client.records import Annotation, Case, CaseSummary
from medssl.client.transfers import SLOW_S, receive


class ReviewCalls(Calls):
    """Proposals of models, and what people decide about them."""

    def review_queue(self, project: str) -> tuple[CaseSummary, ...]:
        """List the cases whose proposal waits for a decision, the most uncertain first."""
        return self.connection.get(f"{project_path(project)}/review", each(record_of(CaseSummary)))

    def download_proposal(self, project: str, case: int, target: str | Path) -> Path:
        """Download the label map of the newest proposal for a case."""
        return receive(self.connection, f"{case_path(project, case)}/proposal/labels", None, Path(target))

    def download_uncertainty(self, project: str, case: int, target: str | Path) -> Path:
        """Download the uncertainty map of the newest proposal for a case."""
        return receive(
            self.connection, f"{case_path(project, case)}/proposal/uncertainty", None, Path(target)
        )

    def accept(
        self,
        project: str,
        case: int,
        pseudo_label: int,
        *,
        author: str = "",
        seconds: float | None = None,
        seen_version: int | None = None,
    ) -> Annotation:
        """Make the proposal with this id, the one the person saw, an annotation.

        With `seen_version`, of the annotation that the person saw (0 for none), it is refused when
        another one counts.
        """
        body = _decision(pseudo_label, author, seconds, seen_version)
        return self.connection.change("POST", f"{case_path(project, case)}/accept", annotation_of, body)

    def correct(
        self,
        project: str,
        case: int,
        pseudo_label: int,
        labels: str | Path,
        *,
        author: str = "",
        seconds: float | None = None,
        seen_version: int | None = None,
    ) -> Annotation:
        """Make the corrected label map of a proposal an annotation; `seen_version` as for `accept`."""
        body = {**_decision(pseudo_label, author, seconds, seen_version), "labels": as_text(labels)}
        path = f"{case_path(project, case)}/correct"
        return self.connection.change("POST", path, annotation_of, body, timeout_s=SLOW_S)

    def reject(
        self,
        project: str,
        case: int,
        pseudo_label: int,
        *,
        author: str = "",
        seconds: float | None = None,
        seen_version: int | None = None,
    ) -> Case:
        """Turn a proposal down; `seen_version` as for `accept`."""
        body = _decision(pseudo_label, author, seconds, seen_version)
        return self.connection.change("POST", f"{case_path(project, case)}/reject", case_of, body)

    def undo(self, project: str, case: int, *, seen_version: int | None = None) -> Case:
        """Take back the last annotation or decision of a case; `seen_version` as for `accept`."""
        body = {"seen_version": seen_version}
        return self.connection.change("POST", f"{case_path(project, case)}/undo", case_of, body)


def _decision(
    pseudo_label: int, author: str, seconds: float | None, seen_version: int | None
) -> dict[str, Any]:
    return {
        "pseudo_label_id": pseudo_label,
        "author": author,
        "seconds": seconds,
        "seen_version": seen_version,
    }
