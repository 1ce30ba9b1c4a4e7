"""Proposals of models, and what people decide about them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body
from fastapi.responses import FileResponse

from medssl.errors import NotFoundError, ProjectError
from medssl.project import Annotation, Case, CaseSummary, Project, PseudoLabel, Suggestion
from medssl.service.context import ProjectOf, ServiceOf
from medssl.service.downloads import FILE, volume_response
from medssl.service.examples import CORRECTION, DECISION, UNDOING
from medssl.service.routers.cases import CaseId
from medssl.service.views import Correction, Decision, Undoing

router = APIRouter(prefix="/v1/projects/{project}", tags=["review"])
DecisionBody = Annotated[Decision, Body(openapi_examples=DECISION)]


@router.get("/suggestion")
def suggestion(project: ProjectOf) -> Suggestion:
    """Suggest which case to work on next, with a reason for a person."""
    return project.suggest()


@router.get("/review")
def review_queue(project: ProjectOf) -> list[CaseSummary]:
    """List the cases whose proposal waits for a decision, the most uncertain first."""
    return project.review_queue()


@router.get("/cases/{case}/proposal/labels", response_class=FileResponse, responses=FILE)
def download_proposal(service: ServiceOf, project: ProjectOf, case: CaseId) -> FileResponse:
    """Download the label map of the newest proposal for a case."""
    return volume_response(service, _proposal(project.case(case)).path)


@router.get("/cases/{case}/proposal/uncertainty", response_class=FileResponse, responses=FILE)
def download_uncertainty(service: ServiceOf, project: ProjectOf, case: CaseId) -> FileResponse:
    """Download the uncertainty map of the newest proposal for a case, 0 certain .. 1 uncertain."""
    return volume_response(service, _proposal(project.case(case)).uncertainty_path)


@router.post("/cases/{case}/accept")
def accept(project: ProjectOf, case: CaseId, decision: DecisionBody) -> Annotation:
    """Make the proposal an annotation, as it is."""
    seen = _seen(project, case, decision)
    author, seconds = decision.author, decision.seconds
    return project.accept(seen, author=author, seconds=seconds, seen_version=decision.seen_version)


@router.post("/cases/{case}/correct")
def correct(
    service: ServiceOf,
    project: ProjectOf,
    case: CaseId,
    decision: Annotated[Correction, Body(openapi_examples=CORRECTION)],
) -> Annotation:
    """Make the corrected proposal an annotation."""
    labels = service.roots.inside(decision.labels)
    seen = _seen(project, case, decision)
    author, seconds = decision.author, decision.seconds
    return service.voxels.correct(project.folder, seen, labels, author, seconds, decision.seen_version)


@router.post("/cases/{case}/reject")
def reject(project: ProjectOf, case: CaseId, decision: DecisionBody) -> Case:
    """Turn the proposal down."""
    seen = _seen(project, case, decision)
    author, seconds = decision.author, decision.seconds
    project.reject(seen, author=author, seconds=seconds, seen_version=decision.seen_version)
    return project.case(case)


@router.post("/cases/{case}/undo")
def undo(
    project: ProjectOf,
    case: CaseId,
    seen: Annotated[Undoing | None, Body(openapi_examples=UNDOING)] = None,
) -> Case:
    """Take back the last annotation or decision of a case. All files stay."""
    return project.undo(case, seen_version=None if seen is None else seen.seen_version)


def _seen(project: Project, case: int, decision: Decision) -> Case:
    """Return the case as the person saw it: with the proposal that they decided on."""
    found = project.case(case)
    if _proposal(found).id != decision.pseudo_label_id:
        raise ProjectError(
            f"There is another proposal for case '{found.name}' than the one decided on.", "Look at it first."
        )
    return found


def _proposal(case: Case) -> PseudoLabel:
    if case.pseudo_label is None:
        raise NotFoundError(f"There is no proposal for case '{case.name}'.", "Let a model propose one first.")
    return case.pseudo_label
