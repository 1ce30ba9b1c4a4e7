"""What a command line asks of a project: every option arrives in the request, and none does nothing."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from medssl.cli.app import app
from medssl.cli.workplace import LocalWorkplace
from medssl.errors import UsageError
from medssl.jobs import Request
from medssl.labels import LabelSchema
from medssl.learning.settings import LEARNING_RATE, REFINING_LEARNING_RATE
from medssl.project import Project
from small_models import add_untrained_model
from typer.main import get_command

REQUESTS: dict[str, dict[str, Any]] = {
    "train --method supervised --effort quick --seed 3 --name Mine --device cpu": {
        "settings": {"method": "supervised", "seconds": 120, "seed": 3, "device": "cpu"},
        "name": "Mine",
        "start_from": None,
        "adapt_channels": False,
    },
    "train --from latest --adapt-channels --steps 7": {
        "settings": {"steps": 7, "seconds": None, "learning_rate": REFINING_LEARNING_RATE},
        "start_from": "latest",
        "adapt_channels": True,
    },
    "train --seconds 90 --method local_contrastive --confidence 0.9": {
        "settings": {"seconds": 90, "confidence": 0.9, "learning_rate": LEARNING_RATE},
    },
    "pretrain --method rotation --effort thorough --scans a --seed 3 --name Mine --device cpu": {
        "settings": {"method": "rotation", "seconds": 3600, "seed": 3, "device": "cpu"},
        "scans": Path("a"),
        "name": "Mine",
    },
    "pretrain --steps 7": {"settings": {"steps": 7, "seconds": None}, "scans": None},
    "pretrain --seconds 90": {"settings": {"steps": None, "seconds": 90}},
    "predict a b --out c": {
        "inputs": (Path("a"), Path("b")),
        "output": Path("c"),
        "model": "latest",
        "format": "seg.nrrd",
        "recursive": True,
        "skip_done": True,
    },
    "predict a --out c --model m --format dicom-seg --no-recursive --no-skip-done --names folders "
    "--any-series --channels rules.json --fractional --measurements --device cpu": {
        "model": "m",
        "format": "dicom-seg",
        "recursive": False,
        "skip_done": False,
        "names": "folders",
        "any_series": True,
        "channels": {"T1": ({"description": "t1"},)},
        "fractional": True,
        "measurements": True,
        "device": "cpu",
    },
    "evaluate --out c --model m --role training --device cpu": {
        "output": Path("c"),
        "model": "m",
        "role": "training",
        "predictions": None,
        "device": "cpu",
    },
    "evaluate --out c --predictions a --references b --scans d": {
        "predictions": Path("a"),
        "references": Path("b"),
        "scans": Path("d"),
    },
    "benchmark annotations a --out c --held-out 4 --spread --annotated 1,3 --methods dual_task,supervised "
    "--starts scratch,rotation:0.2 --seeds 5,6 --steps 8 --largest-component --proposals 2 --threads 3 "
    "--device cpu": {
        "output": Path("c"),
        "settings": {
            "dataset": Path("a"),
            "measure": {
                "held_out": 4,
                "spread": True,
                "steps": 8,
                "largest_component": True,
                "proposals": 2,
                "threads": 3,
                "device": "cpu",
            },
            "annotated": (1, 3),
            "methods": ("dual_task", "supervised"),
            "starts": ({"task": None, "share": 0.0}, {"task": "rotation", "share": 0.2}),
            "seeds": (5, 6),
        },
    },
    "benchmark annotations a --out c --held-out 4 --seconds 9": {
        "settings": {"measure": {"steps": None, "seconds": 9, "core_seconds": None, "spread": False}}
    },
    "benchmark annotations a --out c --held-out 4 --core-seconds 9": {
        "settings": {"measure": {"steps": None, "seconds": None, "core_seconds": 9}}
    },
    "model export c.onnx --model m --format onnx --license CC0 --intended-use Look --limits Much": {
        "output": Path("c.onnx"),
        "model": "m",
        "format": "onnx",
        "licence": "CC0",
        "intended_use": "Look",
        "limits": "Much",
    },
    "case add a --copy --role validation --annotated 3 --validation 2 --leave-out 1": {
        "folder": Path("a"),
        "copy_files": True,
        "role": "validation",
        "annotated": 3,
        "validation": 2,
        "leave_out": 1,
    },
    "case add a": {"copy_files": False, "role": "training", "annotated": None, "validation": 0},
    "case sample --cases 9 --annotated 3 --validation 1 --seed 7": {
        "cases": 9,
        "annotated": 3,
        "validation": 1,
        "seed": 7,
    },
}
_CANCEL = "job cancel some-job --wait 2.5"
_ELSEWHERE = {"--json", "--project"}  # how it answers, and where: with the commands that show something


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a project that has a model, an empty folder 'a', and rules for channels."""
    folder = tmp_path_factory.mktemp("place")
    with Project.create(folder / "project", LabelSchema.of_names({1: "Liver"})) as project:
        add_untrained_model(project)
    (folder / "a").mkdir()
    (folder / "rules.json").write_text('{"T1": [{"description": "t1"}]}', encoding="utf-8")
    return folder


