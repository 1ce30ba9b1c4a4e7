"""Which cases of a project a model has learned from, as the jobs that made it and its forerunners tell."""

from __future__ import annotations

import json
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from medssl.learning.job_model import made_by
from medssl.learning.kept_cases import CASES
from medssl.project import Project


@dataclass(frozen=True)
class Lessons:
    """Cases that were learned from, by their ids; one can be in both.

    Attributes:
        with_annotation: what people drew on them was learned.
        without: only their scans were looked at.
    """

    with_annotation: frozenset[int]
    without: frozenset[int]


def lessons_of(project: Project, models: Collection[str]) -> Lessons:
    """Look into the folders of the jobs that made any of these models.

    Nothing is known of a model that was made in another project, or by a job whose folder is gone.

    Args:
        project: with the cases.
        models: ids, see `ancestry.line_of`.
    """
    annotated, without = set[int](), set[int]()
    # They look at no annotation, though some of older versions of MedSSL noted which there were.
    pretrained = {model.id for model in project.models() if not model.can_segment}
    for job in project.jobs():
        made = made_by(job.folder)
        if made in models:
            for case, version in _cases(job.folder / CASES):
                (without if version is None or made in pretrained else annotated).add(case)
    return Lessons(frozenset(annotated), frozenset(without))


def _cases(path: Path) -> list[tuple[int, int | None]]:
    """Ids of the training cases that a job kept, with the versions of their annotations."""
    with suppress(OSError, ValueError, KeyError, TypeError):  # of scans in a folder, or damaged: says nothing
        kept = json.loads(path.read_bytes())["training"]
        return [(int(each["case"]), each["annotation"]) for each in kept]
    return []
