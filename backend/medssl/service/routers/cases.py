"""Cases and what people drew on them."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from fastapi import APIRouter, Body, Header, Query
from fastapi import Path as InAddress
from fastapi.responses import FileResponse, Response

from medssl.errors import NotFoundError
from medssl.project import Annotation, Case, CaseState, Role, SortKey
from medssl.service.context import ProjectOf, ServiceOf
from medssl.service.downloads import FILE, volume_response
from medssl.service.examples import NEW_ANNOTATION, NEW_CASE, RESTORATION, ROLE
from medssl.service.thumbnails import PICTURE, Sketch
from medssl.service.views import (
    LARGEST_ID,
    CasePage,
    NewAnnotation,
    NewCase,
    Number,
    Restoration,
    RoleChange,
)

router = APIRouter(prefix="/v1/projects/{project}/cases", tags=["cases"])

CaseId: TypeAlias = Annotated[int, InAddress(description="Id of a case.", ge=0, le=LARGEST_ID)]
MOST_CASES = 1000  # of a page


@router.get("")
def list_cases(
    project: ProjectOf,
    state: Annotated[CaseState | None, Query(description="Only these.")] = None,
    role: Annotated[Role | None, Query(description="Only these.")] = None,
    text: Annotated[str, Query(description="Only cases with it in their name.", max_length=255)] = "",
    sort: SortKey = "name",
    descending: bool = False,
    offset: Annotated[int, Query(ge=0, le=LARGEST_ID)] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST_CASES)] = 100,
) -> CasePage:
    """List cases, page by page."""
    page = project.cases(
        state=state, role=role, text=text, sort=sort, descending=descending, offset=offset, limit=limit
    )
    return CasePage(total=project.count_cases(state=state, role=role, text=text), cases=tuple(page))


@router.post("", status_code=201)
def add_case(
    service: ServiceOf, project: ProjectOf, wanted: Annotated[NewCase, Body(openapi_examples=NEW_CASE)]
) -> Case:
    """Add a scan. Every image is read once, so that a damaged file is told now."""
    channels = [service.roots.inside(path) for path in wanted.channels]
    copy = wanted.copy_files or any(service.is_upload(path) for path in channels)
    return service.voxels.add_case(
        project.folder, wanted.name, channels, copy, wanted.role, wanted.must_be_scan
    )


@router.get("/named")
def case_named(project: ProjectOf, name: Annotated[str, Query(max_length=255)]) -> Case:
    """Return the case with a name."""
    return project.case(name)


@router.get("/{case}")
def one_case(project: ProjectOf, case: CaseId) -> Case:
    """Return everything about a case."""
    return project.case(case)


@router.put("/{case}/role")
def set_role(
    project: ProjectOf, case: CaseId, wanted: Annotated[RoleChange, Body(openapi_examples=ROLE)]
) -> Case:
    """Use a case for training or validation, or exclude it."""
    project.set_role(case, wanted.role)
    return project.case(case)


@router.get("/{case}/channels/{channel}", response_class=FileResponse, responses=FILE)
def download_channel(service: ServiceOf, project: ProjectOf, case: CaseId, channel: Number) -> FileResponse:
    """Download one image of a case, channel 0 being the first; a DICOM series comes as one NRRD file."""
    found = project.case(case)
    if channel >= len(found.channels):
        raise NotFoundError(f"The case '{found.name}' has no channel {channel}.", "The first is 0.")
    return volume_response(service, found.channels[channel])


@router.get("/{case}/thumbnail", response_class=Response, responses=PICTURE)
def thumbnail(
    service: ServiceOf,
    project: ProjectOf,
    case: CaseId,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Return a small picture of a case: one slice, with the outlines of what was drawn or proposed."""
    sketch = Sketch.of(project, project.case(case))
    headers = {"ETag": sketch.tag, "Cache-Control": "private, no-cache"}
    if if_none_match is not None and sketch.tag in if_none_match:
        return Response(status_code=304, headers=headers)
    content = sketch.cached(service.roots) or sketch.drawn(service.roots, service.sketches)
    return Response(content, media_type="image/png", headers=headers)


@router.get("/{case}/annotations")
def list_annotations(project: ProjectOf, case: CaseId) -> list[Annotation]:
    """List all versions of a case's annotation, the oldest first, those taken back too."""
    return project.annotations(case)


@router.post("/{case}/annotations", status_code=201)
def save_annotation(
    service: ServiceOf,
    project: ProjectOf,
    case: CaseId,
    wanted: Annotated[NewAnnotation, Body(openapi_examples=NEW_ANNOTATION)],
) -> Annotation:
    """Save what a person drew as a new version, which counts from now on. Older versions stay."""
    labels = service.roots.inside(wanted.labels)
    return service.voxels.save_annotation(
        project.folder, case, labels, wanted.author, wanted.seconds, wanted.seen_version
    )


@router.post("/{case}/annotations/{version}/restore", status_code=201)
def restore_annotation(
    project: ProjectOf,
    case: CaseId,
    version: Number,
    wanted: Annotated[Restoration, Body(openapi_examples=RESTORATION)],
) -> Annotation:
    """Let an older version of a case's annotation count again: as a new version with the same labels."""
    return project.restore_annotation(case, version, author=wanted.author, seconds=wanted.seconds)


@router.get("/{case}/annotations/{version}", response_class=FileResponse, responses=FILE)
def download_annotation(
    service: ServiceOf, project: ProjectOf, case: CaseId, version: Number
) -> FileResponse:
    """Download one version of a case's annotation."""
    for annotation in project.annotations(case):
        if annotation.version == version:
            return volume_response(service, annotation.path)
    raise NotFoundError(f"The case {case} has no annotation with version {version}.", "List the versions.")