@pytest.mark.parametrize("line", REQUESTS)
def test_every_option_arrives_in_the_request(
    medssl: Callable[..., object], place: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    asked: list[tuple[Path, Request]] = []

    def run(workplace: LocalWorkplace, request: Request, _monitor: object) -> None:
        asked.append((workplace.project.folder, request))
        raise UsageError("It is only asked for here.")

    monkeypatch.setattr(LocalWorkplace, "run", run)
    monkeypatch.chdir(place)

    medssl(*shlex.split(line), "--project", "project")

    ((folder, request),) = asked
    assert folder.samefile(place / "project")
    found = request.model_dump()
    assert _part(found, REQUESTS[line]) == _with_full_paths(REQUESTS[line])


def test_how_long_to_wait_arrives_with_who_cancels_a_job(
    medssl: Callable[..., object], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, float]] = []
    monkeypatch.setattr(LocalWorkplace, "cancel", lambda _, job, wait_s: asked.append((job, wait_s)))

    medssl(*shlex.split(_CANCEL), "--project", place / "project")

    assert asked == [("some-job", 2.5)]


def test_no_option_of_these_commands_is_left_out_here() -> None:
    lines = [shlex.split(line) for line in (*REQUESTS, _CANCEL)]
    known = dict(_options(get_command(app)))
    for path in {_command(line, known) for line in lines}:
        passed = {word for line in lines if _command(line, known) == path for word in line}
        of_one_case = {"--name"} if path == ("case", "add") else set()  # which is added without a job
        assert known[path] - passed - _ELSEWHERE - of_one_case == set(), path


def _part(found: Any, like: Any) -> Any:
    """Only what is looked for of what was found."""
    if isinstance(like, dict):
        return {key: _part(found[key], inner) for key, inner in like.items()}
    if isinstance(like, tuple):
        assert len(found) == len(like)
        return tuple(_part(each, inner) for each, inner in zip(found, like, strict=True))
    return found


def _with_full_paths(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_full_paths(inner) for key, inner in value.items()}
    if isinstance(value, tuple):
        return tuple(map(_with_full_paths, value))
    return value.absolute() if isinstance(value, Path) else value


def _command(line: list[str], known: dict[tuple[str, ...], set[str]]) -> tuple[str, ...]:
    return next(path for path in (tuple(line[:1]), tuple(line[:2])) if path in known)


def _options(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], set[str]]]:
    """The long options of every command; of a pair such as --recursive and --no-recursive the second."""
    for name, inner in getattr(command, "commands", {}).items():
        yield from _options(inner, (*path, name))
    if not hasattr(command, "commands"):
        pairs = [p.secondary_opts or p.opts for p in command.params if p.param_type_name == "option"]
        yield path, {max(names, key=len) for names in pairs}
