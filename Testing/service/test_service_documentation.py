"""docs/engine.md: its Python program and its curl session do what they say, as they are printed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import medssl
import psutil
import pytest
from medssl.endpoint import read_endpoint
from medssl.imaging.labels import write_labels
from medssl.imaging.writing import write_volume
from medssl.labels import LabelSchema
from medssl.phantom import make_phantom

_PAGE = Path(__file__).parents[2] / "docs" / "engine.md"


def printed(heading: str) -> str:
    """The first block of code below a heading, without what sets it off."""
    below = _PAGE.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    fenced = re.search(r"```\w+\n(.*?)```", below, re.DOTALL)
    lines = (
        fenced[1].splitlines() if fenced else [line[4:] for line in below.splitlines() if line[:4] == "    "]
    )
    return "\n".join(lines)


@pytest.mark.skipif(sys.platform != "linux", reason="the paths on the page are those of Linux")
@pytest.mark.timeout(300)
def test_the_program_and_the_session_on_the_page_work(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    for name in ("scans", "drawn"):
        (tmp_path / name).mkdir()
    for number in (1, 2, 3):
        made = make_phantom(number, (16, 24, 20))
        write_volume(tmp_path / "scans" / f"patient-0{number}.nii.gz", made.image)
    schema = LabelSchema.of_names({1: "Kidney", 2: "Tumor"})
    write_labels(tmp_path / "drawn" / "patient-03.seg.nrrd", made.labels.array, made.labels.grid, schema)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("XDG_")},
        "HOME": str(tmp_path),
        "PYTHONPATH": str(Path(medssl.__file__).parents[1].resolve()),
    }
    # Elsewhere than on the page: the data, and the time that a real training takes.
    program = printed("Python").replace('"/data', f'"{tmp_path}').replace('"seconds": 600', '"steps": 2')
    assert program.count("\n") < 12
    state = tmp_path / ".local" / "state" / "medssl" / "service"
    try:
        told = subprocess.run(
            [sys.executable, "-c", program], env=environment, cwd=tmp_path, capture_output=True, text=True
        )
        assert told.returncode == 0, told.stdout + told.stderr
        assert "kind='metric'" in told.stdout
        assert "'annotated_cases': 1" in told.stdout.splitlines()[-1]
        check_session(tmp_path, state, environment)
    finally:
        engine = read_endpoint(state)
        if engine is not None:
            psutil.Process(engine.process_id).terminate()


def check_session(data: Path, state: Path, environment: dict[str, str]) -> None:
    """Type the lines of the session one after the other, with the ids that the answers give."""
    engine = read_endpoint(state)
    assert engine is not None
    shutil.copy(data / "scans" / "patient-01.nii.gz", data / "scan.nii.gz")
    lines = printed("curl").replace("http://127.0.0.1:40123", engine.url).replace("/data/", f"{data}/")
    lines = re.sub(r"\\\n\s+", "", lines)
    settings = "\n".join(line for line in lines.splitlines() if re.match(r"[A-Z]+=", line))
    answers: list[str] = []
    project = job = ""
    for line in lines.splitlines():
        if not line.startswith("curl"):
            continue
        script = f"{settings}\n{line} -sS"
        script = re.sub(r"projects/[0-9a-f]{16}", f"projects/{project}", script)
        script = re.sub(r"jobs/\d{8}-\d{6}-\w{4}", f"jobs/{job}", script)
        told = subprocess.run(
            ["bash", "-c", script], env=environment, cwd=data, capture_output=True, text=True
        )
        assert told.returncode == 0, told.stderr
        answers.append(told.stdout)
        if "projects/open" in line:
            project = json.loads(told.stdout)["key"]
        elif "$P/jobs -d" in line:
            job = json.loads(told.stdout)["id"]
    opened, cases, uploaded, submitted, stream, cancelled, _ = answers
    assert (json.loads(opened)["name"], json.loads(cases)["total"]) == ("Kidneys", 3)
    assert Path(json.loads(uploaded)["path"]).is_file()
    assert json.loads(submitted)["kind"] == "predict"
    assert [path.name for path in data.glob("*.nrrd")] == ["patient-01.seg.nrrd"]
    assert stream.endswith("event: end\ndata: finished\n\n")
    assert json.loads(cancelled)["code"] == "usage"  # it has ended before anybody typed this
