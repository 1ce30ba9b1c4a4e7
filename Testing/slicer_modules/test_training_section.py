"""The section Train: clicked like a person does, with a real engine."""

from __future__ import annotations

from pathlib import Path

import pytest
import slicer
from learning import ActedEngine, ActedJob, new_project, register_model, shorten
from medssl.client import Client, EngineError, Project
from medssl.events import Log
from panels import OpenPanel

TRAIN = {"kind": "train", "settings": {"method": "dual_task", "seconds": 60.0}}
SUPERVISED = {"kind": "train", "settings": {"method": "supervised", "seconds": 60.0}}
RESULT = {"kind": "train", "model_id": "made-up", "steps": 8, "seconds": 60.0, "validation_dice": None}


@pytest.fixture
def project(engine: Client, small_dataset: Path) -> Project:
    """One annotated case, one for validation, four that nobody annotated."""
    return new_project(engine, small_dataset)


@pytest.fixture
def opened(panel: OpenPanel, project: Project, monkeypatch: pytest.MonkeyPatch) -> OpenPanel:
    """The panel with the project open, and efforts that take two seconds."""
    shorten(monkeypatch, 2.0)
    open_project(panel, project)
    panel.wait_until(lambda: panel.find("startButton").enabled)
    return panel


def open_project(panel: OpenPanel, project: Project) -> None:
    panel.ready()
    panel.session.set_project(panel.session.client.project(project.key))
    panel.widget.panel.open("train")


def losses(panel: OpenPanel, job: str) -> list[int]:
    """The steps whose loss the panel knows of a job."""
    track = panel.session.jobs.track(job)
    curve = None if track is None else track.losses.get("loss")
    return [] if curve is None else curve.steps


def see(panel: OpenPanel, job: ActedJob) -> None:
    """Have the panel look for a job that others began."""
    panel.session.jobs.refresh()
    panel.wait_until(lambda: panel.session.jobs.track(job.id) is not None)


def test_the_engine_says_what_can_be_chosen(opened: OpenPanel, engine: Client) -> None:
    box = opened.find("methodBox")
    offered = [box.itemData(line) for line in range(box.count)]
    assert set(offered) <= set(engine.options().methods)
    assert box.itemData(box.currentIndex) == engine.options().method
    assert opened.find("methodSentenceLabel").text
    efforts = opened.find("effortBox")
    assert [efforts.itemData(line) for line in range(efforts.count)] == ["quick", "balanced", "thorough"]
    assert efforts.currentText == "Balanced (2 s)"
    assert opened.find("startBox").currentText == "Nothing"


def test_an_engine_that_could_not_say_what_can_be_chosen_is_asked_again(
    panel: OpenPanel, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_client: Client) -> None:
        raise EngineError("timeout", "The engine took too long.")

    with monkeypatch.context() as busy:
        busy.setattr(Client, "options", refuse)
        open_project(panel, project)
        panel.wait_until(lambda: "took too long" in panel.message)
    assert not panel.find("startButton").enabled
    panel.session.offers._again.setInterval(1)
    panel.wait_until(lambda: panel.find("startButton").enabled)
    assert panel.find("formatBox").count > 0


