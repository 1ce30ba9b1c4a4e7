"""The project folder: what is in it, and how it is changed without ever losing what a person drew."""

from medssl.imaging.own_files import DATABASE_NAME
from medssl.project.annotations import read_drawn
from medssl.project.models import LATEST
from medssl.project.project import Project
from medssl.project.records import (
    Annotation,
    Beside,
    Case,
    CaseRef,
    CaseState,
    CaseSummary,
    DecisionKind,
    JobRow,
    ModelRecord,
    PseudoLabel,
    Region,
    Role,
    SortKey,
    Suggestion,
    UncertainRegion,
)
from medssl.project.store import kept_name

__all__ = [
    "DATABASE_NAME",
    "LATEST",
    "Annotation",
    "Beside",
    "Case",
    "CaseRef",
    "CaseState",
    "CaseSummary",
    "DecisionKind",
    "JobRow",
    "ModelRecord",
    "Project",
    "PseudoLabel",
    "Region",
    "Role",
    "SortKey",
    "Suggestion",
    "UncertainRegion",
    "kept_name",
    "read_drawn",
]
