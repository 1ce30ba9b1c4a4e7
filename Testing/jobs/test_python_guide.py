"""The script that docs/python.md shows does what the page says, word for word."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from medssl.imaging.labels import write_labels
from medssl.imaging.writing import write_volume
from medssl.phantom import SCHEMA, make_phantom
from medssl.project import Project

_ROOT = Path(__file__).parents[2]


def test_the_script_of_the_python_guide_does_the_whole_job(tmp_path: Path) -> None:
    for seed in range(1, 5):
        phantom = make_phantom(seed, (16, 24, 20))
        folder = tmp_path / ("scans" if seed < 4 else "new-scans")
        write_volume(folder / f"patient-{seed}.nii.gz", phantom.image)
        drawn = tmp_path / "drawn" / f"patient-{seed}.seg.nrrd"
        write_labels(drawn, phantom.labels.array, phantom.labels.grid, SCHEMA)
    page = (_ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    found = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert found is not None
    # The only change: two steps of training instead of minutes.
    script = found[1].replace('settings_for("quick"', 'settings_for("quick", steps=2, device="cpu"')
    (tmp_path / "job.py").write_text(script, encoding="utf-8")

    environment = {**os.environ, "PYTHONPATH": str(_ROOT / "backend")}
    done = subprocess.run(
        [sys.executable, "job.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    table, report = done.stdout.split()
    assert (tmp_path / table).is_file()
    assert (tmp_path / report).is_file()
    assert (tmp_path / "segmented" / "patient-4.seg.nrrd").is_file()
    with Project.open(tmp_path / "kidneys") as project:
        assert {case.state for case in project.cases()} == {"annotated"}
        kinds = sorted(a.kind for n in (1, 2, 3) for a in project.annotations(f"patient-{n}"))
    assert kinds == ["accepted", "corrected", "drawn"]
