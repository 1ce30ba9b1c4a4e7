"""Paths of a person that cannot be looked at: a folder of somebody else, a name that is too long."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from medssl.access import refused_access
from medssl.cli.app import run
from medssl.host import why_not_writable
from medssl.imaging.writing import write_volume
from medssl.labels import LabelSchema
from medssl.phantom import make_phantom
from medssl.project import Project
from medssl.service.context import Service
from medssl.service.paths import Roots
from medssl.service.routers.files import list_folder


@pytest.fixture
def told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[Path], list[str]]:
    """A function that names a path to commands, as a project, a scan, ...; what each says of it."""
    project, scan = tmp_path / "project", tmp_path / "scan.nii.gz"
    write_volume(scan, make_phantom(0, size=(12, 16, 14)).image)
    with Project.create(project, LabelSchema.of_names({1: "Head"})) as made:
        made.add_case("a", [scan])

    def name(path: Path) -> list[str]:
        commands = (
            ("project", "info", "-p", path),
            ("project", "new", tmp_path / "new", "--dataset", path),
            ("case", "add", path / "scan.nii.gz", "-p", project),
            ("case", "add", path, "-p", project),
            ("case", "annotate", "a", path / "drawn.seg.nrrd", "-p", project),
            ("model", "import", path / "model.zip", "-p", project),
            ("evaluate", "--predictions", path, "--references", path, "-o", tmp_path / "o", "-p", project),
        )
        said = []
        for command in commands:
            assert run([str(part) for part in command]) in (1, 2), command
            said.append(capsys.readouterr().err)
        return said

    return name


def test_what_lies_in_a_closed_folder_may_not_be_read(
    told_of: Callable[[Path], list[str]], tmp_path: Path, make_unreadable: Callable[[Path], None]
) -> None:
    closed = tmp_path / "of somebody else"
    (closed / "inside").mkdir(parents=True)
    make_unreadable(closed)

    for said in told_of(closed / "inside"):
        assert f"{closed / 'inside'}" in said
        assert said.endswith(" may not be read. Ask for permission to read it.\n")


@pytest.mark.skipif(os.name == "nt", reason="Windows says of such a name that nothing is there")
def test_a_name_that_is_too_long_is_told_as_that(
    told_of: Callable[[Path], list[str]], tmp_path: Path
) -> None:
    for said in told_of(tmp_path / ("long" * 80)):
        assert said.endswith(" is too long for this computer. Choose a shorter folder or name.\n")


def test_an_error_that_nobody_expected_tells_reading_from_writing(
    tmp_path: Path, make_unreadable: Callable[[Path], None], make_read_only: Callable[[Path], None]
) -> None:
    secret, fixed = tmp_path / "secret", tmp_path / "fixed"
    secret.write_text("not for you")
    fixed.mkdir()
    make_unreadable(secret)
    make_read_only(fixed)

    with pytest.raises(OSError) as reading:
        secret.read_text()
    with pytest.raises(OSError) as writing:
        (fixed / "new").write_text("text")

    assert refused_access(reading.value, secret).what == f"{secret} may not be read."
    assert refused_access(writing.value, fixed / "new").what == f"{fixed / 'new'} may not be written."


def test_a_closed_folder_keeps_no_others_from_being_listed(
    tmp_path: Path, make_unreadable: Callable[[Path], None]
) -> None:
    for name in ("closed", "open"):
        (tmp_path / "data" / name).mkdir(parents=True)
    make_unreadable(tmp_path / "data" / "closed")
    service = SimpleNamespace(roots=Roots([tmp_path / "data"], tmp_path / "uploads"))

    found = list_folder(cast(Service, service), tmp_path / "data")

    assert [(entry.name, entry.is_project) for entry in found.entries] == [("closed", False), ("open", False)]


def test_the_reason_why_nothing_can_be_written_is_found_in_a_closed_folder(
    tmp_path: Path, make_unreadable: Callable[[Path], None]
) -> None:
    (tmp_path / "closed").mkdir()
    make_unreadable(tmp_path / "closed")

    assert why_not_writable(tmp_path / "closed" / "inside") == "Permission denied"
