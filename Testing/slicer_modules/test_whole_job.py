"""The whole job by clicks: the script that checks the extension in 3D Slicer passes in the stand-in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = ("MedSSLSegment", "MedSSLPretrain")


def engine_python(folder: Path) -> Path:
    """A Python that has this checkout's engine, as one that a person set up would have it."""
    script = folder / "python with the engine"
    start = f'#!/bin/sh\nPYTHONPATH="{ROOT / "backend"}" exec "{sys.executable}" "$@"\n'
    script.write_text(start, encoding="utf-8")
    script.chmod(0o755)
    return script


@pytest.mark.timeout(900)
def test_annotate_train_review_correct_refine_apply_and_pretrain_by_clicks(tmp_path: Path) -> None:
    home, pictures = tmp_path / "home", tmp_path / "pictures"
    home.mkdir()
    ended = subprocess.run(
        [
            *(sys.executable, str(ROOT / "Testing" / "slicer_runtime"), "--testing"),
            *("--additional-module-paths", *(str(ROOT / name) for name in MODULES)),
            *("--python-script", str(ROOT / "Testing" / "slicer_selftest.py")),
        ],
        cwd=tmp_path,
        env={
            **os.environ,
            "HOME": str(home),
            "XDG_STATE_HOME": str(home / "state"),
            "MEDSSL_ENGINE_PYTHON": str(engine_python(tmp_path)),
            "MEDSSL_SCREENSHOTS": str(pictures),
            "MEDSSL_SELFTEST_SECONDS": "3",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout[-4000:]
    assert "FAILED" not in ended.stdout
    taken = sorted(path.stem.partition("-")[2] for path in pictures.glob("*.png"))
    sections = {"engine", "project", "annotate", "train", "review", "apply", "models", "pretrain"}
    assert sections <= set(taken)
