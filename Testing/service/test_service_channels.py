"""Rules for the channels of a model over HTTP, and from the command line of another computer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from medssl.cli.app import run
from medssl.client import Client, EngineError, ModelChannels, Project
from medssl.inference.channels import channel_rules_of
from medssl.learning.model import PLAN
from medssl.project import Project as OpenProject
from medssl.storage import write_text
from service_engine import Engine

RULES = {"T1": [{"description": "t1", "contrast": False}], "FLAIR": [{"description": "flair"}]}


@pytest.fixture(scope="module")
def model(engine: Engine) -> tuple[Project, str, Path]:
    """A model of two channels: its project, id and folder."""
    made = engine.new_project()
    with OpenProject.open(Path(made.folder)) as opened:
        model_id, folder = opened.new_model_folder()
        write_text(folder / PLAN, json.dumps({"channel_names": ["T1", "FLAIR"]}))
        opened.register_model(model_id, name="Two", method="supervised")
    return made, model_id, folder


def test_rules_are_read_changed_and_taken_back(client: Client, model: tuple[Project, str, Path]) -> None:
    project, model_id, folder = model
    usual = client.channel_rules(project.key, model_id)
    assert (usual.channels, usual.own) == (("T1", "FLAIR"), False)
    assert "T1" in usual.rules["T1"][0]["description"]
    assert client.set_channel_rules(project.key, model_id, RULES) == ModelChannels(
        usual.channels, RULES, True
    )
    kept = channel_rules_of(folder)
    assert kept is not None
    assert kept.model_dump(exclude_none=True) == {name: tuple(each) for name, each in RULES.items()}
    assert client.channel_rules(project.key, "latest").rules == RULES
    assert client.set_channel_rules(project.key, model_id, None) == usual
    assert channel_rules_of(folder) is None


@pytest.mark.parametrize(
    ("rules", "status"),
    [
        ({"T1": [{}]}, 400),
        ({"T1": [{"description": "("}], "FLAIR": [{}]}, 422),
        ({"T1": [{"description": "a{99999999999999999999}"}], "FLAIR": [{}]}, 422),
        ({"T1": [{"description": "a" * 501}], "FLAIR": [{}]}, 422),
        ({"T1": [{"descripton": "t1"}], "FLAIR": [{}]}, 422),
    ],
)
def test_wrong_rules_are_refused_and_change_nothing(
    client: Client, model: tuple[Project, str, Path], rules: dict[str, object], status: int
) -> None:
    project, model_id, folder = model
    with pytest.raises(EngineError) as told:
        client.set_channel_rules(project.key, model_id, rules)
    assert told.value.status == status
    assert channel_rules_of(folder) is None


def test_the_command_line_changes_them_elsewhere(
    engine: Engine, model: tuple[Project, str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project, _, folder = model
    (tmp_path / "token").write_text(engine.token)
    (tmp_path / "rules.json").write_text(json.dumps(RULES))
    there = ["--remote", engine.url, "--token-file", str(tmp_path / "token")]
    command = [*there, "model", "channels", "--project", project.folder]
    assert run([*command, "--set", str(tmp_path / "rules.json")]) == 0
    assert "description has 'flair'" in capsys.readouterr().out
    assert channel_rules_of(folder) is not None
    assert run([*command, "--reset"]) == 0
    assert channel_rules_of(folder) is None
