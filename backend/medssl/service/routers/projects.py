"""Projects: making, opening, describing and forgetting them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body

from medssl.labels import LabelSchema
from medssl.project import Project
from medssl.project.store import checked_name, folder_name
from medssl.service.context import ProjectKey, ProjectOf, ServiceOf
from medssl.service.examples import NEW_PROJECT, PROJECT_FOLDER, SCHEMA
from medssl.service.projects import key_of
from medssl.service.views import Done, KnownProject, NewProject, ProjectFolder, ProjectView, SchemaChange

router = APIRouter(prefix="/v1/projects", tags=["projects"])


@router.get("")
def list_projects(service: ServiceOf) -> list[KnownProject]:
    """List the projects that were opened here before, the one that a person opened last first."""
    return [
        KnownProject(key=known.key, folder=known.folder, name=known.name, problem=known.problem)
        for known in service.projects.listed()
    ]


@router.post("", status_code=201)
def create(
    service: ServiceOf, wanted: Annotated[NewProject, Body(openapi_examples=NEW_PROJECT)]
) -> ProjectView:
    """Make a project and open it."""
    name = checked_name(wanted.name, "the project")
    folder = wanted.folder or service.roots.folders[0] / folder_name(name)
    made = Project.create(service.roots.inside(folder), wanted.label_schema, wanted.channel_names, name)
    return _view(service.projects.add(made))


@router.post("/open")
def open_project(
    service: ServiceOf, wanted: Annotated[ProjectFolder, Body(openapi_examples=PROJECT_FOLDER)]
) -> ProjectView:
    """Open the project in a folder."""
    return _view(service.projects.open(wanted.folder))


@router.get("/{project}")
def describe(project: ProjectOf) -> ProjectView:
    """Describe a project."""
    return _view(project)


@router.delete("/{project}")
def forget(service: ServiceOf, project: ProjectKey) -> Done:
    """Forget where a project is; its folder stays as it is."""
    service.engine.forget(service.projects.forget(project))
    return Done()


@router.put("/{project}/schema")
def set_schema(
    project: ProjectOf, wanted: Annotated[SchemaChange, Body(openapi_examples=SCHEMA)]
) -> ProjectView:
    """Change the label schema: add segments, rename them, change colors and codes."""
    changed = LabelSchema.model_validate(wanted.model_dump(exclude={"seen"}))
    project.set_schema(changed, seen=wanted.seen)
    return _view(project)


def _view(project: Project) -> ProjectView:
    return ProjectView(
        key=key_of(project.folder),
        name=project.name,
        folder=project.folder,
        channel_names=project.channel_names,
        label_schema=project.schema,
        cases=project.count_cases(),
        annotated=project.count_cases(state="annotated"),
        proposed=project.count_cases(state="proposed"),
    )
