"""MITK's segmentation task lists: a JSON file that names images and where their segmentations are or will be.

Source: docs.mitk.org, 'MITK Segmentation Task Lists', versions 1 to 3 of the format.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medssl.access import is_file, is_folder
from medssl.errors import DataError
from medssl.exchange.datasets import DatasetCase, named_by, stem_of
from medssl.faults import first_fault

_REMEDY = "Save the list with MITK again."


class _Task(BaseModel):
    model_config = ConfigDict(extra="ignore")

    name: str | None = Field(default=None, alias="Name")
    image: str | None = Field(default=None, alias="Image")
    result: str | None = Field(default=None, alias="Result")


class _TaskList(BaseModel):
    model_config = ConfigDict(extra="ignore")

    format: Literal["MITK Segmentation Task List"] = Field(alias="FileFormat")
    version: Literal[1, 2, 3] = Field(alias="Version")
    name: str = Field(default="", alias="Name")
    defaults: _Task = Field(default=_Task(), alias="Defaults")
    tasks: list[_Task] = Field(alias="Tasks", min_length=1)


def read_task_list(path: Path) -> tuple[str, tuple[DatasetCase, ...]]:
    """Read the name of a task list and its cases; no voxel is read.

    A task whose result is there is an annotated case, the others are not annotated: a pre-segmentation is
    nobody's word yet. Paths count from the list's folder.

    Raises:
        DataError: it is no task list, an image is missing, several tasks of one image have results, or it
            names a file outside its folder.
    """
    try:
        found = _TaskList.model_validate(json.loads(path.read_text(encoding="utf-8-sig")))
    except ValidationError as error:
        raise DataError(
            f"{path} is not a MITK Segmentation Task List: {first_fault(error)}.", _REMEDY
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read: {error}.", _REMEDY) from error
    cases: dict[Path, DatasetCase] = {}
    for number, task in enumerate(found.tasks, start=1):
        named = task.image or found.defaults.image
        if named is None:
            raise DataError(
                f"Task {number} of {path} names no image.",
                "Lists of MITK scenes are not known here; name images.",
            )
        image = named_by(path, named)
        if not (is_file(image, DataError) or is_folder(image, DataError)):
            raise DataError(
                f"{image}, which {path.name} names, does not exist.", "Copy the images beside the list."
            )
        result = named_by(path, task.result) if task.result else None
        labels = result if result is not None and is_file(result, DataError) else None
        before = cases.get(image)
        if before is not None and before.labels is not None and labels is not None:
            raise DataError(
                f"Several tasks of {path} have results for {image.name}.",
                "Put them into one segmentation with MITK, and keep one task for each image.",
            )
        if before is None or labels is not None:
            name = before.name if before is not None else task.name or stem_of(image)
            cases[image] = DatasetCase(name, (image,), labels)
    names = [case.name for case in cases.values()]
    # Tasks are often named after organs: then the files tell the cases apart.
    if len(set(names)) < len(names):
        cases = {i: DatasetCase(stem_of(i), c.channels, c.labels) for i, c in cases.items()}
    return found.name or path.stem, tuple(cases.values())
