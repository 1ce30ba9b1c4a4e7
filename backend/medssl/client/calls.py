"""What every group of the client's functions shares: the connection, and where things are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from medssl.client.connection import Connection, EngineError

# Okabe and Ito's colors, as `medssl.labels.PALETTE`, which needs packages that a client may lack.
_COLORS = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0))


class Calls:
    """A group of the client's functions."""

    def __init__(self, connection: Connection) -> None:
        """Ask over this connection."""
        self.connection = connection


def project_path(project: str) -> str:
    """Where a project is in the API, by its key."""
    return f"/v1/projects/{one_part(project)}"


def case_path(project: str, case: int) -> str:
    """Where a case is in the API, by its id."""
    return f"{project_path(project)}/cases/{case}"


def job_path(project: str, job: str) -> str:
    """Where a job is in the API, by its id."""
    return f"{project_path(project)}/jobs/{one_part(job)}"


def model_path(project: str, model: str) -> str:
    """Where a model is in the API, by its id."""
    return f"{project_path(project)}/models/{one_part(model)}"


def one_part(identity: str) -> str:
    """An id as one part of an address.

    Raises:
        EngineError: it is no id. On its way, '..' would be taken for a step up, to another address.
    """
    if identity in ("", ".", ".."):
        raise EngineError("not_found", f"There is nothing with the id '{identity}'.", "List what there is.")
    return quote(identity, safe="")


def as_text(path: str | Path | None) -> str | None:
    """Turn a path into what a request holds."""
    return None if path is None else str(path)


def as_schema(segments: Mapping[Any, Any]) -> Mapping[str, Any]:
    """Turn label values and names into a label schema, unless they are one already."""
    if "segments" in segments:
        return segments
    numbered = enumerate(sorted(segments.items()))
    return {
        "segments": [
            {"name": name, "value": value, "colour": list(_COLORS[i % len(_COLORS)])}
            for i, (value, name) in numbered
        ]
    }
