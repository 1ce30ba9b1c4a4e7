"""Projects by key: none waits for another, and the list is in the order in which a person opened them."""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from medssl.labels import LabelSchema
from medssl.project import DATABASE_NAME, Project
from medssl.service.paths import Roots
from medssl.service.projects import Projects, key_of
from service_engine import Engine, write_scan

SOON_S = 10.0  # a third of what a busy project is waited for


def made(folder: Path) -> Path:
    """Make a project that is called like its folder."""
    with Project.create(folder, LabelSchema.of_names({1: "Liver"})) as project:
        return project.folder


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Projects]]:
    """A function that begins anew with what an earlier service remembered, as after a restart."""
    started: list[Projects] = []

    def again() -> Projects:
        for each in started:
            each.close()
        roots = Roots([tmp_path], tmp_path / "uploads")
        started.append(Projects(tmp_path / "projects.json", roots, lambda folder: None))
        return started[-1]

    yield again
    started[-1].close()


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep a project busy, as another program that is in the middle of writing does."""
    with closing(sqlite3.connect(folder / DATABASE_NAME, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")


def names(projects: Projects) -> list[str]:
    return [known.name for known in projects.listed()]


def test_the_one_that_a_person_opened_last_comes_first_whatever_is_looked_at(
    start: Callable[[], Projects], tmp_path: Path
) -> None:
    projects = start()
    for name in "ABC":
        projects.open(made(tmp_path / name))
    assert names(projects) == ["C", "B", "A"]
    projects.open(tmp_path / "A")
    assert names(projects) == ["A", "C", "B"]
    for _ in range(2):
        projects = start()
        projects.arriving(key_of(tmp_path / "B")).result()
        assert names(projects) == names(projects) == ["A", "C", "B"]


def test_a_list_of_folders_that_an_older_version_kept_is_read(
    start: Callable[[], Projects], tmp_path: Path
) -> None:
    folders = [made(tmp_path / name) for name in "AB"]
    (tmp_path / "projects.json").write_text(json.dumps([str(folder) for folder in folders]))
    projects = start()
    assert names(projects) == ["B", "A"]
    projects.open(folders[0])
    assert names(start()) == ["A", "B"]
    for broken in ("", "3", '[3, {"folder": 4}, null, [], {}]'):
        (tmp_path / "projects.json").write_text(broken)
        assert names(start()) == []


def test_what_is_gone_replaced_or_slow_is_told_and_the_others_are_listed(
    start: Callable[[], Projects], tmp_path: Path
) -> None:
    folders = [made(tmp_path / name) for name in "ABCD"]
    (tmp_path / "projects.json").write_text(json.dumps([str(folder) for folder in folders]))
    projects = start()
    projects.open(folders[1])
    shutil.rmtree(folders[2])
    with held(folders[0]):
        began = time.monotonic()
        found = {known.folder.name: known for known in projects.listed(patience_s=2)}
        assert time.monotonic() - began < SOON_S
    assert [(found[name].name, bool(found[name].problem)) for name in "ABCD"] == [
        ("", True),
        ("B", False),
        ("", True),
        ("D", False),
    ]
    assert "does not answer" in found["A"].problem
    assert "no project" in found["C"].problem
    assert projects.arriving(key_of(folders[0])).result(SOON_S).name == "A"
    assert [known.name for known in projects.listed() if not known.problem] == ["B", "D", "A"]


def test_a_project_that_is_forgotten_while_it_opens_stays_forgotten(
    start: Callable[[], Projects], tmp_path: Path
) -> None:
    folder = made(tmp_path / "A")
    start().open(folder)
    projects = start()
    with held(folder):
        opening = projects.arriving(key_of(folder))
        projects.forget(key_of(folder))
    opening.result(SOON_S)
    assert projects.listed() == []
    assert projects.open(folder).name == "A"


def test_a_busy_project_keeps_nobody_waiting_who_works_on_another(engine: Engine, tmp_path: Path) -> None:
    busy = made(engine.root / "busy")
    project = engine.new_project()
    opened: list[str] = []
    opening = [
        threading.Thread(target=lambda: opened.append(engine.client.open_project(busy).key)) for _ in range(3)
    ]
    with held(busy):
        for each in opening:
            each.start()
        time.sleep(0.5)
        began = time.monotonic()
        engine.client.add_case(project.key, "a", [write_scan(engine.root / "a.nii.gz")])
        assert engine.client.project(project.key).cases == 1
        assert project.key in {known.key for known in engine.client.projects()}
        assert engine.client.jobs(project.key) == ()
        another = engine.new_project()
        assert engine.client.open_project(another.folder).key == another.key
        assert time.monotonic() - began < SOON_S
        assert opened == []
    for each in opening:
        each.join()
    assert opened == [key_of(busy)] * 3
