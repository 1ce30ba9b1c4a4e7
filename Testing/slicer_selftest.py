"""The whole job by clicks, in the real 3D Slicer and in the stand-in of the tests alike.

    Slicer --no-splash --testing --additional-module-paths MedSSLSegment MedSSLPretrain \\
        --python-script Testing/slicer_selftest.py
    python Testing/slicer_runtime --testing --additional-module-paths MedSSLSegment MedSSLPretrain \\
        --python-script Testing/slicer_selftest.py

Environment: MEDSSL_ENGINE_PYTHON, a Python that has the engine; MEDSSL_SCREENSHOTS, a folder for a picture of
every section; MEDSSL_SELFTEST_SECONDS, how long each training takes (20). It prints each step
and what failed, and ends 3D Slicer with 0 or 1. Without a screen, put `xvfb-run -a` before the line: Slicer's
views need OpenGL. 3D Slicer makes a 1 of the 0 when something in Python fails while it ends.

What a person has is left alone, see `selftest_surroundings`; a project that a failed run made is left, too.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import slicer
from selftest_drawing import drawn, threshold
from selftest_surroundings import Pictures, apart, dialogs, removed, shorten_trainings

SEGMENT, PRETRAIN = "MedSSLSegment", "MedSSLPretrain"
TRAINING_S = float(os.environ.get("MEDSSL_SELFTEST_SECONDS", "20"))
LONGEST_WAIT_S = 300.0 + 4 * TRAINING_S
PICTURES = Pictures(os.environ.get("MEDSSL_SCREENSHOTS", ""))


class StepError(AssertionError):
    """What was expected did not come."""


def wait_until(what: str, holds: Callable[[], Any], at_most_s: float = LONGEST_WAIT_S) -> Any:
    """Let Slicer work until something holds; return what it then is. An error in the panel ends the wait."""
    end = time.monotonic() + at_most_s
    while True:
        found = holds()
        if found:
            return found
        expect(panel().message.grade != "error", f"{what} did not come; the panel says '{said()}'")
        check_dialogs()
        if time.monotonic() > end:
            raise StepError(f"{what} did not come within {at_most_s:.0f} s; the panel says '{said()}'")
        slicer.app.processEvents()
        time.sleep(0.01)


def said() -> str:
    """What the line for messages says now."""
    return str(panel().message.text)


def expect(holds: Any, what: str) -> None:
    """Fail with a sentence unless something holds."""
    if not holds:
        raise StepError(what)


def check_dialogs() -> None:
    """Fail if a window waited for a click."""
    expect(not dialogs.seen, f"a window waited for a click: {dialogs.seen}")


def click(button: Any) -> None:
    """Click a button as a person can."""
    expect(button.enabled, f"'{button.text}' cannot be clicked; the panel says '{said()}'")
    button.click()
    slicer.app.processEvents()


def shows(widget: Any) -> bool:
    """Whether a widget can be seen in the panel, as far as the panel itself can be."""
    return bool(widget.isVisibleTo(module().parent))


def choose(combo: Any, key: str) -> None:
    """Choose an entry of a combo box by its key, once the engine said what there is."""
    wait_until(f"the choice '{key}'", lambda: combo.findData(key) >= 0, 60)
    combo.currentIndex = combo.findData(key)


def module(name: str = SEGMENT) -> Any:
    """The Python widget of a module."""
    return getattr(slicer.modules, f"{name}Widget")


def panel(name: str = SEGMENT) -> Any:
    """The column of sections of a module."""
    return module(name).panel


def ui(section: str, name: str = SEGMENT) -> Any:
    """The widgets of a section by their names."""
    return panel(name).views[section].ui


def session() -> Any:
    """What the sections share."""
    return module().session


def show(section: str, name: str = SEGMENT) -> None:
    """Open one section and close the others."""
    for each, button in panel(name).buttons.items():
        button.collapsed = each != section
    slicer.app.processEvents()


def picture(section: str, what: str = "", name: str = SEGMENT) -> None:
    """Save how a section looks now, open and the others closed, if a folder for pictures was named."""
    if not PICTURES.wanted:
        return
    show(section, name)
    end = time.monotonic() + 1.0  # for what comes from the engine, such as small pictures
    while time.monotonic() < end:
        slicer.app.processEvents()
        time.sleep(0.01)
    expect(PICTURES.save(what or section), "the picture could not be written")


def engine() -> Any:
    """The client of the engine, once there is one; fails when the engine says that it could not start."""
    status = session().engine.status
    expect(status.grade != "failed", status.line)
    return session().client


def running(kind: str) -> list[Any]:
    """The jobs of a kind that run or wait."""
    return [track for track in session().jobs.active if track.job.kind == kind]


def finished(kind: str, known: set[str]) -> Any:
    """A job of a kind that is over and was not known before."""
    new = [track for track in session().jobs.tracks if track.job.kind == kind and track.job.id not in known]
    failed = [track for track in new if track.state in ("failed", "cancelled")]
    expect(not failed, f"a job '{kind}' ended as {failed[0].state}: {failed[0].job.error}" if failed else "")
    return next((track for track in new if track.state == "finished"), None)


def job_ids() -> set[str]:
    """The jobs that there are."""
    return {track.job.id for track in session().jobs.tracks}


def review() -> Any:
    """The logic of the section Review."""
    return panel().views["review"].logic


class Job:
    """The whole job, step by step; each begins where the one before it ended."""

    def __init__(self) -> None:
        self.project: Path | None = None  # that this test made, and may remove

    def open_the_module(self) -> None:
        begin = time.perf_counter()
        slicer.util.selectModule(SEGMENT)
        print(f"    opened in {time.perf_counter() - begin:.2f} s")
        shorten_trainings(TRAINING_S)
        picture("engine", "engine-not-running")

    def start_the_engine(self) -> None:
        show("engine")
        if session().client is None:
            wait_until("the engine's button", lambda: ui("engine").startEngineButton.enabled, 60)
            click(ui("engine").startEngineButton)
        wait_until("the engine", engine, 180)
        picture("engine")

    def make_a_project_with_made_up_scans(self) -> None:
        show("project")
        expect(session().project is None, "a project is open that this test did not make")
        click(ui("project").trySampleButton)
        wait_until("the project", lambda: session().project is not None, 60)
        self.project = Path(session().project.folder)
        print(f"    in {self.project}")
        wait_until("the made-up scans", lambda: finished("sample", set()), 120)
        wait_until("the table of cases", lambda: ui("project").casesTable.rowCount >= 12, 60)
        pages = panel().views["project"].pages
        seen = [pages.row(index) for index in range(5)]
        wait_until("the pictures of the cases", lambda: all(pages.picture(each.id) for each in seen), 60)
        picture("project")

    def annotate_with_an_effect_of_the_segment_editor(self) -> None:
        show("annotate")
        wait_until("a case to annotate", lambda: ui("annotate").nextCaseButton.enabled, 60)
        click(ui("annotate").nextCaseButton)
        logic = panel().views["annotate"].logic
        wait_until("the case", lambda: logic.desk.case is not None and not logic.desk.busy, 60)
        editor = session().editor.widget
        wait_until("a segment to draw", editor.currentSegmentID, 10)
        threshold(editor)
        expect(drawn(editor) > 0, "the effect drew nothing")
        picture("annotate")
        click(ui("annotate").saveAnnotationButton)
        wait_until("the saved annotation", lambda: not logic.desk.touched and not logic.desk.busy, 60)
        self._exclude(logic.desk.case.name)

    def train_quickly(self) -> None:
        show("train")
        choose(ui("train").effortBox, "quick")
        known = job_ids()
        click(ui("train").startButton)
        wait_until("the training's curves", lambda: shows(ui("train").lossLabel))
        ui("train").showCurvesButton.click()
        wait_until("the training", lambda: finished("train", known))
        expect(slicer.app.layoutManager().plotViewCount > 0, "no plot view shows the curves")
        picture("train")
        wait_until("the proposals", lambda: finished("propose", known))

    def review_accept_reject_and_undo(self) -> None:
        show("review")
        waiting = wait_until("the queue", lambda: ui("review").queueTable.rowCount)
        self._next_case()
        expect(shows(ui("review").caseFrame), "no case is shown")
        ui("review").heatMapBox.checked = True
        ui("review").worstSliceButton.click()
        picture("review")
        self._decide(ui("review").acceptButton, waiting - 1)
        self._next_case()
        self._decide(ui("review").rejectButton, waiting - 2)
        self._decide(ui("review").undoButton, waiting - 1)

    def correct_a_proposal_in_the_segment_editor(self) -> None:
        self._next_case()
        waiting = ui("review").queueTable.rowCount
        ui("review").correctButton.click()
        editor = wait_until("the Segment Editor", lambda: session().editor.widget)
        before = drawn(editor)
        wait_until("a segment to draw", editor.currentSegmentID, 10)
        threshold(editor)
        expect(drawn(editor) != before, "the effect changed nothing")
        picture("review", "correct")
        editor.undo()
        expect(drawn(editor) == before, "undo did not bring the proposal back")
        editor.redo()
        self._decide(ui("review").acceptButton, waiting - 1)

    def refine(self) -> None:
        known = job_ids()
        click(ui("review").refineButton)
        wait_until("the refinement", lambda: finished("train", known))
        picture("train", "train-refined")
        wait_until("the new proposals", lambda: finished("propose", known))

    def apply_to_a_folder(self) -> None:
        show("apply")
        # Within the project, because the engine touches no folder that nobody allowed.
        folder = Path(tempfile.mkdtemp(prefix="self-test ", dir=session().project.folder))
        scans, output = folder / "scans", folder / "segmented"
        scans.mkdir()
        images = sorted((Path(session().project.folder) / "images").rglob("*.nii.gz"))[:3]
        expect(len(images) == 3, "the project keeps no scans in NIfTI files")
        for number, image in enumerate(images):
            shutil.copy(image, scans / f"scan {number}.nii.gz")
        ui("apply").applyTabs.setCurrentWidget(ui("apply").folderPage)
        ui("apply").scansEdit.currentPath = str(scans)
        ui("apply").outputEdit.currentPath = str(output)
        known = job_ids()
        click(ui("apply").segmentFolderButton)
        wait_until("the folder's segmentations", lambda: finished("predict", known))
        wait_until("the table's rows", lambda: ui("apply").rowsTable.rowCount == 3, 30)
        expect(len(list(output.rglob("*.seg.nrrd"))) == 3, "not every scan was segmented")
        picture("apply")

    def score_the_model(self) -> None:
        show("models")
        known, scores = job_ids(), ui("models").scoresTable
        folder = Path(tempfile.mkdtemp(prefix="self-test ", dir=session().project.folder))
        panel().views["models"].scoring.logic.start("latest", str(folder))
        wait_until("the scores", lambda: finished("evaluate", known))
        wait_until("the table's rows", lambda: scores.rowCount == 2 and shows(scores), 30)
        expect((folder / "report.html").is_file(), "there is no report of the scores")
        picture("models")

    def pretrain(self) -> None:
        slicer.util.selectModule(PRETRAIN)
        choose(ui("pretrain", PRETRAIN).effortBox, "quick")
        known = job_ids()
        wait_until("the pretraining's button", lambda: ui("pretrain", PRETRAIN).startButton.enabled, 30)
        click(ui("pretrain", PRETRAIN).startButton)
        wait_until("the pretraining", lambda: finished("pretrain", known))
        wait_until("the encoder", lambda: ui("pretrain", PRETRAIN).encodersTable.rowCount == 1, 30)
        click(ui("pretrain", PRETRAIN).useButton)
        picture("pretrain", name=PRETRAIN)

    def close_the_module_in_a_training_and_find_it_again(self) -> None:
        slicer.util.selectModule(SEGMENT)
        show("train")
        choose(ui("train").effortBox, "quick")
        known = job_ids()
        click(ui("train").startButton)
        job = wait_until("the training", lambda: running("train"))[0].job.id
        module().onReload()
        wait_until("the engine again", lambda: session().client is not None, 60)
        wait_until("the project again", lambda: session().project is not None, 60)
        wait_until("the training again", lambda: job in job_ids(), 60)
        wait_until("its end", lambda: session().jobs.track(job).over)
        expect(session().jobs.track(job).state == "finished", "the training did not go on")
        wait_until("the new model's proposals", lambda: finished("propose", known))

    def stop_the_engine(self) -> None:
        show("engine")
        click(ui("engine").startEngineButton)
        wait_until("the engine's end", lambda: session().client is None, 60)
        # The engine's file says that it is a project.
        expect(self.project is not None and (self.project / "project.db").is_file(), "the project is gone")
        wait_until("the removal of the project", lambda: removed(self.project), 60)  # the engine still ends

    def _exclude(self, name: str) -> None:
        """Keep what brightness alone draws from being learned: it is no annotation."""
        show("project")
        view = panel().views["project"]
        rows = range(ui("project").casesTable.rowCount)
        row = next(index for index in rows if view.pages.row(index).name == name)
        ui("project").casesTable.selectRow(row)
        wait_until("the case's use", lambda: ui("project").roleCombo.enabled, 60)
        view.actions.set_role(view.table.cases, "excluded")
        wait_until("the excluded case", lambda: view.pages.row(row).role == "excluded", 60)

    def _next_case(self) -> None:
        """Have a case on the screen: the next one, unless a decision brought one already."""
        if review().desk.case is None:
            click(ui("review").nextButton)
        wait_until("the case", lambda: review().desk.case is not None and not review().desk.busy, 60)

    def _decide(self, button: Any, left: int) -> None:
        click(button)
        rows = ui("review").queueTable
        wait_until(f"a queue of {left}", lambda: rows.rowCount == left and not review().desk.busy, 60)


def end_the_engine() -> None:
    """Leave nothing behind that computes."""
    if hasattr(slicer.modules, f"{SEGMENT}Widget") and session().client is not None:
        session().client.shutdown(force=True)


def run(job: Job) -> int:
    """Do every step; after one that failed the others cannot be done. Returns the exit code."""
    steps = [
        job.open_the_module,
        job.start_the_engine,
        job.make_a_project_with_made_up_scans,
        job.annotate_with_an_effect_of_the_segment_editor,
        job.train_quickly,
        job.review_accept_reject_and_undo,
        job.correct_a_proposal_in_the_segment_editor,
        job.refine,
        job.apply_to_a_folder,
        job.score_the_model,
        job.pretrain,
        job.close_the_module_in_a_training_and_find_it_again,
        job.stop_the_engine,
    ]
    for number, step in enumerate(steps, start=1):
        words = step.__name__.replace("_", " ")
        begin = time.perf_counter()
        try:
            step()
            check_dialogs()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what failed
            traceback.print_exc()
            print(f"FAILED {number}/{len(steps)} {words}: {error}", flush=True)
            return 1
        print(f"passed {number}/{len(steps)} {words} ({time.perf_counter() - begin:.1f} s)", flush=True)
    print("The whole job passed.", flush=True)
    return 0


def main() -> int:
    """Run with nothing of the person's own touched; returns the exit code."""
    python = ".".join(str(part) for part in sys.version_info[:3])
    print(f"3D Slicer {slicer.app.majorVersion}.{slicer.app.minorVersion}, Python {python}", flush=True)
    try:
        with apart():
            code = run(Job())
            if code:
                PICTURES.save("failed")
                end_the_engine()
            return code
    except Exception:  # noqa: BLE001 - Slicer must end whatever happens
        traceback.print_exc()
        return 1


slicer.util.exit(main())
