"""Which DICOM series is which channel of a model: shown, changed and tried on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from dicom_making import write_series
from medssl.inference.channels import CHANNELS_FILE, model_channels
from medssl.labels import LabelSchema
from medssl.learning.card import CARD
from medssl.learning.model import PLAN, ModelCard
from medssl.project import Project
from medssl.storage import write_text

Medssl = Callable[..., tuple[int, str, str]]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The folder of a model of two channels, in a project of its own."""
    with Project.create(tmp_path / "brains", LabelSchema.of_names({1: "Tumor"}), ("T1", "FLAIR")) as project:
        model_id, folder = project.new_model_folder()
        card = ModelCard.model_validate(
            {
                "id": model_id, "name": "Two", "method": "supervised", "heads": ["segmentation"],
                "created": "2026-01-01T00:00:00+00:00", "medssl_version": "0", "annotated_cases": 1,
                "unannotated_cases": 0, "steps": 1, "seconds": 1.0, "seed": 0,
            }
        )  # fmt: skip
        write_text(folder / PLAN, json.dumps({"channel_names": ["T1", "FLAIR"]}))
        write_text(folder / CARD, card.model_dump_json())
        project.register_model(model_id, name="Two", method="supervised")
    return folder


@pytest.fixture
def channels(medssl: Medssl, tmp_path: Path) -> Medssl:
    return lambda *arguments: medssl("model", "channels", "--project", tmp_path / "brains", *arguments)


def test_rules_are_shown_saved_edited_set_and_reset(channels: Medssl, model: Path, tmp_path: Path) -> None:
    code, out, _ = channels()
    assert code == 0
    assert "T1       description has the word 'T1'" in out
    assert "or else: protocol has the word 'T1'" in out
    assert "the usual rules" in out

    file = tmp_path / "rules.json"
    code, out, _ = channels("--save", file)
    assert f"They are in {file}" in out
    code, _, err = channels("--save", file)
    assert code == 2
    assert "exists already" in err
    rules = json.loads(file.read_text())
    rules["T1"] = [{"description": "mprage", "contrast": False}]
    file.write_text(json.dumps(rules))
    code, out, _ = channels("--set", file)
    assert "T1       description has 'mprage', without contrast agent" in out
    assert "rules of its own" in out
    assert model_channels(model).own
    assert json.loads((model / CHANNELS_FILE).read_text())["T1"] == rules["T1"]
    told = json.loads(channels("--json")[1])
    assert (told["own"], told["rules"]["T1"]) == (True, rules["T1"])

    assert "the usual rules" in channels("--reset")[1]
    assert not (model / CHANNELS_FILE).exists()
    assert channels("--reset")[0] == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"T1": [{}]}', "no rule for: FLAIR"),
        ('{"T1": [{"description": "("}], "FLAIR": [{}]}', "is no regular expression"),
        ('{"T1": [{"description": "' + "a" * 501 + '"}], "FLAIR": [{}]}', "at most 500 characters"),
        ('{"T1": [{"description": "a{99999999999999999999}"}], "FLAIR": [{}]}', "regular expression"),
    ],
)
def test_rules_that_are_none_change_nothing(
    channels: Medssl, model: Path, tmp_path: Path, text: str, words: str
) -> None:
    (tmp_path / "rules.json").write_text(text)
    code, _, err = channels("--set", tmp_path / "rules.json")
    assert code == 2
    assert words in err
    assert not (model / CHANNELS_FILE).exists()


def test_a_trial_says_what_each_series_would_be_taken_for(
    channels: Medssl, model: Path, tmp_path: Path
) -> None:
    for number, name in enumerate(("ax T1", "DARK FLUID", "dwi"), 1):
        write_series(tmp_path / "tree" / name, description=name, StudyInstanceUID="1.2", SeriesNumber=number)
    code, out, _ = channels("--try", tmp_path / "tree")
    assert code == 0
    assert "series 1: No series of the study is its channel FLAIR" in out

    rules = {"T1": [{"description": "t1"}], "FLAIR": [{"description": "flair|dark.?fluid"}]}
    (tmp_path / "rules.json").write_text(json.dumps(rules))
    _, out, _ = channels("--set", tmp_path / "rules.json", "--try", tmp_path / "tree")
    lines = [line.split() for line in out.splitlines()]
    assert [line[-1] for line in lines[1:4]] == ["T1", "FLAIR", "-"]
    assert "series 3: No channel of the model is such a series." in out
    told = [json.loads(line) for line in channels("--try", tmp_path / "tree", "--json")[1].splitlines()]
    assert [each["channel"] for each in told if "series" in each] == ["T1", "FLAIR", None]

    code, _, err = channels("--try", model)
    assert code == 1
    assert "No DICOM series" in err
