"""What nobody expected of one scan is a sentence of that scan, and the others go on."""

from __future__ import annotations

from pathlib import Path

import pytest
from medssl.errors import Cancelled, MedSSLError
from medssl.events import Monitor
from medssl.imaging.reading import read_volume
from medssl.imaging.volume import Volume
from medssl.imaging.writing import write_volume
from medssl.jobs import EvaluateRequest, ImportRequest, PredictRequest, ProposeRequest, run_job
from medssl.jobs.files import LOG_FILE
from medssl.jobs.results import EvaluateResult, ImportResult, PredictResult, ProposeResult
from medssl.phantom import SCHEMA, make_phantom
from medssl.project import Project
from small_models import add_untrained_model
from watching import Watcher


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """A folder of three scans, the second of which is the odd one."""
    for seed, name in enumerate(("a", "odd", "z")):
        write_volume(tmp_path / "scans" / f"{name}.nii.gz", make_phantom(seed, size=(12, 16, 14)).image)
    return tmp_path / "scans"


def fail_with(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the reader raise what no file of ours makes it raise."""

    def read(path: Path) -> Volume:
        if path.name.startswith("odd"):
            raise error
        return read_volume(path)

    for module in ("project.cases", "jobs.proposing", "jobs.evaluating", "imaging.scans"):
        monkeypatch.setattr(f"medssl.{module}.read_volume", read)


def log_of(project: Project, kind: str) -> str:
    (job,) = [row for row in project.jobs() if row.kind == kind]
    return (job.folder / LOG_FILE).read_text(encoding="utf-8")


def test_an_import_goes_on(scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watcher = Watcher()
    fail_with(AttributeError("no 'affine'"), monkeypatch)
    with Project.create(tmp_path / "project", SCHEMA) as project:
        done = run_job(project, ImportRequest(folder=scans), watcher).result
        assert [case.name for case in project.cases()] == ["a", "z"]
        log = log_of(project, "import")
    assert done == ImportResult(cases=2, annotated=0, already_there=0, refused=1)
    (told,) = watcher.warnings
    assert told == "odd was not added. Something went wrong that should not: no 'affine'."
    assert "Traceback" in log


@pytest.mark.parametrize("error", [Cancelled(), MemoryError()])
def test_what_is_about_all_scans_ends_an_import(
    error: BaseException, scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_with(error, monkeypatch)
    with Project.create(tmp_path / "project", SCHEMA) as project:
        with pytest.raises(MedSSLError, match=r"Cancelled|memory"):
            run_job(project, ImportRequest(folder=scans), Monitor())
        assert [case.name for case in project.cases()] == ["a"]


def test_proposals_go_on(scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Project.create(tmp_path / "project", SCHEMA) as project:
        add_untrained_model(project)
        run_job(project, ImportRequest(folder=scans), Monitor())
        fail_with(AttributeError("no 'affine'"), monkeypatch)
        done = run_job(project, ProposeRequest(device="cpu"), Monitor()).result
        log = log_of(project, "propose")
    assert isinstance(done, ProposeResult)
    assert sorted(proposal.case for proposal in done.proposals) == ["a", "z"]
    assert done.failed == {"odd": "Something went wrong that should not: no 'affine'."}
    assert "Traceback" in log


def test_scores_go_on(scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Project.create(tmp_path / "project", SCHEMA) as project:
        add_untrained_model(project)
        run_job(project, ImportRequest(folder=scans), Monitor())
        for seed, name in enumerate(("a", "odd", "z")):
            project.set_role(name, "validation")
            project.save_annotation(name, make_phantom(seed, size=(12, 16, 14)).labels.array)
        fail_with(AttributeError("no 'affine'"), monkeypatch)
        request = EvaluateRequest(output=tmp_path / "scores", device="cpu")
        done = run_job(project, request, Monitor()).result
        log = log_of(project, "evaluate")
    assert isinstance(done, EvaluateResult)
    assert done.failed == {"odd": "Something went wrong that should not: no 'affine'."}
    assert "Traceback" in log
    table = done.table.read_text(encoding="utf-8")
    assert [line.split(",")[0] for line in table.splitlines()[1::2]] == ["a", "z"]


def test_a_folder_is_segmented_without_a_traceback_on_the_terminal(
    scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    fail_with(AttributeError("no 'affine'"), monkeypatch)
    with Project.create(tmp_path / "project", SCHEMA) as project:
        add_untrained_model(project)
        request = PredictRequest(inputs=(scans,), output=tmp_path / "out", device="cpu")
        done = run_job(project, request, Monitor()).result
        log = log_of(project, "predict")
    assert isinstance(done, PredictResult)
    assert (done.done, list(done.failed)) == (2, ["odd"])
    assert done.failed["odd"].endswith("could not be segmented: no 'affine'.")
    assert "Traceback" in log
    assert "Traceback" not in capfd.readouterr().err
