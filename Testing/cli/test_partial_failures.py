"""Where some of it could not be done, the rest is kept, and the exit code says that it was not all."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from medssl.imaging.labels import read_labels
from medssl.imaging.writing import write_volume
from medssl.project import Project
from small_models import add_untrained_model

Medssl = Callable[..., tuple[int, str, str]]


def scans(folder: Path, dataset: Path) -> Path:
    """A folder of one scan that is whole and one that is not."""
    folder.mkdir()
    shutil.copy(dataset / "imagesTs" / "small_7.nii.gz", folder / "whole.nii.gz")
    (folder / "broken.nii.gz").write_bytes(b"no scan at all")
    return folder


def last(out: str) -> dict[str, object]:
    """The line that a program reads the outcome from."""
    found: dict[str, object] = json.loads(out.splitlines()[-1])
    return found


def test_a_folder_of_which_a_scan_failed_is_segmented_and_ends_with_1_until_all_are(
    medssl: Medssl, small_dataset: Path, project_folder: Path, tmp_path: Path
) -> None:
    with Project.open(project_folder) as project:
        add_untrained_model(project)
    folder = scans(tmp_path / "scans", small_dataset)
    command = ("predict", folder, "--out", tmp_path / "out", "--device", "cpu", "-p", project_folder)

    code, out, err = medssl(*command)
    assert (code, "1 could not be segmented:" in out) == (1, True), err
    assert (tmp_path / "out" / "whole.seg.nrrd").is_file()
    code, out, _ = medssl(*command, "--json")
    told = last(out)
    assert (code, told["kind"], list(told["result"]["failed"])) == (1, "result", ["broken"])
    job = told["job_id"]
    assert medssl("job", "show", job, "-p", project_folder)[0] == 0
    shutil.copy(folder / "whole.nii.gz", folder / "broken.nii.gz")
    code, out, _ = medssl(*command, "--json")
    assert (code, last(out)["result"]["failed"]) == (0, {})


def test_a_folder_of_which_a_scan_was_refused_is_added_and_ends_with_1(
    medssl: Medssl, small_dataset: Path, project_folder: Path, tmp_path: Path
) -> None:
    folder = scans(tmp_path / "scans", small_dataset)
    code, out, err = medssl("case", "add", folder, "-p", project_folder)
    assert (code, "broken was not added" in err) == (1, True)
    assert "1 could not be added" in out
    assert medssl("case", "show", "whole", "-p", project_folder)[0] == 0
    code, out, _ = medssl("case", "add", folder, "--json", "-p", project_folder)
    assert (code, last(out)["result"]["refused"]) == (1, 1)
    (folder / "broken.nii.gz").unlink()
    assert medssl("case", "add", folder, "-p", project_folder)[0] == 0


def test_proposals_of_which_a_case_failed_end_with_1(
    medssl: Medssl, small_dataset: Path, project_folder: Path, tmp_path: Path
) -> None:
    scan = tmp_path / "gone.nii.gz"
    shutil.copy(small_dataset / "imagesTs" / "small_7.nii.gz", scan)
    with Project.open(project_folder) as project:
        add_untrained_model(project)
        project.add_case("gone", [scan])
    scan.unlink()
    command = ("review", "propose", "gone", "small_5", "--device", "cpu", "-p", project_folder)
    code, out, _ = medssl(*command)
    assert (code, "  gone: " in out) == (1, True)


def test_one_damaged_file_does_not_lose_the_scores_of_the_others(
    medssl: Medssl, small_dataset: Path, project_folder: Path, tmp_path: Path
) -> None:
    with Project.open(project_folder) as project:
        add_untrained_model(project)
        for number in (2, 3):
            scan = tmp_path / "a patient" / f"scan-{number}.nii.gz"
            scan.parent.mkdir(exist_ok=True)
            shutil.copy(small_dataset / "imagesTr" / f"small_{number}.nii.gz", scan)
            project.add_case(scan.name, [scan], role="validation")
            project.save_annotation(scan.name, small_dataset / "labelsTr" / f"small_{number}.nii.gz")
    cut = tmp_path / "a patient" / "scan-2.nii.gz"
    cut.write_bytes(cut.read_bytes()[:400])
    command = ("evaluate", "--device", "cpu", "-p", project_folder)
    code, out, _ = medssl(*command, "--out", tmp_path / "scores")
    assert code == 1
    assert out.startswith("1 case scored:")
    assert f"1 could not be scored:\n  scan-2.nii.gz: {cut}" in out
    assert (tmp_path / "scores" / "scores.csv").read_text().count("scan-3") == 2
    page = (tmp_path / "scores" / "report.html").read_text(encoding="utf-8")
    assert "Without a score" in page
    assert "scan-2.nii.gz" in page
    assert "a patient" not in page
    code, out, _ = medssl(*command, "--out", tmp_path / "scores", "--json")
    assert (code, list(last(out)["result"]["failed"])) == (1, ["scan-2.nii.gz"])
    rows = [line for line in map(json.loads, out.splitlines()) if line["kind"] == "row"]
    assert [(row["name"], row["state"]) for row in rows] == [("scan-2.nii.gz", "failed")]
    (tmp_path / "a patient" / "scan-3.nii.gz").unlink()
    code, _, err = medssl(*command, "--out", tmp_path / "scores")
    assert (code, "None of the 2 cases could be scored" in err) == (1, True)


def test_of_two_folders_a_damaged_segmentation_is_listed_and_a_damaged_scan_lacks_its_picture(
    medssl: Medssl, small_dataset: Path, project_folder: Path, tmp_path: Path
) -> None:
    for folder, part in (("truth", "labelsTr"), ("found", "labelsTr"), ("scans", "imagesTr")):
        (tmp_path / folder).mkdir()
        for number in (1, 2):
            shutil.copy(small_dataset / part / f"small_{number}.nii.gz", tmp_path / folder)
    for damaged in ("found/small_1.nii.gz", "scans/small_2.nii.gz"):
        (tmp_path / damaged).write_bytes((tmp_path / damaged).read_bytes()[:60])
    given = (("predictions", "found"), ("references", "truth"), ("scans", "scans"))
    folders = [part for option, folder in given for part in (f"--{option}", tmp_path / folder)]
    code, out, err = medssl("evaluate", *folders, "-o", tmp_path / "out", "-p", project_folder, "--json")
    assert code == 1, err
    result = last(out)["result"]
    assert (list(result["failed"]), result["cases"]) == (["small_1"], 1)
    assert [segment["dice"] for segment in result["segments"]] == [1.0, 1.0]
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "There is no picture: small_2.nii.gz" in page


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux takes any bytes for a name")
def test_a_name_in_another_encoding_stops_nothing(
    medssl: Medssl,
    start_medssl: Callable[..., object],
    small_dataset: Path,
    project_folder: Path,
    tmp_path: Path,
) -> None:
    with Project.open(project_folder) as project:
        add_untrained_model(project)
    folder = tmp_path / "scans"
    folder.mkdir()
    for name in (b"ok.nii.gz", b"M\xfcller.nii.gz"):
        shutil.copy(small_dataset / "imagesTs" / "small_7.nii.gz", folder / os.fsdecode(name))
    process = start_medssl(
        "predict", folder, "--out", tmp_path / "out", "--device", "cpu", "-p", project_folder
    )
    out, err = process.communicate(timeout=300)
    assert process.returncode == 1, err
    assert "M\\xfcller.nii.gz is not written in UTF-8" in " ".join(out.split())
    assert (tmp_path / "out" / "ok.seg.nrrd").is_file()
    code, out, err = medssl("case", "add", folder, "-p", project_folder)
    assert (code, "Rename it" in err) == (1, True)
    assert medssl("case", "show", "ok", "-p", project_folder)[0] == 0
    (folder / os.fsdecode(b"\xe9tude")).mkdir()
    code, _, err = medssl("case", "add", folder / os.fsdecode(b"\xe9tude"), "-p", project_folder)
    assert (code, "is not written in UTF-8" in " ".join(err.split())) == (1, True)


def test_what_was_segmented_under_the_names_of_channels_is_scored(
    medssl: Medssl, small_dataset: Path, project_folder: Path, tmp_path: Path
) -> None:
    for folder, name in (("truth", "c2"), ("found", "c2_0000")):
        (tmp_path / folder).mkdir()
        shutil.copy(small_dataset / "labelsTr" / "small_1.nii.gz", tmp_path / folder / f"{name}.nii.gz")
    folders = ("--predictions", tmp_path / "found", "--references", tmp_path / "truth")
    code, out, err = medssl("evaluate", *folders, "-o", tmp_path / "out", "-p", project_folder, "--json")
    assert (code, last(out)["result"]["cases"]) == (0, 1), err
    scan = read_labels(tmp_path / "truth" / "c2.nii.gz").volume
    far = replace(scan, grid=replace(scan.grid, origin_mm=(900.0, 0.0, 0.0)))
    write_volume(tmp_path / "found" / "c2_0000.nii.gz", far)
    code, _, err = medssl("evaluate", *folders, "-o", tmp_path / "out", "-p", project_folder)
    assert (code, "does not lie on its reference" in err, "scan" in err) == (1, True, False)
