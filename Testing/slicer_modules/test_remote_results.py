"""What an engine on another computer makes ends on this one, and what it reads is sent from here."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import slicer
from learning import ActedEngine, new_project
from medssl.client import Client, EngineError, Job
from medssl.events import Row
from MedSSLLib.journeys import Errand
from panels import OpenPanel


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def exported(remote: OpenPanel, acted: ActedEngine, target: Path, file_format: str) -> Path:
    """Ask for an export into a path of this computer; where the engine is to write it."""
    remote.session.models.export(remote.session.models.models[0].id, str(target), file_format)
    remote.wait_until(lambda: acted.jobs)
    return Path(str(acted.asked[0]["output"]))


def test_an_exported_model_ends_as_a_file_of_this_computer(
    remote: OpenPanel, acted: ActedEngine, tmp_path: Path
) -> None:
    here = tmp_path / "my own disk" / "First.zip"
    there = exported(remote, acted, here, "zip")
    assert here.parent not in there.parents
    assert not remote.message.startswith("The model is in")
    write(there, "weights")
    acted.jobs[0].end(kind="export_model", model_id="m", output=there)
    remote.wait_until(lambda: remote.message == f"The model is in {here}.")
    assert here.read_text(encoding="utf-8") == "weights"
    assert not there.parent.exists()


def test_results_come_into_a_hidden_folder_too(remote: OpenPanel, acted: ActedEngine, tmp_path: Path) -> None:
    there = exported(remote, acted, tmp_path / ".bundle", "monai")
    write(there / "LICENSE", "free")
    acted.jobs[0].end(kind="export_model", model_id="m", output=there)
    remote.wait_until((tmp_path / ".bundle" / "LICENSE").is_file)


def test_a_bundle_comes_with_all_its_folders_also_when_slicer_was_closed_meanwhile(
    remote: OpenPanel, acted: ActedEngine, tmp_path: Path
) -> None:
    here = tmp_path / "Bündel"
    there = exported(remote, acted, here, "monai")
    write(there / "configs" / "metadata.json", "{}")
    write(there / "LICENSE", "free")
    key = remote.session.project.key
    remote.wait_until(lambda: remote.session.journeys.of(acted.jobs[0].id) is not None)
    remote.reopen()
    acted.jobs[0].end(kind="export_model", model_id="m", output=there)
    remote.ready()
    remote.session.set_project(remote.session.client.project(key))
    remote.wait_until(lambda: not there.exists())
    assert (here / "configs" / "metadata.json").read_text(encoding="utf-8") == "{}"
    assert (here / "LICENSE").is_file()


def test_a_report_that_came_home_and_was_moved_away_since_is_missed(
    remote: OpenPanel, acted: ActedEngine, tmp_path: Path
) -> None:
    scoring, here = remote.widget.panel.views["models"].scoring.logic, tmp_path / "scores"
    scoring.start("latest", str(here))
    remote.wait_until(lambda: acted.jobs)
    there = Path(str(acted.asked[0]["output"]))
    table, report = write(there / "scores.csv", "case"), write(there / "report.html", "<p>report</p>")
    acted.jobs[0].end(kind="evaluate", cases=1, segments=(), model_id="m", table=table, report=report)
    remote.wait_until(lambda: remote.message.startswith("One scan is scored."))
    (here / "report.html").rename(tmp_path / "moved.html")
    scoring.open_report()
    remote.wait_until(lambda: f"The report {here / 'report.html'} is not there any more." in remote.message)


def test_a_model_is_imported_from_a_file_of_this_computer(
    remote: OpenPanel, acted: ActedEngine, tmp_path: Path
) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "Other.zip", "w") as archive:
        archive.writestr("card.json", "{}")
    remote.session.models.bring(str(tmp_path / "Other.zip"))
    remote.wait_until(lambda: acted.jobs)
    sent = Path(str(acted.asked[0]["path"]))
    assert sent != tmp_path / "Other.zip"
    assert sent.read_bytes() == (tmp_path / "Other.zip").read_bytes()
    acted.jobs[0].end(kind="import_model", model_id="m", name="Other", segments=("Kidney",), can_segment=True)
    remote.wait_until(lambda: remote.message == "The model is in the list.")
    remote.wait_until(lambda: not sent.exists())


def test_what_the_engine_refuses_leaves_nothing_there(
    remote: OpenPanel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    make_folder = Client.make_folder

    def make(client: Client) -> object:
        folder = make_folder(client)
        made.append(folder.path)
        return folder

    def refuse(client: Client, key: str, request: object) -> None:
        raise EngineError("model", "There is no such model.", "", 404)

    monkeypatch.setattr(Client, "make_folder", make)
    monkeypatch.setattr(Client, "submit", refuse)
    remote.session.models.export("none", str(tmp_path / "a.zip"), "zip")
    remote.wait_until(lambda: remote.message.startswith("There is no such model."))
    assert len(made) == 1
    assert not Path(made[0]).exists()


def choose_folders(remote: OpenPanel, scans: Path, results: Path) -> None:
    remote.widget.panel.open("apply")
    remote.wait_until(lambda: remote.find("applyModelBox").count > 0)
    remote.find("scansEdit").currentPath = str(scans)
    remote.find("outputEdit").currentPath = str(results)
    remote.click("segmentFolderButton")


def test_the_scans_of_a_folder_are_sent_and_their_segmentations_and_report_come_back(
    remote: OpenPanel,
    acted: ActedEngine,
    small_dataset: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from MedSSLLib import engine_reports

    opened: list[str] = []
    monkeypatch.setattr(engine_reports, "_open_file", opened.append)
    scans, here = tmp_path / "new scans", tmp_path / "results"
    whole = (small_dataset / "imagesTs" / "small_7.nii.gz").read_bytes()
    for name in ("first.nii.gz", "ward/first.nii.gz"):
        (scans / name).parent.mkdir(parents=True, exist_ok=True)
        (scans / name).write_bytes(whole)
    write(scans / "ward" / "damaged.nii.gz", "no scan")
    choose_folders(remote, scans, here)
    remote.wait_until(lambda: acted.jobs)
    (sent,) = (Path(each) for each in acted.asked[0]["inputs"])
    assert [path.relative_to(sent).as_posix() for path in sorted(sent.rglob("*.gz"))] == [
        "first.nii.gz",
        "ward/first.nii.gz",
    ]
    there = Path(str(acted.asked[0]["output"]))
    labels = (small_dataset / "labelsTr" / "small_1.nii.gz").read_bytes()
    (there / "ward").mkdir(parents=True)
    (there / "ward" / "first.nii.gz").write_bytes(labels)
    write(there / "report.html", "<p>report</p>")
    acted.jobs[0].report(
        Row(name="ward/first", state="done", source=str(sent / "x"), output="ward/first.nii.gz")
    )
    acted.jobs[0].end(
        kind="predict",
        model_id="m",
        done=1,
        skipped=0,
        failed={},
        output=there,
        table=there / "volumes.csv",
        report=there / "report.html",
    )
    remote.wait_until(lambda: remote.message == f"The results are in {here}.")
    assert (here / "ward" / "first.nii.gz").read_bytes() == labels
    assert not sent.exists()
    assert not there.exists()
    # One bad file stopped no other, and says why.
    table = remote.find("rowsTable")
    assert [table.item(row, 0).text() for row in range(table.rowCount)] == ["ward/first", "ward/damaged"]
    table.selectRow(1)
    assert "damaged" in remote.find("rowNoteLabel").text
    # Both are shown from here, since the engine kept nothing.
    table.cellDoubleClicked.emit(0, 0)
    remote.wait_until(lambda: remote.message == "ward/first is in the scene.")
    assert slicer.util.getNode("ward/first").IsA("vtkMRMLScalarVolumeNode")
    remote.click("reportButton")
    remote.wait_until(lambda: opened == [str(here / "report.html")])


def test_results_from_elsewhere_never_mix_with_other_files(
    remote: OpenPanel, acted: ActedEngine, small_dataset: Path, tmp_path: Path
) -> None:
    write(tmp_path / "results" / "mine.txt", "mine")
    choose_folders(remote, small_dataset / "imagesTs", tmp_path / "results")
    remote.wait_until(lambda: "is not empty" in remote.message)
    assert not acted.jobs
    assert remote.find("segmentFolderButton").enabled


def test_what_a_cancelled_folder_has_so_far_comes_back_and_may_go_on(
    remote: OpenPanel, acted: ActedEngine, small_dataset: Path, tmp_path: Path
) -> None:
    here = tmp_path / "results"
    choose_folders(remote, small_dataset / "imagesTs", here)
    remote.wait_until(lambda: acted.jobs)
    sent, there = Path(acted.asked[0]["inputs"][0]), Path(str(acted.asked[0]["output"]))
    write(there / "small_7.seg.nrrd", "segmented")
    acted.jobs[0].report(Row(name="small_7", state="done", output="small_7.seg.nrrd"))
    acted.jobs[0].end("cancelled")
    remote.wait_until(lambda: remote.message == f"What was segmented is in {here}.")
    assert (here / "small_7.seg.nrrd").read_text(encoding="utf-8") == "segmented"
    assert len(list(sent.iterdir())) == 2


def test_results_of_a_folder_that_was_over_at_once_are_told(
    remote: OpenPanel,
    acted: ActedEngine,
    small_dataset: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    submit, events = Client.submit, Client.events

    def submit_and_end(client: Client, key: str, request: Mapping[str, Any]) -> Job:
        job = submit(client, key, request)
        write(Path(str(request["output"])) / "small_7.seg.nrrd", "segmented")
        acted.jobs[0].report(Row(name="small_7", state="done", output="small_7.seg.nrrd"))
        acted.jobs[0].end("cancelled")
        while not job.over:
            job = client.job(key, job.id)
        return job

    def read_slowly(client: Client, project: str, job: str, after: int = 0) -> tuple[object, ...]:
        time.sleep(1.0)
        return events(client, project, job, after)

    monkeypatch.setattr(Client, "submit", submit_and_end)
    monkeypatch.setattr(Client, "events", read_slowly)
    here = tmp_path / "results"
    choose_folders(remote, small_dataset / "imagesTs", here)
    remote.wait_until(lambda: remote.message == f"What was segmented is in {here}.")


def close_and_open(remote: OpenPanel) -> None:
    """End Slicer, and start it again with the same project of the same engine."""
    key = remote.session.project.key
    remote.reopen()
    remote.ready()
    client = remote.session.client
    remote.session.set_client(client, shares_disk=False)
    remote.session.set_project(client.project(key))


def cancelled_with_a_result(remote: OpenPanel, acted: ActedEngine, scans: Path, here: Path) -> Path:
    """Cancel a folder of which one scan is done and fetched; returns where the engine has the results."""
    choose_folders(remote, scans, here)
    remote.wait_until(lambda: acted.jobs)
    there = Path(str(acted.asked[-1]["output"]))
    write(there / "small_7.seg.nrrd", "segmented")
    write(there / "volumes.csv", "a table")
    acted.jobs[-1].report(Row(name="small_7", state="done", output="small_7.seg.nrrd"))
    acted.jobs[-1].end("cancelled")
    remote.wait_until(lambda: remote.message.startswith("What was segmented is in"))
    return there


def test_what_a_person_corrected_is_not_replaced_when_slicer_is_opened_again(
    remote: OpenPanel, acted: ActedEngine, small_dataset: Path, tmp_path: Path
) -> None:
    here = tmp_path / "results"
    there = cancelled_with_a_result(remote, acted, small_dataset / "imagesTs", here)
    write(here / "small_7.seg.nrrd", "corrected by a person")
    write(there / "volumes.csv", "a longer table")
    close_and_open(remote)
    left = "small_7.seg.nrrd was left as it is, since it was changed on this computer."
    remote.wait_until(lambda: remote.message == f"What was segmented is in {here}. {left}")
    assert (here / "small_7.seg.nrrd").read_text(encoding="utf-8") == "corrected by a person"
    assert (here / "volumes.csv").read_text(encoding="utf-8") == "a longer table"


def test_results_of_two_jobs_that_were_given_one_empty_folder_do_not_mix(
    remote: OpenPanel, acted: ActedEngine, small_dataset: Path, tmp_path: Path
) -> None:
    here = tmp_path / "results"
    for number in range(2):
        remote.session.journeys.submit(
            Errand({"kind": "predict"}, "inputs", str(small_dataset / "imagesTs"), target=str(here)),
            lambda track: None,
        )
        remote.wait_until(lambda number=number: len(acted.jobs) > number)
    remote.wait_until(lambda: all(remote.session.journeys.of(job.id) for job in acted.jobs))
    for number, job in enumerate(acted.jobs):
        write(Path(str(acted.asked[number]["output"])) / "small_7.seg.nrrd", f"of job {number}")
        job.report(Row(name="small_7", state="done", output="small_7.seg.nrrd"))
        job.end("cancelled")
        where = here.with_name(("results", "results 2")[number])
        remote.wait_until(lambda where=where: remote.message == f"What was segmented is in {where}.")
        assert (where / "small_7.seg.nrrd").read_text(encoding="utf-8") == f"of job {number}"
    assert (here / "small_7.seg.nrrd").read_text(encoding="utf-8") == "of job 0"


def test_results_are_fetched_when_the_network_is_there_again(
    remote: OpenPanel,
    acted: ActedEngine,
    small_dataset: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here, download = tmp_path / "results", Client.download
    choose_folders(remote, small_dataset / "imagesTs", here)
    remote.wait_until(lambda: acted.jobs)
    there = Path(str(acted.asked[0]["output"]))
    write(there / "small_7.seg.nrrd", "segmented")

    def broken(client: Client, path: str, target: Path) -> Path:
        raise EngineError("unreachable", "The engine at X does not answer.", "Check that it runs.")

    monkeypatch.setattr(Client, "download", broken)
    result = {"failed": {}, "output": there, "table": there / "v.csv", "report": there / "r.html"}
    acted.jobs[0].end(kind="predict", model_id="m", done=1, skipped=0, **result)
    remote.wait_until(lambda: "does not answer" in remote.message)
    assert "will be fetched when the engine answers" in remote.message
    assert there.exists()
    monkeypatch.setattr(Client, "download", download)
    remote.session.journeys._again.setInterval(1)
    remote.session.journeys._again.start()
    remote.wait_until(lambda: remote.message == f"The results are in {here}.")
    assert (here / "small_7.seg.nrrd").read_text(encoding="utf-8") == "segmented"


def test_journeys_of_another_slicer_are_not_forgotten(
    remote: OpenPanel, acted: ActedEngine, small_dataset: Path, tmp_path: Path
) -> None:
    theirs = {"job": "another-1", "there": "/there", "here": str(tmp_path / "theirs"), "sent": []}
    remote.session.settings.remember("journeys", [theirs])
    choose_folders(remote, small_dataset / "imagesTs", tmp_path / "results")
    remote.wait_until(lambda: acted.jobs)
    remote.wait_until(lambda: remote.session.journeys.of(acted.jobs[0].id) is not None)
    remote.reopen()
    assert remote.session.journeys.of("another-1") is not None
    assert remote.session.journeys.of(acted.jobs[0].id) is not None


def test_a_project_that_is_changed_while_scans_are_sent_blocks_nothing(
    remote: OpenPanel,
    acted: ActedEngine,
    engine: Client,
    small_dataset: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, other, go_on = remote.session.project, new_project(engine, small_dataset), Event()
    upload = Client.upload

    def slow(client: Client, *arguments: object, **places: object) -> object:
        assert go_on.wait(20)
        return upload(client, *arguments, **places)  # type: ignore[arg-type]  # handed on as it came

    monkeypatch.setattr(Client, "upload", slow)
    choose_folders(remote, small_dataset / "imagesTs", tmp_path / "results")
    assert remote.find("folderStateLabel").text == "Sending the scans..."
    assert not remote.find("segmentFolderButton").enabled
    remote.session.set_project(other)
    assert remote.find("folderStateLabel").text == ""
    go_on.set()
    remote.wait_until(lambda: acted.jobs)
    remote.wait_until(lambda: remote.session.journeys.of(acted.jobs[0].id) is not None)
    remote.session.set_project(first)
    acted.jobs[0].end("cancelled")
    remote.wait_until(lambda: remote.find("segmentFolderButton").enabled)
