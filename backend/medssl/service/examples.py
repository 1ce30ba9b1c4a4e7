"""An example for every body that a request can have; the API's description shows them."""

from __future__ import annotations

from typing import Final

from fastapi.openapi.models import Example

_SEGMENTS: Final = [
    {"name": "Liver", "value": 1, "colour": [230, 159, 0]},
    {"name": "Tumor", "value": 2, "colour": [86, 180, 233]},
]

NEW_PROJECT: dict[str, Example] = {
    "liver": Example(
        summary="A project in the first allowed folder",
        value={"name": "Liver", "label_schema": {"segments": _SEGMENTS}, "channel_names": ["CT"]},
    )
}
PROJECT_FOLDER: dict[str, Example] = {
    "folder": Example(summary="A folder", value={"folder": "/data/projects/liver"})
}
SCHEMA: dict[str, Example] = {
    "segments": Example(summary="Two segments", value={"segments": _SEGMENTS, "mirror_axes": []})
}
NEW_CASE: dict[str, Example] = {
    "path": Example(
        summary="A scan in an allowed folder",
        value={"name": "Patient 7", "channels": ["/data/scans/patient7.nii.gz"], "role": "training"},
    )
}
ROLE: dict[str, Example] = {"validation": Example(summary="For validation", value={"role": "validation"})}
NEW_ANNOTATION: dict[str, Example] = {
    "drawn": Example(
        summary="Drawn in 3D Slicer",
        value={"labels": "/data/drawn/patient7.seg.nrrd", "author": "Dr. A", "seconds": 420},
    )
}
RESTORATION: dict[str, Example] = {"restored": Example(summary="By a person", value={"author": "Dr. A"})}
DECISION: dict[str, Example] = {
    "decision": Example(
        summary="On the proposal that was seen",
        value={"pseudo_label_id": 3, "author": "Dr. A", "seconds": 25, "seen_version": 0},
    )
}
UNDOING: dict[str, Example] = {
    "undone": Example(summary="Of the version that was seen", value={"seen_version": 2})
}
CORRECTION: dict[str, Example] = {
    "corrected": Example(
        summary="With the corrected label map",
        value={"pseudo_label_id": 3, "labels": "/data/drawn/patient8.seg.nrrd", "author": "Dr. A"},
    )
}
CHANNEL_RULES: dict[str, Example] = {
    "t1 and flair": Example(
        summary="Two channels of one study",
        value={
            "T1": [{"description": "t1", "contrast": False}],
            "FLAIR": [{"description": "flair|dark.?fluid"}],
        },
    )
}
JOB: dict[str, Example] = {
    "train": Example(
        summary="Train for ten minutes",
        value={"kind": "train", "settings": {"method": "dual_task", "seconds": 600}},
    ),
    "pretrain": Example(
        summary="Learn from a folder of scans that nobody annotated",
        value={"kind": "pretrain", "settings": {"method": "pgl", "seconds": 600}, "scans": "/data/scans"},
    ),
    "propose": Example(
        summary="Propose for all cases without annotation", value={"kind": "propose", "model": "latest"}
    ),
    "predict": Example(
        summary="Segment a folder of scans",
        value={"kind": "predict", "inputs": ["/data/new scans"], "output": "/data/segmented"},
    ),
    "import": Example(
        summary="Import a Decathlon-style data set",
        value={"kind": "import", "folder": "/data/Task04_Hippocampus", "annotated": 2},
    ),
    "sample": Example(
        summary="Make scans to try things out with", value={"kind": "sample", "cases": 12, "annotated": 2}
    ),
    "benchmark": Example(
        summary="Compare two methods with 1 and 2 annotated cases",
        value={
            "kind": "benchmark",
            "settings": {
                "dataset": "/data/Task04_Hippocampus",
                "measure": {"held_out": 40, "core_seconds": 240},
                "annotated": [1, 2],
            },
            "output": "/data/benchmark",
        },
    ),
    "export_model": Example(
        summary="Write a model as a MONAI bundle",
        value={"kind": "export_model", "output": "/data/models/liver.zip", "format": "monai"},
    ),
    "import_model": Example(
        summary="Bring in a model that MedSSL exported",
        value={"kind": "import_model", "path": "/data/models/liver.zip"},
    ),
    "export_project": Example(
        summary="Write the cases as an nnU-Net data set",
        value={"kind": "export_project", "output": "/data/Dataset001_Liver", "format": "nnunet"},
    ),
    "evaluate": Example(
        summary="Score the newest model on the validation cases",
        value={"kind": "evaluate", "output": "/data/scores"},
    ),
}
