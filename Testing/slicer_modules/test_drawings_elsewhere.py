"""Kept drawings where there are several engines, several scans in one place, or several Slicers."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from learning import new_project
from medssl.client import Client, Project
from MedSSLLib import kept_drawings
from panels import OpenPanel
from test_kept_drawings import (
    draw,
    end_slicer_without_an_engine,
    leave_the_screen_without_an_engine,
    settled,
    show,
    start_again,
)


@pytest.fixture
def project(engine: Client, small_dataset: Path) -> Project:
    """'small_1' is annotated, 'small_2' is not."""
    return new_project(engine, small_dataset)


@pytest.fixture
def opened(panel: OpenPanel, project: Project) -> OpenPanel:
    """A panel with the project open."""
    panel.ready()
    panel.session.set_project(project)
    return panel


def test_a_drawing_is_sent_unasked_only_to_the_engine_that_has_its_project(
    opened: OpenPanel, project: Project, engine: Client
) -> None:
    opened.session.set_client(engine, shares_disk=False)  # as if on another computer
    draw(show(opened, "annotate", "small_1").scene)
    kept = leave_the_screen_without_an_engine(opened, project)
    opened.session.set_client(engine, shares_disk=True)  # this one's own, with a project at the same path
    settled(opened)
    assert kept.folder.exists()
    assert engine.case(project.key, "small_1").annotation.version == 1
    opened.session.set_client(engine, shares_disk=False)
    opened.wait_until(lambda: engine.case(project.key, "small_1").annotation.version == 2, 60)
    opened.wait_until(lambda: not kept.folder.exists())


@pytest.mark.parametrize("name", ["small_2", "somebody else"])
def test_a_drawing_is_not_saved_to_another_scan_that_has_the_place_of_its_own(
    opened: OpenPanel, project: Project, engine: Client, small_dataset: Path, name: str
) -> None:
    draw(show(opened, "annotate", "small_2").scene)
    kept = leave_the_screen_without_an_engine(opened, project)
    engine.forget_project(project.key)
    shutil.rmtree(project.folder)
    made_anew = engine.create_project("Another", {1: "Kidney"}, folder=project.folder)
    assert made_anew.key == project.key
    for place, each in enumerate(("first", name), 4):
        scan = engine.add_case(project.key, each, [small_dataset / "imagesTr" / f"small_{place}.nii.gz"])
    assert scan.id == kept.facts.case
    opened.session.set_client(engine, shares_disk=True)
    opened.wait_until(lambda: "is not the one that was drawn in" in opened.message, 60)
    assert project.folder in opened.message
    assert str(kept.folder) in opened.message
    assert kept.folder.exists()
    assert engine.case(project.key, scan.id).annotation is None


def test_a_drawing_of_another_engine_is_offered_only_where_its_very_scan_is(
    opened: OpenPanel, project: Project, engine: Client
) -> None:
    opened.session.set_client(engine, shares_disk=False)  # as if on another computer
    draw(show(opened, "annotate", "small_2").scene)
    kept = leave_the_screen_without_an_engine(opened, project)
    facts, added = kept.folder / "drawing.json", engine.case(project.key, "small_2").added
    mine = facts.read_text()
    facts.write_text(mine.replace(added, "on another day"))
    start_again(opened, project)
    settled(opened)
    assert kept.folder.exists()
    assert engine.case(project.key, "small_2").annotation is None
    facts.write_text(mine)
    start_again(opened, project)  # such as a project on a drive that both computers see
    opened.wait_until(lambda: engine.case(project.key, "small_2").annotation is not None, 60)
    opened.wait_until(lambda: not kept.folder.exists())


@contextmanager
def another_slicer(kept: kept_drawings.KeptDrawing) -> Iterator[tuple[subprocess.Popen[str], bool]]:
    """A process that takes a drawing in hand as another Slicer does, and whether it gets it."""
    act = (
        "import sys; from medssl.occupancy import try_lock; file = open(sys.argv[1], 'ab', buffering=0); "
        "print(try_lock(file), flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", act, str(kept.folder / "drawing.lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process, process.stdout.readline() == "True\n"


def test_a_drawing_that_another_slicer_has_in_hand_is_offered_once_that_one_was_killed(
    opened: OpenPanel, project: Project, engine: Client
) -> None:
    draw(show(opened, "annotate", "small_1").scene)
    end_slicer_without_an_engine(opened)
    (kept,) = kept_drawings.kept(project.key)
    with another_slicer(kept) as (process, has_it):
        assert has_it
        start_again(opened, project)  # would ask; under testing it would save
        settled(opened)
        assert kept.folder.exists()
        process.kill()
    assert engine.case(project.key, "small_1").annotation.version == 1
    opened.session.set_project(None)
    opened.session.set_project(project)
    opened.wait_until(lambda: engine.case(project.key, "small_1").annotation.version == 2, 60)
    opened.wait_until(lambda: not kept.folder.exists())


def test_no_other_slicer_gets_a_drawing_that_this_one_has_in_hand(
    opened: OpenPanel, project: Project
) -> None:
    draw(show(opened, "annotate", "small_1").scene)
    kept = leave_the_screen_without_an_engine(opened, project)
    with another_slicer(kept) as (_process, has_it):
        assert not has_it
