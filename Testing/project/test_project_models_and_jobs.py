from __future__ import annotations

import os
import socket
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from medssl.errors import ProjectError, StorageError, UsageError
from medssl.project import DATABASE_NAME, Project, tables
from medssl.project.database import Database
from sqlalchemy import event, insert


def _train(project: Project, name: str = "") -> str:
    """Do what a training does at its end."""
    model_id, folder = project.new_model_folder()
    (folder / "card.json").write_text("{}", encoding="utf-8")
    project.register_model(model_id, name=name, method="dual_task")
    return model_id


def test_a_model_is_known_once_it_is_complete(project: Project) -> None:
    model_id, folder = project.new_model_folder()
    assert folder == project.folder / "models" / model_id
    assert list(folder.iterdir()) == []
    assert project.models() == []
    registered = project.register_model(model_id, name="Knees, quick", method="dual_task")
    assert (registered.id, registered.name, registered.method) == (model_id, "Knees, quick", "dual_task")
    assert registered.folder == folder
    assert project.models() == [registered]
    assert project.model(model_id) == project.model() == registered


def test_the_newest_model_is_the_latest(project: Project) -> None:
    ids = [_train(project) for _ in range(3)]
    assert len(set(ids)) == 3
    assert [model.id for model in project.models()] == ids[::-1]
    assert project.model("latest").id == ids[-1]


def test_a_pretrained_model_is_listed_but_never_the_latest(project: Project) -> None:
    pretrained, _ = project.new_model_folder()
    project.register_model(pretrained, method="pgl", can_segment=False)
    with pytest.raises(ProjectError, match="no model yet"):
        project.model("latest")
    trained = _train(project)
    later, _ = project.new_model_folder()
    project.register_model(later, method="pgl", can_segment=False)
    assert project.model("latest").id == trained
    assert [model.id for model in project.models()] == [later, trained, pretrained]
    assert not project.model(pretrained).can_segment


def test_a_project_without_a_model_says_what_to_do(project: Project) -> None:
    with pytest.raises(ProjectError, match="no model yet") as caught:
        project.model("latest")
    assert caught.value.remedy == "Train one first."
    with pytest.raises(ProjectError, match="no model 'other'"):
        project.model("other")


def test_a_model_is_registered_once_and_with_a_folder(project: Project) -> None:
    model_id = _train(project)
    with pytest.raises(ProjectError, match="already"):
        project.register_model(model_id)
    with pytest.raises(ProjectError, match="no model folder"):
        project.register_model("never-written")
    for outside in ("..", "../labels", "", "a/b"):
        with pytest.raises(UsageError, match="cannot have the id"):
            project.register_model(outside)


def test_a_deleted_model_is_gone_and_what_it_proposed_still_names_it(
    project: Project, make_scan: Callable[..., Path], drawn: np.ndarray, propose: Callable[..., None]
) -> None:
    kept, deleted = _train(project), _train(project)
    project.add_case("A", [make_scan()])
    propose("A", drawn, model_id=deleted)
    project.delete_model(deleted)
    assert [model.id for model in project.models()] == [kept]
    assert not (project.folder / "models" / deleted).exists()
    assert project.accept("A").model_id == deleted
    with pytest.raises(ProjectError, match=f"no model '{deleted}'"):
        project.delete_model(deleted)


def test_a_model_whose_files_were_removed_by_hand_can_be_deleted(project: Project) -> None:
    model_id = _train(project)
    (project.model(model_id).folder / "card.json").unlink()
    project.model(model_id).folder.rmdir()
    project.delete_model(model_id)
    assert project.models() == []


def test_a_model_whose_files_cannot_go_stays_and_can_be_deleted_later(
    project: Project, make_read_only: Callable[[Path], None]
) -> None:
    model_id = _train(project)
    model = project.model(model_id)
    make_read_only(model.folder.parent)
    with pytest.raises(StorageError, match="cannot be removed"):
        project.delete_model(model_id)
    assert project.models() == [model]
    assert (model.folder / "card.json").is_file()
    for folder in (model.folder.parent, model.folder):
        folder.chmod(0o755)
    project.delete_model(model_id)
    assert project.models() == []
    assert list(model.folder.parent.iterdir()) == []


def test_what_a_deletion_had_to_leave_goes_with_the_next_model(project: Project) -> None:
    left = project.folder / "models" / ".partial-held"
    left.mkdir(parents=True)
    (left / "model.safetensors").touch()
    os.utime(left, (0, 0))
    _, folder = project.new_model_folder()
    assert list((project.folder / "models").iterdir()) == [folder]


def test_a_job_goes_from_queued_to_its_end(project: Project) -> None:
    job = project.new_job("train", '{"seed": 1}')
    assert (job.kind, job.request, job.state) == ("train", '{"seed": 1}', "queued")
    assert job.folder == project.folder / "jobs" / job.id
    assert job.folder.is_dir()
    assert (job.started, job.ended, job.process_id) == (None, None, None)

    running = project.set_job_state(job.id, "running")
    assert (running.process_id, running.host) == (os.getpid(), socket.gethostname())
    assert running.started is not None

    failed = project.set_job_state(job.id, "failed", error="The disk is full.", remedy="Free some space.")
    assert failed == project.job(job.id)
    assert (failed.error, failed.remedy) == ("The disk is full.", "Free some space.")
    assert failed.ended is not None
    assert failed.ended >= running.started

    again = project.set_job_state(job.id, "running")
    assert (again.ended, again.error) == (None, "")


def test_jobs_are_listed_with_the_newest_first(project: Project) -> None:
    jobs = [project.new_job("predict", "{}") for _ in range(3)]
    assert project.jobs() == jobs[::-1]
    assert len({job.id for job in jobs}) == 3


def test_a_page_of_many_jobs_reads_only_its_own_rows(project: Project) -> None:
    first = datetime(2026, 1, 1, tzinfo=timezone.utc)
    same = {"kind": "predict", "request": "{}", "error": "", "remedy": ""}
    rows = [
        {
            **same,
            "id": f"job-{number:04d}",
            "state": "running" if number in (7, 1500) else "finished",
            "created": first + timedelta(minutes=number),
        }
        for number in range(2000)
    ]
    database = Database(project.folder / DATABASE_NAME)
    with database.writing() as session:
        session.execute(insert(tables.Job), rows)
    database.close()
    read: list[str] = []

    def note(row: tables.Job, _: object) -> None:
        read.append(row.id)

    event.listen(tables.Job, "load", note)
    try:
        page = [job.id for job in project.jobs(offset=40, limit=50)]
        assert page == [f"job-{number:04d}" for number in range(1959, 1909, -1)]
        assert [job.id for job in project.jobs(("queued", "running"))] == ["job-1500", "job-0007"]
        assert project.jobs(offset=2000, limit=50) == []
        assert project.count_jobs() == 2000
        assert read == [*page, "job-1500", "job-0007"]
    finally:
        event.remove(tables.Job, "load", note)


def test_an_unknown_job_is_told(project: Project) -> None:
    with pytest.raises(ProjectError, match="no job '7'"):
        project.job("7")
    with pytest.raises(ProjectError, match="no job '7'"):
        project.set_job_state("7", "running")
