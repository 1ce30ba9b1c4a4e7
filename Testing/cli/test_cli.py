"""The commands: what they say, to whom, and their exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from medssl.cli.benchmark import own_project
from medssl.cli.display import LineDisplay, duration
from medssl.events import Log, Metric, Progress
from medssl.imaging.reading import read_grid, read_volume
from medssl.imaging.volume import Volume
from medssl.imaging.writing import write_volume
from medssl.learning.settings import LEARNING_RATE
from medssl.project import Project
from overlapping_segments import write_overlapping

Medssl = Callable[..., tuple[int, str, str]]


def test_a_project_is_made_shown_and_filled_by_commands(
    medssl: Medssl, small_dataset: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "new project"

    assert medssl("project", "new", folder, "--dataset", small_dataset)[0] == 0
    code, out, _ = medssl("case", "add", small_dataset, "--annotated", 2, "-p", folder)
    assert (code, "6 cases added, 2 of them" in out) == (0, True)
    _, out, _ = medssl("project", "info", "-p", folder, "--json")
    assert json.loads(out)["cases"] == {"annotated": 2, "proposed": 0, "rejected": 0, "new": 4}
    _, out, _ = medssl("case", "list", "-p", folder, "--state", "annotated", "--json")
    assert [json.loads(line)["name"] for line in out.splitlines()] == ["small_1", "small_2"]


def test_the_scans_of_a_folder_are_added_for_validation(
    medssl: Medssl, small_dataset: Path, project_folder: Path
) -> None:
    project = ("-p", project_folder)
    added = medssl("case", "add", small_dataset / "imagesTs", "--role", "validation", *project)
    _, out, _ = medssl("case", "list", "--role", "validation", "--json", *project)
    assert added[0] == 0
    assert [json.loads(line)["name"] for line in out.splitlines()] == ["small_7", "small_8"]


def test_a_single_scan_is_annotated_and_the_annotation_taken_back(
    medssl: Medssl, small_dataset: Path, project_folder: Path
) -> None:
    scan, labels = (small_dataset / part / "small_7.nii.gz" for part in ("imagesTs", "labelsTs"))
    project = ("--project", project_folder)

    assert medssl("case", "add", scan, "--name", "Patient 7", *project)[0] == 0
    _, out, _ = medssl("case", "annotate", "Patient 7", labels, "--author", "Ada", "--seconds", 90, *project)
    assert out == "Case Patient 7: annotation version 1 (drawn).\n"
    assert "drawn by Ada" in medssl("case", "show", "Patient 7", *project)[1]
    assert medssl("review", "undo", "Patient 7", *project)[1] == "Case Patient 7 is new again.\n"
    assert "taken back" in medssl("case", "history", "Patient 7", *project)[1]


def test_what_a_label_map_lost_is_told_with_its_version(
    medssl: Medssl, small_dataset: Path, project_folder: Path, tmp_path: Path
) -> None:
    with Project.open(project_folder) as project:
        names = project.schema.names
    grid = read_grid(small_dataset / "imagesTr" / "small_2.nii.gz")
    write_overlapping(tmp_path / "both.seg.nrrd", grid, names[0], names[1])
    annotate = ("case", "annotate", "small_2", tmp_path / "both.seg.nrrd", "-p", project_folder)
    _, out, _ = medssl(*annotate)
    assert out.splitlines()[0] == "Case small_2: annotation version 1 (drawn)."
    assert "1 voxel belongs to several segments" in out.splitlines()[1]
    assert "several segments" in json.loads(medssl(*annotate, "--json")[1])["notes"][0]


def test_a_case_is_excluded_and_taken_back(medssl: Medssl, project_folder: Path) -> None:
    medssl("case", "exclude", "small_2", "-p", project_folder)
    with Project.open(project_folder) as project:
        assert project.case("small_2").role == "excluded"

    _, out, _ = medssl("case", "role", "small_2", "training", "--json", "-p", project_folder)

    assert json.loads(out)["role"] == "training"


def test_proposals_are_accepted_corrected_and_rejected_by_commands(
    medssl: Medssl, small_dataset: Path, project_folder: Path, tmp_path: Path
) -> None:
    project = ("-p", project_folder)
    quick = ("--steps", 2, "--method", "supervised", "--device", "cpu")
    code, out, err = medssl("train", *quick, "--json", *project)
    assert (code, err) == (0, "")
    lines = [json.loads(line) for line in out.splitlines()]
    assert {line["kind"] for line in lines} >= {"progress", "metric", "state", "result"}
    model = lines[-1]["result"]["model_id"]

    assert medssl("review", "propose", "small_2", "small_3", "small_4", "--device", "cpu", *project)[0] == 0
    assert len(medssl("review", "list", "--json", *project)[1].splitlines()) == 3
    assert "accepted" in medssl("review", "accept", "small_2", *project)[1]
    truth = small_dataset / "labelsTr" / "small_3.nii.gz"
    assert "corrected" in medssl("review", "correct", "small_3", truth, *project)[1]
    assert "rejected" in medssl("review", "reject", "small_4", *project)[1]
    assert medssl("review", "list", "--json", *project)[1] == ""

    assert medssl("train", *quick, "--from", "latest", *project)[0] == 0
    assert f"Started from    {model}" in medssl("model", "show", "latest", *project)[1]
    _, out, _ = medssl(
        "predict", small_dataset / "imagesTs" / "small_7.nii.gz", "-o", tmp_path / "out", *project
    )
    assert (tmp_path / "out" / "small_7.seg.nrrd").is_file()
    assert "1 scan segmented" in out
    assert medssl("model", "delete", model, *project)[0] == 0
    assert len(medssl("model", "list", "--json", *project)[1].splitlines()) == 1


def test_a_training_begins_with_what_was_pretrained_by_commands(
    medssl: Medssl, small_dataset: Path, project_folder: Path, tmp_path: Path
) -> None:
    project = ("-p", project_folder)
    quick = ("--steps", 2, "--device", "cpu")
    for more in ((), ("--scans", small_dataset / "imagesTs")):
        assert medssl("pretrain", "--method", "rotation", *quick, *more, *project)[0] == 0
    _, out, _ = medssl("model", "list", "--json", *project)
    on_folder, on_cases = (json.loads(line) for line in out.splitlines())
    assert not on_folder["can_segment"]
    assert "6 scans" in medssl("model", "show", on_cases["id"], *project)[1]
    assert "2 scans" in medssl("model", "show", on_folder["id"], *project)[1]

    code, _, err = medssl(
        "predict", small_dataset / "imagesTs", "-o", tmp_path, "-m", on_cases["id"], *project
    )
    assert (code, "is pretrained and cannot segment yet" in err) == (1, True)

    start = ("train", *quick, "--method", "supervised", "--from", on_cases["id"], "--json", *project)
    code, out, _ = medssl(*start)
    assert code == 0
    assert "tensors loaded: encoder" in out
    requests = [json.loads(path.read_text()) for path in (project_folder / "jobs").glob("*/request.json")]
    rates = [r["settings"]["learning_rate"] for r in requests if r["kind"] == "train"]
    assert rates == [LEARNING_RATE]  # the decoder is new, so nothing is refined


def test_a_very_long_name_leaves_room_for_the_other_columns(
    medssl: Medssl, small_dataset: Path, project_folder: Path
) -> None:
    scan, name = small_dataset / "imagesTs" / "small_7.nii.gz", "x" * 200
    assert medssl("case", "add", scan, "--name", name, "-p", project_folder)[0] == 0

    shown = medssl("case", "list", "-p", project_folder)[1].splitlines()
    told = [
        json.loads(line) for line in medssl("case", "list", "-p", project_folder, "--json")[1].splitlines()
    ]

    assert max(map(len, shown)) <= 100
    assert name in [case["name"] for case in told]


def test_an_error_is_one_line_with_its_remedy(medssl: Medssl, tmp_path: Path) -> None:
    code, out, err = medssl("case", "list", "-p", tmp_path)

    assert (code, out) == (1, "")
    assert err.startswith(f"There is no project in {tmp_path}")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "exit_code", "code"),
    [(("case", "show", "nobody"), 1, "not_found"), (("train", "--steps", "many"), 2, "usage")],
)
def test_a_program_is_told_the_error_as_json(
    medssl: Medssl, project_folder: Path, arguments: tuple[str, ...], exit_code: int, code: str
) -> None:
    ended, out, err = medssl(*arguments, "--json", "-p", project_folder)

    told = json.loads(out.splitlines()[-1])
    assert (ended, told["kind"], told["code"]) == (exit_code, "error", code)
    assert err == f"{told['error']} {told['remedy']}\n"


def test_python_runs_the_command_line_as_a_module() -> None:
    backend = Path(__file__).parents[2] / "backend"
    command = [sys.executable, "-m", "medssl", "--version"]

    done = subprocess.run(command, cwd=backend, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout.split()[0]) == (0, "medssl")


@pytest.mark.parametrize(
    "arguments",
    [
        ("trian",),
        ("train", "--steps", "many"),
        ("case", "add"),
        ("project", "new", "nowhere", "--segments", "liver"),
        ("project", "new", "nowhere", "--segments", "1=Liver,1=Tumor"),
        ("project", "new", "nowhere", "--segments", "0=Liver"),
        ("project", "new", "nowhere", "--segments", "255=Liver"),
        ("project", "new", "nowhere"),
        ("evaluate", "-o", "nowhere", "--predictions", "nowhere"),
        ("predict", "nowhere", "-o", "nowhere", "--channels", "nowhere.json"),
    ],
)
def test_wrong_use_ends_with_2_and_a_sentence(medssl: Medssl, arguments: tuple[str, ...]) -> None:
    code, out, err = medssl(*arguments)

    assert (code, out) == (2, "")
    assert err.strip()
    assert "Traceback" not in err


def test_an_evaluation_tells_how_often_a_segment_was_missed(
    medssl: Medssl, small_dataset: Path, project_folder: Path, tmp_path: Path
) -> None:
    truth = small_dataset / "labelsTr" / "small_2.nii.gz"
    found = read_volume(truth)
    for folder, factor in (("references", 1), ("predictions", 0)):
        write_volume(tmp_path / folder / "a.nii.gz", Volume(found.array * np.uint8(factor), found.grid))
    folders = ("--predictions", tmp_path / "predictions", "--references", tmp_path / "references")
    code, out, err = medssl("evaluate", *folders, "-o", tmp_path / "out", "-p", project_folder)
    assert code == 0, err
    lines = out.splitlines()
    assert (lines[0], lines[1].split()[-1]) == ("1 case scored:", "missed")
    assert lines[2].split()[1:] == ["0.000", "-", "0.000", "-", "-", "1"]


def test_steps_and_seconds_together_are_wrong_use(medssl: Medssl, project_folder: Path) -> None:
    code, _, err = medssl("train", "--steps", 2, "--seconds", 3, "-p", project_folder)

    assert code == 2
    assert "either a number of steps or a number of seconds" in err


def test_a_failed_job_is_shown_with_its_reason_and_its_log(
    medssl: Medssl, project_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "dataset.json").write_text("{}")

    code, _, err = medssl("case", "add", tmp_path, "-p", project_folder)

    assert code == 1
    _, out, _ = medssl("job", "list", "-p", project_folder, "--json")
    job = json.loads(out.splitlines()[0])
    assert job["state"] == "failed"
    assert err.strip() == f"{job['error']} {job['remedy']}".strip()
    assert "log.txt" in medssl("job", "show", job["id"], "-p", project_folder)[1]


def test_the_doctor_judges_every_point(medssl: Medssl, tmp_path: Path) -> None:
    code, out, _ = medssl("doctor", tmp_path, "--json")

    grades = {point["name"]: point["grade"] for point in json.loads(out)["points"]}
    assert list(grades) == ["Python", "torch", "GPU", "Memory", "Disk", "Path length", "Folder"]
    assert set(grades.values()) <= {"ok", "warning", "failed"}
    assert grades["Folder"] == "ok"
    assert code == int("failed" in grades.values())


def test_help_and_lists_start_without_what_learns_draws_or_reads_dicom(project_folder: Path) -> None:
    program = (
        "import sys; from medssl.cli.app import run; "
        f"assert run(['--help']) == 0; assert run(['case', 'list', '-p', {str(project_folder)!r}]) == 0; "
        "assert run(['job', 'list', '-p', " + repr(str(project_folder)) + "]) == 0; "
        "heavy = {'torch', 'monai', 'scipy', 'matplotlib', 'PIL', 'pydicom', 'requests'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    backend = Path(__file__).parents[2] / "backend"

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=backend, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr


def test_plain_lines_tell_beginning_end_and_losses(capsys: pytest.CaptureFixture[str]) -> None:
    display = LineDisplay()
    display.show(Progress(stage="training", done=0, total=2))
    display.show(Metric(name="loss", value=0.5, step=1))
    display.show(Progress(stage="training", done=1, total=2, left_s=70))
    display.show(Log(text="A slice is missing.", level="warning"))
    display.show(Progress(stage="training", done=2, total=2))

    assert capsys.readouterr().err.splitlines() == [
        "Training: 0 of 2",
        "Warning: A slice is missing.",
        "Training: 2 of 2 (loss 0.5)",
    ]


@pytest.mark.parametrize(("seconds", "text"), [(3.6, "4 s"), (125, "2 min 05 s"), (3779, "1 h 02 min")])
def test_durations_read_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_methods_are_compared_by_a_command_that_leaves_tables_and_a_job(
    medssl: Medssl, small_dataset: Path, tmp_path: Path
) -> None:
    command = ("benchmark", "annotations", small_dataset, "-o", tmp_path / "out", "--held-out", 2)
    quick = ("--annotated", "1", "--methods", "supervised", "--seeds", "0,1", "--steps", 2, "--threads", 1)

    code, out, err = medssl(*command, *quick, "--device", "cpu")

    assert code == 0, err
    assert "supervised  2" in out
    assert "2 of 2, supervised, 1 case, seed 1: Dice" in err
    assert (tmp_path / "out" / "cases.csv").read_text().count("\n") == 1 + 2 * 2 * 2
    assert medssl("job", "list", "-p", tmp_path / "out" / "project", "--json")[1].count('"finished"') == 1
    _, out, _ = medssl(*command, *quick, "--device", "cpu", "--json")
    assert json.loads(out.splitlines()[-1])["result"]["runs"] == 2


def test_a_comparison_may_be_started_twice_at_the_same_moment(small_dataset: Path, tmp_path: Path) -> None:
    outputs = [tmp_path / str(number) for number in range(8)]
    together = threading.Barrier(2, timeout=60)

    def start(_: int) -> list[Path]:
        def one(output: Path) -> Path:
            together.wait()
            return own_project(small_dataset, output)

        return [one(output) for output in outputs]

    with ThreadPoolExecutor(2) as both:
        first, second = both.map(start, range(2))

    assert first == second == [output / "project" for output in outputs]
    for folder in first:
        Project.open(folder).close()


@pytest.mark.parametrize(
    "wrong",
    [
        ("--methods", "supervised,witchcraft"),
        ("--annotated", "1,two"),
        ("--starts", "scratch,rotation:much"),
        ("--starts", "rotation:1.5"),
        ("--seconds", 3),
    ],
)
def test_a_comparison_that_cannot_be_made_is_refused_before_anything_is_written(
    medssl: Medssl, small_dataset: Path, tmp_path: Path, wrong: tuple[str, ...]
) -> None:
    output = tmp_path / "out"

    code, _, err = medssl(
        "benchmark", "annotations", small_dataset, "-o", output, "--held-out", 2, "--steps", 2, *wrong
    )

    assert code == 2
    assert err.strip()
    assert not output.exists()


def test_a_task_list_of_mitk_brings_its_cases(medssl: Medssl, project_folder: Path, tmp_path: Path) -> None:
    with Project.open(project_folder) as project:
        scan = project.case(project.cases()[0].name).channels[0]
    (tmp_path / "scan.nii.gz").write_bytes(scan.read_bytes())
    tasks = {"FileFormat": "MITK Segmentation Task List", "Version": 1, "Tasks": [{"Image": "scan.nii.gz"}]}
    (tmp_path / "tasks.json").write_text(json.dumps(tasks))

    assert medssl("case", "add", tmp_path / "tasks.json", "-p", project_folder)[0] == 0
    assert medssl("case", "show", "scan", "-p", project_folder)[0] == 0
