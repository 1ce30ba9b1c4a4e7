"""`medssl --remote`: every command does the same through a service, with the same words."""

from __future__ import annotations

import json
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
import SimpleITK
from medssl.cli.app import run
from medssl.cli.luggage import Luggage
from medssl.client import Client, EngineError, Job
from medssl.events import Monitor
from medssl.imaging.labels import read_labels
from medssl.jobs import PredictRequest
from medssl.project import Project
from service_engine import Engine, propose, write_drawing, write_scan

Run: TypeAlias = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def state_of_this_computer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where commands keep what they remember, apart from the person's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def here(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command on this computer: exit code, standard output, standard error."""

    def call(*arguments: object) -> tuple[int, str, str]:
        code = run([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return call


@pytest.fixture
def there(engine: Engine, here: Run) -> Run:
    """Run a command through the service."""
    return lambda *arguments: here("--remote", engine.url, "--token-file", engine.state / "token", *arguments)


def same(text: str) -> str:
    """A text without what differs between two projects: times, ids, and where they lie."""
    text = re.sub(r"[^\s\"]*/(?:here|there|root)(/[^\s\"]*)?", "PATH", text)
    text = re.sub(r"\d{8}-\d{6}-\w{4}|\d{4}-\d\d-\d\d[T ][\d:.+Z]+|here|there", "TIME", text)
    return re.sub(r"in [\d ]+ s\b.*", "in TIME", text)


def test_each_command_on_projects_and_cases_says_the_same_here_and_there(
    engine: Engine, here: Run, there: Run, tmp_path: Path
) -> None:
    scan, drawing = write_scan(tmp_path / "scan.nii.gz"), write_drawing(tmp_path / "drawn.nii.gz")
    apart, drawn_apart = tmp_path / "apart.mhd", tmp_path / "apart.seg.nhdr"
    SimpleITK.WriteImage(SimpleITK.ReadImage(str(scan)), str(apart))
    SimpleITK.WriteImage(SimpleITK.ReadImage(str(drawing)), str(drawn_apart))
    folders = {here: tmp_path / "here", there: engine.root / "there"}
    said: list[list[tuple[int, str, str]]] = []
    for medssl, folder in folders.items():
        project = ("--project", folder)
        answers = [medssl("project", "new", folder, "--segments", "1=Head,2=Body", "--name", "Two")]
        answers += [medssl("case", "add", scan, "--name", name, "--copy", *project) for name in "abc"]
        with Project.open(folder) as opened:
            propose(opened, "b", 0.5)
            propose(opened, "c", 0.25)
        commands = (
            ("case", "add", scan, "--name", "a"),
            ("case", "list"),
            ("case", "list", "--json", "--sort", "uncertainty", "--limit", "2"),
            ("case", "next"),
            ("case", "annotate", "a", drawing, "--author", "Dr. A", "--seconds", "3"),
            ("case", "annotate", "nobody", drawing),
            ("case", "annotate", "a", scan),
            ("case", "add", apart, "--name", "d", "--copy"),
            ("case", "annotate", "d", drawn_apart),
            ("review", "list"),
            ("review", "accept", "b", "--author", "Dr. A"),
            ("review", "accept", "b"),
            ("review", "accept", "a"),
            ("review", "undo", "b"),
            ("review", "correct", "b", drawing),
            ("review", "reject", "c"),
            ("case", "restore", "b", "1"),
            ("case", "history", "b"),
            ("case", "history", "b", "--json"),
            ("case", "show", "b"),
            ("case", "role", "c", "validation"),
            ("case", "exclude", "c"),
            ("project", "schema", "--segments", "1=Head,2=Body,3=Tail"),
            ("project", "schema", "--segments", "2=Body"),
            ("project", "info"),
            ("project", "info", "--json"),
            ("model", "list"),
            ("model", "show"),
            ("model", "delete", "none"),
            ("job", "list"),
            ("job", "show", "none"),
            ("job", "cancel", "none"),
            ("job", "resume", "none"),
            ("train", "--steps", "1", "--from", "none"),
            ("evaluate", "--out", tmp_path / "out", "--model", "none"),
        )
        answers += [medssl(*command, *project) for command in commands]
        said.append(answers)
    for ours, theirs in zip(*said, strict=True):
        assert [same(str(part)) for part in ours] == [same(str(part)) for part in theirs]
    assert not list((engine.state / "uploads").iterdir())


def test_a_dataset_goes_in_and_segmentations_come_back(
    engine: Engine,
    here: Run,
    there: Run,
    small_dataset: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = engine.root / "far"
    project = ("--project", folder)
    assert there("project", "new", "engine:far", "--dataset", small_dataset)[0] == 0
    code, out, err = there("case", "add", small_dataset, "--annotated", "1", *project)
    assert (code, out.splitlines()[0]) == (0, "6 cases added, 1 of them with an annotation."), err
    apart = small_dataset / "imagesTs"
    code, out, err = there("case", "add", apart, "--role", "validation", *project)
    _, listed, _ = there("case", "list", "--role", "validation", "--json", *project)
    assert (code, len(listed.splitlines())) == (0, 2), err
    code, out, err = there("train", "--steps", "2", "--method", "supervised", "--device", "cpu", *project)
    assert code == 0, err
    assert "2 steps" in out
    tree = write_tree(tmp_path / "tree", small_dataset)
    check_that_a_tree_comes_back_as_one(there, tree, tmp_path / "out", project, monkeypatch)
    code, _, err = there("predict", tree, "--out", tmp_path / "out", *project)
    assert (code, "new or empty" in err) == (2, True)
    code, out, err = there("case", "add", tree, *project)
    assert (code, "3 cases added" in out, "1 could not be added" in out) == (1, True, True), err
    assert there("model", "export", tmp_path / "model.zip", *project)[0] == 0
    code, out, err = there("model", "import", tmp_path / "model.zip", *project)
    assert code == 0, err
    assert not list((engine.state / "uploads").iterdir())
    labels, scans = small_dataset / "labelsTs", small_dataset / "imagesTs"
    apart = tmp_path / "apart"  # the same segmentations, in a format of two files
    apart.mkdir()
    for file in labels.iterdir():
        image = SimpleITK.ReadImage(str(file))
        SimpleITK.WriteImage(image, str(apart / file.name.replace(".nii.gz", ".mhd")))
    folders = ("--predictions", apart, "--references", labels, "--scans", scans)
    code, out, err = there("evaluate", "--out", tmp_path / "e", *folders, *project)
    assert (code, "1.000" in out, (tmp_path / "e" / "report.html").is_file()) == (0, True, True), err
    assert not list((engine.state / "uploads").iterdir())
    check_that_a_damaged_segmentation_is_listed_by_its_name_here(there, labels, project, tmp_path)
    check_that_a_failed_job_ends_with_the_same_code(here, there, folder, scans, tmp_path)


def write_tree(folder: Path, dataset: Path) -> Path:
    """Scans of the same name in two folders, one that is damaged, and one of two files."""
    for name, number in (("first", 7), ("second", 8)):
        (folder / name).mkdir(parents=True)
        shutil.copy(dataset / "imagesTs" / f"small_{number}.nii.gz", folder / name / "Scan: 1.nii.gz")
    (folder / "second" / "bad.nii.gz").write_bytes(b"no scan at all")
    SimpleITK.WriteImage(
        SimpleITK.ReadImage(str(folder / "first" / "Scan: 1.nii.gz")), str(folder / "apart.mhd")
    )
    return folder


def check_that_a_tree_comes_back_as_one(
    there: Run, tree: Path, output: Path, project: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the way is cut off while the results come: `job resume` fetches them."""
    with monkeypatch.context() as broken:

        def cut(*_: object) -> None:
            raise EngineError("unreachable", "The cable is out.")

        broken.setattr(Client, "download", cut)
        code, out, err = there("predict", tree, "--out", output, "--device", "cpu", "--json", *project)
        assert (code, "The cable is out." in err, [*output.rglob("*.*")]) == (1, True, [])
    told = [json.loads(line) for line in out.splitlines()]
    assert {"state", "progress", "row"} <= {line["kind"] for line in told}
    rows = {line["name"]: line for line in told if line["kind"] == "row"}
    assert rows["second/bad"]["state"] == "failed"
    assert str(tree / "second" / "bad.nii.gz") in rows["second/bad"]["note"]
    assert rows["first/Scan: 1"]["source"] == str(tree / "first" / "Scan: 1.nii.gz")
    code, out, err = there("job", "list", "--json", *project)
    assert code == 0, err
    newest = json.loads(out.splitlines()[0])
    code, out, err = there("job", "resume", newest["id"], "--json", *project)
    assert code == 1, err
    result = json.loads(out.splitlines()[-1])["result"]
    assert (result["done"], list(result["failed"]), "uploads" in out) == (3, ["second/bad"], False)
    assert result["report"] == str(output / "report.html")
    found = sorted(path.relative_to(output).as_posix() for path in output.rglob("*.*"))
    segmented = ["apart.seg.nrrd", "first/Scan: 1.seg.nrrd", "second/Scan: 1.seg.nrrd"]
    assert found == sorted([*segmented, "report.html", "report.json", "volumes.csv"])
    assert read_labels(output / segmented[1]).volume.array.shape == (16, 24, 20)
    assert there("job", "resume", newest["id"], *project)[0] == 2


def check_that_a_damaged_segmentation_is_listed_by_its_name_here(
    there: Run, labels: Path, project: tuple[object, ...], tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged" / "small_7.nii.gz"
    shutil.copytree(labels, damaged.parent)
    damaged.write_bytes(damaged.read_bytes()[:-40])
    folders = ("--predictions", damaged.parent, "--references", labels)
    code, out, err = there("evaluate", "--out", tmp_path / "partly", *folders, *project)
    assert (code, f"small_7: {damaged}" in out, "uploads" in out) == (1, True, False), (out, err)


def check_that_a_failed_job_ends_with_the_same_code(
    here: Run, there: Run, folder: Path, scans: Path, tmp_path: Path
) -> None:
    """Wrong use that only the job itself can notice."""
    rules = tmp_path / "rules.json"
    rules.write_text('{"T1": [{"description": "t1"}]}', encoding="utf-8")
    wrong = ("predict", scans, "--channels", rules, "--project", folder, "--out")
    ours, theirs = here(*wrong, tmp_path / "ours"), there(*wrong, tmp_path / "theirs")
    assert (ours[0], theirs[0]) == (2, 2), (ours, theirs)
    assert ours[2].splitlines()[-1] == theirs[2].splitlines()[-1]


def test_files_that_lie_beside_each_other_here_do_so_there_and_others_do_not(
    client: Client, tmp_path: Path
) -> None:
    """The files of a scan's channels are known by that, and those of two patients are told apart."""
    places = ("a/x_0000", "b/x_0000", "a/x_0001", "a/x_0000")
    for place in places:
        (tmp_path / place).parent.mkdir(exist_ok=True)
    inputs = tuple(write_scan(tmp_path / f"{place}.nii.gz") for place in places)
    with Luggage(client, lambda path: str(path)) as luggage:
        request = luggage.pack(PredictRequest(inputs=inputs, output=tmp_path / "out"), Monitor())
    first, other, second, again = (Path(path).parent for path in request["inputs"])
    assert first == second
    assert len({first, other, again}) == 3


def test_what_lies_in_a_hidden_folder_here_is_sent_and_results_come_back_into_one(
    engine: Engine, there: Run, small_dataset: Path, tmp_path: Path
) -> None:
    drawn, out = small_dataset / "labelsTs", tmp_path / ".scores"
    segmented = shutil.copytree(drawn, tmp_path / ".segmented")
    place = ("--project", engine.new_project().folder, "--out", out)
    code, _, err = there("evaluate", "--predictions", segmented, "--references", drawn, *place)
    assert (code, (out / "report.html").is_file()) == (0, True), err


def test_the_results_of_a_job_that_ends_as_ctrl_c_is_pressed_come_back(
    engine: Engine, there: Run, small_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit, cancel = Client.submit, Client.cancel

    def submit_and_press(client: Client, project: str, request: dict[str, object]) -> Job:
        job = submit(client, project, request)
        signal.raise_signal(signal.SIGINT)
        return job

    def cancel_late(client: Client, project: str, job: str) -> Job:
        assert client.watch(project, job, lambda event: None).join(90)
        return cancel(client, project, job)

    monkeypatch.setattr(Client, "submit", submit_and_press)
    monkeypatch.setattr(Client, "cancel", cancel_late)
    drawn, out = small_dataset / "labelsTs", tmp_path / "scores"
    place = ("--project", engine.new_project().folder, "--out", out)
    code, _, err = there("evaluate", "--predictions", drawn, "--references", drawn, *place)
    assert (code, (out / "report.html").is_file()) == (0, True), err


def test_labels_of_a_dataset_here_reach_only_the_scans_there_that_they_were_drawn_on(
    engine: Engine, there: Run, small_dataset: Path, tmp_path: Path
) -> None:
    project, uploads = ("--project", engine.root / "labels later"), engine.state / "uploads"
    before = set(uploads.iterdir())
    assert there("project", "new", "engine:labels later", "--dataset", small_dataset)[0] == 0
    scans = small_dataset / "imagesTr"
    assert there("case", "add", scans / "small_1.nii.gz", *project)[0] == 0
    assert there("case", "add", scans / "small_2.nii.gz", "--name", "small_3", *project)[0] == 0
    code, out, err = there("case", "add", small_dataset, "--annotated", "3", *project)
    assert (code, "4 cases added, 2 of them with an annotation. 1 was there already." in out) == (1, True), (
        err
    )
    assert "small_3 was not added, nor were its labels" in err
    with Project.open(engine.root / "labels later") as there_now:
        states = {case.name: case.state for case in there_now.cases()}
    assert [states[f"small_{number}"] for number in (1, 2, 3)] == ["annotated", "annotated", "new"]
    assert set(uploads.iterdir()) == before


def test_a_refusal_names_the_file_of_this_computer_also_where_the_engine_keeps_its_files_behind_a_link(
    start_engine: Callable[..., Engine], here: Run, tmp_path: Path
) -> None:
    (tmp_path / "other disk").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "other disk")
    engine = start_engine(folder=link)
    made = engine.client.make_folder().path
    assert engine.client.folder(made).folder == made
    project = engine.new_project()
    engine.client.add_case(project.key, "a", [write_scan(engine.root / "a.nii.gz")])
    wrong = write_scan(tmp_path / "no label map.nii.gz")
    remote = ("--remote", engine.url, "--token-file", engine.state / "token")
    code, _, err = here(*remote, "case", "annotate", "a", wrong, "--project", project.folder)
    assert (code, str(wrong) in err, "uploads" in err) == (1, True, False), err


def test_what_was_saved_or_refused_is_told_though_the_way_is_cut_right_afterwards(
    engine: Engine, there: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*_: object) -> None:
        raise EngineError("unreachable", "The cable is out.")

    project = engine.new_project()
    scan, drawing = write_scan(tmp_path / "a.nii.gz"), write_drawing(tmp_path / "drawn.nii.gz")
    monkeypatch.setattr(Client, "remove_upload", cut)
    place = ("--project", project.folder)
    assert there("case", "add", scan, *place)[::2] == (0, "")
    code, out, err = there("case", "annotate", "a", drawing, *place)
    assert (code, "version 1" in out, err) == (0, True, "")
    code, _, err = there("case", "annotate", "a", scan, *place)
    assert (code, str(scan) in err, "cable" in err) == (1, True, False), err


def test_what_cannot_be_done_elsewhere_is_said(
    engine: Engine, here: Run, there: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    code, _, err = there("demo")
    assert (code, "Leave out --remote, or unset MEDSSL_REMOTE." in err) == (2, True)
    assert "--project" in there("case", "list")[2]
    wrong = here("--remote", engine.url, "case", "list", "--project", "x")
    assert (wrong[0], "--token-file" in wrong[2]) == (2, True)
    monkeypatch.setenv("MEDSSL_TOKEN", "wrong")
    refused = here("--remote", engine.url, "case", "list", "--project", engine.root)
    assert (refused[0], "token" in refused[2]) == (1, True)
    monkeypatch.setenv("MEDSSL_TOKEN", engine.token)
    monkeypatch.setenv("MEDSSL_REMOTE", engine.url)
    unknown = here("case", "list", "--project", engine.root / "nothing")
    assert (unknown[0], "no project" in unknown[2].lower()) == (1, True)
    monkeypatch.setenv("MEDSSL_REMOTE", "http://127.0.0.1:9")
    assert "does not answer" in here("case", "list", "--project", tmp_path)[2]
