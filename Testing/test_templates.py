"""The dictionary of label schemas: complete, coded as DICOM codes it, and there where the engine looks."""

from __future__ import annotations

import io
import json
from pathlib import Path

import medssl
import pytest
from medssl.cli.app import run
from medssl.errors import UsageError
from medssl.labels import Code, Terminology
from medssl.project import Project
from medssl.templates import Template, find_template, list_templates
from pydicom.sr._concepts_dict import concepts

FOLDER = Path(__file__).parents[1] / "Resources" / "LabelSchemas"
TEMPLATES = list_templates()


def codes(terminology: Terminology) -> list[Code]:
    found = [getattr(terminology, name) for name in type(terminology).model_fields]
    return [code for code in found if code is not None]


def test_every_file_is_a_template_with_the_name_of_its_file() -> None:
    assert [t.name for t in TEMPLATES] == sorted(path.stem for path in FOLDER.glob("*.json"))
    wanted = {
        "abdominal-organs",
        "brain-structures",
        "brain-tumor",
        "hippocampus",
        "kidney-tumor",
        "left-atrium",
    }
    assert wanted | {"lesions", "liver-lesion"} <= {t.name for t in TEMPLATES}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda t: t.name)
def test_every_segment_has_a_colour_of_its_own_and_a_code(template: Template) -> None:
    segments = template.label_schema.segments
    assert len({s.colour for s in segments}) == len(segments)
    meanings = [s.terminology.model_dump_json() for s in segments if s.terminology is not None]
    assert len(set(meanings)) == len(segments)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda t: t.name)
def test_codes_mean_in_dicom_what_they_say(template: Template) -> None:
    # DICOM's own dictionary, by code; Slicer's two categories have other words there.
    known: dict[str, set[str]] = {
        "123037004": {"anatomical structure"},
        "49755003": {"morphologically altered structure"},
    }
    for entries in concepts["SCT"].values():
        for value, (meaning, _) in entries.items():
            known.setdefault(value, set()).add(meaning.lower())
    for segment in template.label_schema.segments:
        assert segment.terminology is not None
        for code in codes(segment.terminology):
            assert code.scheme == "SCT"
            assert code.meaning.lower() in known[code.value], code


def test_a_side_is_told_by_the_code_too() -> None:
    for template in TEMPLATES:
        for segment in template.label_schema.segments:
            assert segment.terminology is not None
            side, modifier = segment.name.split()[0], segment.terminology.type_modifier
            if side in ("Right", "Left", "Anterior", "Posterior") and modifier is None:
                assert segment.terminology.type.meaning.startswith(side)
            else:
                assert modifier is None or modifier.meaning == side


def test_a_project_begins_with_a_template(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["project", "new", str(tmp_path / "p"), "--template", "hippocampus"]) == 0
    with Project.open(tmp_path / "p") as project:
        assert project.schema == find_template("hippocampus").label_schema
    assert run(["project", "new", str(tmp_path / "q"), "--template", "hippocampus", "--segments", "1=A"]) == 2
    capsys.readouterr()
    assert run(["project", "templates", "--json"]) == 0
    listed = json.load(io.StringIO(capsys.readouterr().out))
    assert [t["name"] for t in listed] == [t.name for t in TEMPLATES]


def test_an_unknown_template_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(UsageError, match="kidney-tumor"):
        find_template("knee")


def test_an_installed_engine_brings_the_templates_along() -> None:
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 cannot read TOML")
    backend = Path(medssl.__file__).parents[1]
    if not (backend / "pyproject.toml").is_file():
        pytest.skip("the engine under test is an installed one")
    project = tomllib.loads((backend / "pyproject.toml").read_text(encoding="utf-8"))
    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert [(backend / source).resolve() for source in included] == [FOLDER]
    assert list(included.values()) == ["medssl/label_schemas"]
