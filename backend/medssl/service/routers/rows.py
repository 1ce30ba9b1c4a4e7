"""The scans that a job over folders went through, each by the name of its row: what a viewer shows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse

from medssl.errors import NotFoundError
from medssl.jobs.origins import find_scan, find_segmentation
from medssl.jobs.requests import PredictRequest
from medssl.project import Project
from medssl.service.context import ProjectOf, Service, ServiceOf
from medssl.service.downloads import FILE, converted_response, file_response
from medssl.service.job_views import request_of
from medssl.service.routers.jobs import JobId

router = APIRouter(prefix="/v1/projects/{project}/jobs/{job}/rows", tags=["jobs"])

RowName: TypeAlias = Annotated[str, Query(description="Name of a scan in the job's rows.", max_length=4096)]


@router.get("/scan", response_class=FileResponse, responses=FILE)
def scan(service: ServiceOf, project: ProjectOf, job: JobId, name: RowName) -> FileResponse:
    """Download the scan of a row as one volume; a DICOM series comes as `.nrrd`."""
    found = find_scan(_request(service, project, job), name)
    series = found.series
    if series is None:
        return file_response(service, found.source)
    service.roots.inside(found.source)
    return converted_response(
        service, f"{found.relative.name}.nrrd", lambda target: service.voxels.convert_series(series, target)
    )


@router.get("/segmentation", response_class=FileResponse, responses=FILE)
def segmentation(service: ServiceOf, project: ProjectOf, job: JobId, name: RowName) -> FileResponse:
    """Download the segmentation of a row as `.seg.nrrd` with the project's values, however it was written."""
    source = service.roots.inside(find_segmentation(_request(service, project, job), name))
    schema = project.schema
    return converted_response(
        service,
        f"{Path(name).name}.seg.nrrd",
        lambda target: service.voxels.convert_labels(source, schema, target),
    )


def _request(service: Service, project: Project, job: str) -> PredictRequest:
    request = request_of(project.job(job))
    if not isinstance(request, PredictRequest):
        raise NotFoundError(f"The job '{job}' segmented no folder.", "Name a job of the kind 'predict'.")
    return service.roots.inside_request(request)
