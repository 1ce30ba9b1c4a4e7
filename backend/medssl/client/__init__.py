"""A client of the engine's service, for 3D Slicer's modules, the command line and programs of others.

Standard library and requests only, and Python 3.9; it imports neither torch nor pydantic.

    from medssl.client import start_or_attach

    engine = start_or_attach()
    project = engine.create_project("Liver", {1: "Liver", 2: "Tumor"}, folder="/data/liver")
    engine.add_case(project.key, "Patient 7", ["/data/scans/patient7.nii.gz"])
    job = engine.submit(project.key, {"kind": "import", "folder": "/data/Task03_Liver"})
    engine.watch(project.key, job.id, on_event=print).join()
"""

from medssl.client.arrivals import Arrivals, Arrived, fetch
from medssl.client.client import Client
from medssl.client.connection import EngineError
from medssl.client.events import EventReader
from medssl.client.local import EngineState, attach, end_idle, engine_state, start_or_attach
from medssl.client.records import (
    Annotation,
    Case,
    CasePage,
    CaseSummary,
    CheckPoint,
    Device,
    Effort,
    Event,
    Folder,
    FolderEntry,
    Gpu,
    Grid,
    Job,
    KnownProject,
    Model,
    ModelChannels,
    ModelFact,
    Options,
    Project,
    PseudoLabel,
    ResultFolder,
    Segment,
    ServiceInfo,
    Suggestion,
    UncertainRegion,
    Upload,
)
from medssl.client.transfers import name_there

__all__ = [
    "Annotation",
    "Arrivals",
    "Arrived",
    "Case",
    "CasePage",
    "CaseSummary",
    "CheckPoint",
    "Client",
    "Device",
    "Effort",
    "EngineError",
    "EngineState",
    "Event",
    "EventReader",
    "Folder",
    "FolderEntry",
    "Gpu",
    "Grid",
    "Job",
    "KnownProject",
    "Model",
    "ModelChannels",
    "ModelFact",
    "Options",
    "Project",
    "PseudoLabel",
    "ResultFolder",
    "Segment",
    "ServiceInfo",
    "Suggestion",
    "UncertainRegion",
    "Upload",
    "attach",
    "end_idle",
    "engine_state",
    "fetch",
    "name_there",
    "start_or_attach",
]
