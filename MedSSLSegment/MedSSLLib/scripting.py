"""What Python scripts in Slicer can call; unlike the panel, everything here waits for its answer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional
from urllib.parse import urlsplit

import slicer
import vtk
from slicer.i18n import tr as _

from MedSSLLib import annotate_case, backend, drawings, engine_tokens
from MedSSLLib.case_scene import CaseScene
from MedSSLLib.engine_choice import PYTHON, REMOTE, EngineChoice, current_choice
from MedSSLLib.engine_files import EngineFiles
from MedSSLLib.problems import Problem
from MedSSLLib.segmentations import labels_of, match_segments, snapshot_segmentation
from MedSSLLib.settings import Settings
from MedSSLLib.volumes import snapshot_volume, write_snapshot

if TYPE_CHECKING:
    from medssl.client import Annotation, Case, Client, Project

_THIS_COMPUTER = ("localhost", "127.0.0.1", "::1")


def start_engine(python: Optional[str] = None) -> Client:
    """Return a client of the engine that is set up, or of one in another Python; starts it when none runs.

    Raises:
        Problem, EngineError: nothing is set up, or it does not start.
    """
    choice = EngineChoice(PYTHON, Path(python)) if python else current_choice(Settings())
    if choice is None:
        raise Problem(_("The engine is not set up yet."), _("Set it up in the module MedSSL Segment."))
    medssl = backend.client_package()
    if choice.kind == REMOTE:
        token = engine_tokens.token_of(choice.address)
        return medssl.Client(choice.address, token, verify=choice.certificate or True)
    return choice.start(Settings().texts("engine.folders"), choice.environment())[0]


def add_case(client: Client, project: Project, volume: vtk.vtkObject, name: str) -> Case:
    """Copy a volume of the scene into a project.

    Raises:
        Problem, EngineError: it is no scan, or the project refuses it.
    """
    snapshot = snapshot_volume(volume)

    def write(path: Path) -> None:
        write_snapshot(snapshot, path)

    with _files(client).handed_over(client, project, "channel0.nrrd", write) as path:
        return client.add_case(project.key, name or snapshot.name, [path], copy_files=True)


def load_case(client: Client, project: Project, case: Case) -> tuple[Any, Any]:
    """Load a case into the scene; returns its volume and its segmentation."""
    opened = annotate_case.fetch_case(client, _files(client), project, case.id)
    scene = CaseScene(
        project, opened.case, opened.scans, opened.labels,
        f"{case.name} annotation", lambda: None, lambda: None,
    )  # fmt: skip
    scene.forget()
    return scene.volume, scene.segmentation


def save_annotation(
    client: Client, project: Project, case: Case, segmentation: vtk.vtkObject, volume: vtk.vtkObject
) -> Annotation:
    """Save a segmentation as the next version of a case's annotation.

    Raises:
        Problem: a segment is not in the project's label schema.
    """
    drawn = snapshot_segmentation(segmentation, volume)
    values, unknown = match_segments(drawn.segments, project)
    for each in unknown:
        if each.layer >= 0:
            text = _("The project '{project}' has no segment '{name}'.")
            raise Problem(text.format(project=project.name, name=each.name), _("Add it first."))
    labels = labels_of(drawn, values)
    return drawings.deliver(client, _files(client), drawings.facts_of(project, case, 0.0), labels, drawn.grid)


def _files(client: Client) -> EngineFiles:
    """The way of files to an engine that may be this computer's own or not."""
    here = urlsplit(client.url).hostname in _THIS_COMPUTER
    state = backend.client_package().engine_state()
    return EngineFiles(here and state.local_url == client.url, Path(slicer.app.temporaryPath))
