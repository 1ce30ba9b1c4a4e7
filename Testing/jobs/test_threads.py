"""A job computes with the cores that its process may use, also where a container may use few of many."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from medssl.events import Monitor
from medssl.exchange.datasets import read_dataset
from medssl.jobs import ImportRequest, TrainRequest, run_job, settings_for
from medssl.learning.threads import threads_of_share, torch_threads
from medssl.machine import ControlGroups
from medssl.project import Project


@pytest.fixture(autouse=True)
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A container with the time of one core and a half, in which torch counts four."""
    (tmp_path / "groups" / "box").mkdir(parents=True)
    (tmp_path / "groups" / "box" / "cpu.max").write_text("150000 100000\n", encoding="utf-8")
    (tmp_path / "own").write_text("0::/box\n", encoding="utf-8")
    found = ControlGroups.of_this_process(tmp_path / "groups", tmp_path / "own")
    monkeypatch.setattr(ControlGroups, "of_this_process", lambda: found)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    with torch_threads(4):
        yield


def test_torch_has_the_threads_of_the_share_for_the_time_being() -> None:
    with threads_of_share():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 4


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "MKL_NUM_THREADS"])
def test_what_a_person_chose_is_kept(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "4")
    with threads_of_share():
        assert torch.get_num_threads() == 4


def test_a_choice_inside_a_job_counts() -> None:
    with threads_of_share(), torch_threads(3):
        assert torch.get_num_threads() == 3


def test_a_job_computes_with_the_share(small_dataset: Path, tmp_path: Path) -> None:
    dataset, found = read_dataset(small_dataset), set[int]()
    training = TrainRequest(settings=settings_for("quick", steps=2, device="cpu"))
    with Project.create(tmp_path / "project", dataset.schema, dataset.channel_names) as project:
        run_job(project, ImportRequest(folder=small_dataset, annotated=1), Monitor())
        run_job(
            project,
            training,
            Monitor(lambda event: found.add(torch.get_num_threads()) if event.kind == "progress" else None),
        )
    assert found == {1}
    assert torch.get_num_threads() == 4
