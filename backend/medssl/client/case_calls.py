"""Cases, their images and what people drew on them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from medssl.client.answers import annotation_of, case_of, cases_of, each, suggestion_of
from medssl.client.calls import Calls, as_text, case_path, project_path
from medssl.client.records import Annotation, Case, CasePage, Suggestion
from medssl.client.transfers import SLOW_S, receive


class CaseCalls(Calls):
    """Cases, their images and what people drew on them."""

    def cases(
        self,
        project: str,
        *,
        state: str | None = None,
        role: str | None = None,
        text: str = "",
        sort: str = "name",
        descending: bool = False,
        offset: int = 0,
        limit: int = 100,
    ) -> CasePage:
        """List cases, page by page; `sort` by 'name', 'uncertainty', 'state' or 'added'."""
        query = {
            "state": state,
            "role": role,
            "text": text,
            "sort": sort,
            "descending": descending,
            "offset": offset,
            "limit": limit,
        }
        return self.connection.get(f"{project_path(project)}/cases", cases_of, query)

    def case(self, project: str, case: int | str) -> Case:
        """Return everything about a case, by its id or its name."""
        if isinstance(case, int):
            return self.connection.get(case_path(project, case), case_of)
        return self.connection.get(f"{project_path(project)}/cases/named", case_of, {"name": case})

    def suggestion(self, project: str) -> Suggestion:
        """Suggest the case to work on next, with a reason for a person."""
        return self.connection.get(f"{project_path(project)}/suggestion", suggestion_of)

    def thumbnail(self, project: str, case: int) -> bytes:
        """Return a small PNG picture of a case: one slice, with the outlines of what was drawn or proposed.

        The first one of a case takes as long as reading its scan; after that, it comes from a cache.
        """
        return self.connection.content(f"{case_path(project, case)}/thumbnail", SLOW_S)

    def add_case(
        self,
        project: str,
        name: str,
        channels: Sequence[str | Path],
        *,
        copy_files: bool = False,
        role: str = "training",
        must_be_scan: bool = False,
    ) -> Case:
        """Add a scan: one path for each channel of the project; uploads are copied into the project.

        With `must_be_scan` what holds labels is refused: for files that were found and that nobody named.
        """
        body = {
            "name": name,
            "channels": [as_text(path) for path in channels],
            "copy_files": copy_files,
            "role": role,
            "must_be_scan": must_be_scan,
        }
        path = f"{project_path(project)}/cases"
        return self.connection.change("POST", path, case_of, body, timeout_s=SLOW_S)

    def set_role(self, project: str, case: int, role: str) -> Case:
        """Use a case for 'training' or 'validation', or leave it out as 'excluded' until it is used again."""
        return self.connection.change("PUT", f"{case_path(project, case)}/role", case_of, {"role": role})

    def download_channel(self, project: str, case: int, channel: int, target: str | Path) -> Path:
        """Download one image of a case, the first being 0."""
        return receive(self.connection, f"{case_path(project, case)}/channels/{channel}", None, Path(target))

    def annotations(self, project: str, case: int) -> tuple[Annotation, ...]:
        """List all versions of a case's annotation, the oldest first."""
        return self.connection.get(f"{case_path(project, case)}/annotations", each(annotation_of))

    def save_annotation(
        self,
        project: str,
        case: int,
        labels: str | Path,
        *,
        author: str = "",
        seconds: float | None = None,
        seen_version: int | None = None,
    ) -> Annotation:
        """Save what a person drew as a new version; older ones stay.

        With `seen_version`, the one that the person saw (0 for none), it is refused when another one counts.
        """
        body = {
            "labels": as_text(labels),
            "author": author,
            "seconds": seconds,
            "seen_version": seen_version,
        }
        path = f"{case_path(project, case)}/annotations"
        return self.connection.change("POST", path, annotation_of, body, timeout_s=SLOW_S)

    def restore_annotation(
        self, project: str, case: int, version: int, *, author: str = "", seconds: float | None = None
    ) -> Annotation:
        """Let an older version count again: as a new version with the same labels."""
        body = {"author": author, "seconds": seconds}
        path = f"{case_path(project, case)}/annotations/{version}/restore"
        return self.connection.change("POST", path, annotation_of, body)

    def download_annotation(self, project: str, case: int, version: int, target: str | Path) -> Path:
        """Download one version of a case's annotation."""
        return receive(
            self.connection, f"{case_path(project, case)}/annotations/{version}", None, Path(target)
        )
