"""Where some of it could not be done, the rest is kept, and the exit code says that it was not all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

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
    medssl: Medssl,
    start_medssl: Callable[..., object],
    small_dataset: Path,
    project_folder: Path,
    tmp_path: Path,
) -> None:
    with Project.open(project_folder) as project:
        add_untrained_model(project)
    folder = scans(tmp_path / "scans", small_dataset)
    command = ("predict", folder, "--out", tmp_path / "out", "--device", "cpu", "-p", project_folder)

    process = start_medssl(*command)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1, err
    assert "1 could not be segmented:" in out
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