def test_a_training_shows_where_it_is_and_ends_with_proposals(
    opened: OpenPanel, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    acted = ActedEngine(monkeypatch, project)
    box = opened.find("methodBox")
    box.currentIndex = box.findData("supervised")
    opened.click("startButton")
    opened.wait_until(lambda: acted.jobs)
    training = acted.jobs[0]
    training.learn(range(1, 9))
    opened.wait_until(lambda: "step" in opened.find("trainingTitleLabel").text)
    assert not opened.find("startButton").enabled
    opened.wait_until(lambda: opened.find("lossLabel").text.startswith("loss "))
    opened.wait_until(lambda: opened.find("diceTable").rowCount == 2)
    assert opened.find("diceTable").item(0, 0).text() == "Kidney"
    model = register_model(project)
    training.end(**{**RESULT, "model_id": model})
    opened.wait_until(lambda: opened.session.training.track.over)
    assert opened.find("trainingTitleLabel").text == "<b>Supervised</b> · finished"
    # What follows by itself: the new model proposes for the four cases that nobody annotated, once.
    opened.wait_until(lambda: opened.session.jobs.newest("propose") is not None)
    assert "4 scans get proposals now" in opened.message
    acted.jobs[1].end(kind="propose", model_id=model, proposals=[])
    opened.wait_until(lambda: opened.session.jobs.newest("propose").over)
    assert [each["kind"] for each in acted.asked] == ["train", "propose"]
    assert acted.asked[1]["model"] == model
    opened.wait_until(lambda: opened.find("startBox").count == 2)
    assert opened.find("startBox").itemText(1).startswith("The last model: Supervised, ")
    # Going on from a model takes less time than beginning anew.
    opened.find("startBox").currentIndex = 1
    assert opened.session.training.efforts(opened.find("startBox").itemData(1))[0].title == "Quick (2 s)"
    opened.wait_until(lambda: opened.find("startButton").enabled)
    opened.click("startButton")
    opened.wait_until(lambda: len(acted.jobs) == 3)
    assert acted.asked[2]["start_from"] == model
    acted.jobs[2].end("cancelled")


def test_what_was_chosen_is_what_the_engine_gets(
    opened: OpenPanel, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    acted = ActedEngine(monkeypatch, project)
    for name, key in (("methodBox", "local_contrastive"), ("effortBox", "quick"), ("deviceBox", "cpu")):
        box = opened.find(name)
        box.currentIndex = box.findData(key)
    opened.click("startButton")
    opened.wait_until(lambda: acted.jobs)
    settings = acted.asked[0]["settings"]
    assert (settings["method"], settings["device"], settings["seconds"]) == ("local_contrastive", "cpu", 2.0)
    assert acted.asked[0]["start_from"] is None
    acted.jobs[0].end("cancelled")


def test_the_panel_says_what_the_training_does_now_and_how_long_it_takes(
    opened: OpenPanel, project: Project
) -> None:
    job = ActedJob(project, TRAIN)
    see(opened, job)
    job.learn(range(1, 21))
    opened.wait_until(lambda: losses(opened, job.id)[-1:] == [20])
    assert opened.find("trainingTitleLabel").text == "<b>Dual-task consistency</b> · step 20 / 100"
    assert opened.find("trainingLeftLabel").text == "80 s left"
    assert opened.find("trainingBar").value == 200
    assert opened.find("lossLabel").text == "loss 0.05 · segmentation 0.045"
    assert opened.find("diceTable").item(0, 1).text() == "0.950"
    assert opened.find("cancelButton").enabled
    job.end(**RESULT)
    opened.wait_until(lambda: not opened.find("cancelButton").enabled)


def test_curves_are_drawn_beside_those_of_the_last_supervised_training(
    opened: OpenPanel, project: Project
) -> None:
    before = ActedJob(project, SUPERVISED)
    before.learn(range(1, 9))
    before.end(**RESULT)
    other = ActedJob(project, TRAIN)
    other.end(**RESULT)
    job = ActedJob(project, TRAIN)
    job.learn(range(1, 5))
    see(opened, job)
    opened.wait_until(lambda: opened.session.training.baseline is not None)
    assert opened.session.training.baseline.job.id == before.id
    opened.wait_until(lambda: losses(opened, job.id)[-1:] == [4])
    opened.click("showCurvesButton")
    charts = slicer.util.getNodesByClass("vtkMRMLPlotChartNode")
    dice = next(chart for chart in charts if chart.GetTitle() == "Dice on the validation scans")
    lines = [dice.GetNthPlotSeriesNode(n) for n in range(dice.GetNumberOfPlotSeriesNodes())]
    assert [line.GetName() for line in lines] == [
        "Kidney",
        "Kidney, before",
        "Renal pelvis",
        "Renal pelvis, before",
    ]
    assert [line.GetLineStyle() for line in lines[:2]] == [
        slicer.vtkMRMLPlotSeriesNode.LineStyleSolid,
        slicer.vtkMRMLPlotSeriesNode.LineStyleDash,
    ]
    table = lines[0].GetTableNode().GetTable()
    values = [table.GetValue(row, 1).ToDouble() for row in range(table.GetNumberOfRows())]
    assert values == [0.5, 0.75]
    assert dice.GetID() in [
        view.GetPlotChartNodeID() for view in slicer.util.getNodesByClass("vtkMRMLPlotViewNode")
    ]
    job.learn(range(5, 7))
    opened.wait_until(lambda: lines[0].GetTableNode().GetTable().GetNumberOfRows() == 3)
    job.end("cancelled")


def test_the_scene_may_be_closed_while_curves_are_shown(opened: OpenPanel, project: Project) -> None:
    job = ActedJob(project, TRAIN)
    job.learn(range(1, 5))
    see(opened, job)
    opened.wait_until(lambda: losses(opened, job.id)[-1:] == [4])
    opened.click("showCurvesButton")
    slicer.mrmlScene.Clear()
    assert not slicer.util.getNodesByClass("vtkMRMLPlotChartNode")
    job.learn([5])
    opened.wait_until(lambda: slicer.util.getNodesByClass("vtkMRMLPlotSeriesNode"))
    job.end("cancelled")


def test_cancelling_asks_the_training_and_resuming_goes_on_with_the_same_job(
    opened: OpenPanel, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    resumed: list[str] = []
    job = ActedJob(project, TRAIN)
    job.learn(range(1, 5))
    see(opened, job)
    opened.wait_until(lambda: opened.find("cancelButton").enabled)
    opened.click("cancelButton")
    opened.wait_until(lambda: (job.folder / "cancel").exists())
    job.end("cancelled")
    opened.wait_until(lambda: opened.find("resumeButton").enabled)
    monkeypatch.setattr(
        Client, "resume", lambda client, key, each: resumed.append(each) or client.job(key, each)
    )
    opened.click("resumeButton")
    opened.wait_until(lambda: resumed == [job.id])


def test_a_failed_training_says_in_one_sentence_what_was_wrong(opened: OpenPanel, project: Project) -> None:
    job = ActedJob(project, TRAIN)
    see(opened, job)
    job.end("failed", "The scan small_2 cannot be read.", "Add it again.")
    opened.wait_until(lambda: "cannot be read" in opened.find("trainingReasonLabel").text)
    assert opened.find("trainingReasonLabel").text == "The scan small_2 cannot be read. Add it again."
    assert opened.find("trainingTitleLabel").text.endswith("failed")


def test_what_a_training_warns_of_is_shown_while_it_runs_and_afterwards(
    opened: OpenPanel, project: Project
) -> None:
    job = ActedJob(project, TRAIN)
    job.report(Log(text="Preparing took a moment."))
    for number in range(1, 5):
        job.report(Log(text=f"The case {number} is left out.", level="warning"))
    see(opened, job)
    label = opened.find("trainingReasonLabel")
    shown = ["The case 2 is left out.", "The case 3 is left out.", "The case 4 is left out."]
    opened.wait_until(lambda: label.text.split("\n") == ["... and 1 more, in the log", *shown])
    assert not label.isHidden()
    job.end("failed", "The scan small_2 cannot be read.", "Add it again.")
    opened.wait_until(lambda: label.text == "The scan small_2 cannot be read. Add it again.")


def test_without_a_validation_case_no_dice_is_shown_and_the_panel_says_why(
    panel: OpenPanel, engine: Client, small_dataset: Path
) -> None:
    project = new_project(engine, small_dataset, validation=0)
    job = ActedJob(project, TRAIN)
    job.learn(range(1, 5), dice=False)
    open_project(panel, project)
    panel.wait_until(lambda: "No scan for validation" in panel.find("noValidationLabel").text)
    assert panel.find("diceTable").rowCount == 0
    job.end("cancelled")


def test_without_an_annotation_nothing_can_be_started(
    panel: OpenPanel, engine: Client, small_dataset: Path
) -> None:
    open_project(panel, new_project(engine, small_dataset, annotated=0, validation=0))
    panel.wait_until(lambda: "Annotate at least one scan" in panel.find("trainObstacleLabel").text)
    assert not panel.find("startButton").enabled


def test_whoever_comes_back_sees_the_training_from_its_first_step(
    opened: OpenPanel, project: Project
) -> None:
    from MedSSLLib.session import Session

    job = ActedJob(project, TRAIN)
    job.learn(range(1, 500), of=1000)
    later = Session()  # as after a new start of Slicer
    later.set_client(opened.session.client, shares_disk=True)
    later.set_project(opened.session.project)
    opened.wait_until(lambda: later.jobs.track(job.id) is not None and later.jobs.track(job.id).losses)
    opened.wait_until(lambda: later.jobs.track(job.id).losses["loss"].steps == list(range(1, 500)))
    job.learn([500], of=1000)
    opened.wait_until(lambda: later.jobs.track(job.id).losses["loss"].steps[-1] == 500)
    job.end("cancelled")
    opened.wait_until(lambda: later.jobs.track(job.id).over)
    later.jobs.close()
    later.background.close()


def test_a_training_that_goes_on_from_a_checkpoint_takes_back_what_lay_beyond_it(
    opened: OpenPanel, project: Project
) -> None:
    job = ActedJob(project, TRAIN)
    see(opened, job)
    job.learn(range(1, 11))
    job.report(Log(text="Going on from step 6."))
    job.learn(range(7, 9))
    opened.wait_until(lambda: losses(opened, job.id) == [*range(1, 9)])
    job.end("cancelled")


def test_several_jobs_are_listed_and_the_selected_one_is_read_about(
    opened: OpenPanel, project: Project
) -> None:
    first = ActedJob(project, TRAIN)
    second = ActedJob(project, {"kind": "import", "folder": "/nowhere"})
    first.report(Log(text="The patch was made smaller."))
    see(opened, first)
    opened.find("jobsGroup").collapsed = False
    table = opened.find("jobsTable")
    opened.wait_until(lambda: table.rowCount == 2)
    assert {table.item(row, 0).text() for row in range(2)} == {"Training", "Import"}
    second.end("failed", "There is no folder /nowhere.")
    table.selectRow(next(row for row in range(2) if table.item(row, 0).text() == "Training"))
    opened.click("jobLogButton")
    opened.wait_until(lambda: logs())
    shown = slicer.util.findChildren(logs()[0], className="QPlainTextEdit")[0].plainText
    assert "The patch was made smaller." in shown
    for window in logs():
        window.close()
    opened.click("cancelJobButton")
    opened.wait_until(lambda: (first.folder / "cancel").exists())
    first.end("cancelled")
    opened.wait_until(lambda: {table.item(row, 1).text() for row in range(2)} == {"cancelled", "failed"})
    assert opened.find("resumeJobButton").enabled


def test_an_engine_that_goes_away_costs_no_curve(opened: OpenPanel, project: Project) -> None:
    job = ActedJob(project, TRAIN)
    job.learn(range(1, 5))
    see(opened, job)
    opened.wait_until(lambda: losses(opened, job.id) == [1, 2, 3, 4])
    client = opened.session.client
    opened.session.set_client(None)  # what the section Engine does when the engine ended
    assert not opened.find("startButton").enabled
    job.learn(range(5, 9))
    opened.session.set_client(client, shares_disk=True)
    opened.wait_until(lambda: losses(opened, job.id) == [*range(1, 9)])
    job.end("cancelled")


def test_a_refused_token_is_said_in_one_sentence_and_nothing_is_lost(
    opened: OpenPanel, engine: Client, project: Project
) -> None:
    job = ActedJob(project, TRAIN)
    job.learn(range(1, 5))
    see(opened, job)
    opened.wait_until(lambda: losses(opened, job.id) == [1, 2, 3, 4])
    opened.session.set_client(Client(engine.url, "no token of this engine"))
    opened.session.jobs.submit({"kind": "propose"})
    opened.wait_until(lambda: "token" in opened.message.lower())
    assert losses(opened, job.id) == [1, 2, 3, 4]
    opened.session.set_client(engine, shares_disk=True)
    job.learn([5])
    opened.wait_until(lambda: losses(opened, job.id)[-1:] == [5])
    job.end("cancelled")


def logs() -> list[object]:
    """The windows that show a log."""
    import qt

    return [window for window in qt.QApplication.topLevelWidgets() if "Log of" in window.windowTitle]


def test_what_was_chosen_last_is_chosen_again_after_a_new_start(
    opened: OpenPanel, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    acted = ActedEngine(monkeypatch, project)
    chosen = (("methodBox", "supervised"), ("effortBox", "quick"), ("deviceBox", "cpu"))
    for name, key in chosen:
        opened.find(name).currentIndex = opened.find(name).findData(key)
    opened.click("startButton")
    opened.wait_until(lambda: acted.jobs)
    acted.jobs[0].end("cancelled")
    opened.reopen()
    open_project(opened, project)
    for name, key in chosen:
        box = opened.find(name)
        opened.wait_until(lambda box=box: box.count > 0)
        assert box.itemData(box.currentIndex) == key


def test_without_an_earlier_training_the_table_has_no_empty_column(
    opened: OpenPanel, project: Project
) -> None:
    job = ActedJob(project, TRAIN)
    see(opened, job)
    job.learn(range(1, 5))
    table = opened.find("diceTable")
    opened.wait_until(lambda: table.rowCount == 2)
    assert table.isColumnHidden(2)
    job.end("cancelled")
