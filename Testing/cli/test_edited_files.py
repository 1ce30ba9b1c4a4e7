"""A file that a person edited and got wrong is named with what is wrong in it, whichever command reads it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from medssl.errors import Cancelled
from medssl.events import Event, Metric, Monitor
from medssl.jobs import TrainRequest, run_job
from medssl.learning.settings import TrainingSettings
from medssl.project import Project
from small_models import add_untrained_model

Medssl = Callable[..., tuple[int, str, str]]


def edit(path: Path, **changed: object) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, **changed}), encoding="utf-8")


@pytest.mark.parametrize("command", ["predict", "propose", "train", "export", "channels"])
def test_an_edited_plan_of_a_model_is_named_by_every_command_that_reads_it(
    medssl: Medssl, small_dataset: Path, project_folder: Path, tmp_path: Path, command: str
) -> None:
    with Project.open(project_folder) as project:
        folder = add_untrained_model(project).folder
    arguments: tuple[object, ...] = {
        "predict": ("predict", small_dataset / "imagesTs", "--out", tmp_path / "out"),
        "propose": ("review", "propose"),
        "train": ("train", "--from", "latest", "--steps", "1"),
        "export": ("model", "export", tmp_path / "model.zip"),
        "channels": ("model", "channels"),
    }[command]
    edit(folder / "plan.json", channel_names="image")
    code, out, err = medssl(*arguments, "-p", project_folder)
    assert (code, out) == (1, "")
    said = err.splitlines()[-1]
    assert said.startswith(f"The plan {folder / 'plan.json'} is damaged: channel_names: ")
    assert said.endswith("Correct it, or copy it again from where MedSSL wrote it.")
    assert "Traceback" not in err


def test_an_edited_plan_of_a_training_is_named_when_it_is_resumed(
    medssl: Medssl, project_folder: Path
) -> None:
    def stop(event: Event) -> None:
        if isinstance(event, Metric):
            monitor.cancel()

    monitor = Monitor(stop)
    with Project.open(project_folder) as project:
        settings = TrainingSettings(method="supervised", steps=9, device="cpu")
        with pytest.raises(Cancelled):
            run_job(project, TrainRequest(settings=settings), monitor)
        job = project.jobs()[0]
    network = json.loads((job.folder / "plan.json").read_text(encoding="utf-8"))["network"]
    edit(job.folder / "plan.json", network={**network, "kernels": network["kernels"][:1]})
    code, _, err = medssl("job", "resume", job.id, "-p", project_folder)
    assert code == 1
    assert f"The plan {job.folder / 'plan.json'} is damaged: network: kernels has 1 entry" in err
    assert "Something went wrong that should not" not in err


@pytest.mark.parametrize(
    ("segment", "said"),
    [
        ({"name": "Liver", "value": 300}, "segments.0.value: Input should be less than or equal to 254"),
        ({"name": "", "value": 1}, "segments.0.name: "),
    ],
)
def test_an_edited_schema_is_named_with_the_place(
    medssl: Medssl, tmp_path: Path, segment: dict[str, object], said: str
) -> None:
    file = tmp_path / "schema.json"
    file.write_text(json.dumps({"segments": [{"colour": [1, 2, 3], **segment}]}), encoding="utf-8-sig")
    code, _, err = medssl("project", "new", tmp_path / "new", "--schema", file)
    assert (code, err.startswith(f"{file} is not a label schema: {said}")) == (1, True), err
