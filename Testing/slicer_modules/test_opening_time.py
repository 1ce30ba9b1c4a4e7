"""The module opens at once, with no engine installed, and nothing of the engine's is imported for it.

Processor time of the fastest of three: what else this computer does slows a run and never speeds one up, so
none follows one that was fast enough. The first of them compiles the files, as Slicer does when it opens the
module for the first time.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = """
import json, sys, time
sys.path[:0] = [{testing!r}, {module!r}]
import slicer_runtime
runtime = slicer_runtime.start()
import slicer
before, known = time.process_time(), set(sys.modules)
runtime.load_module(__import__("pathlib").Path({module!r}) / "MedSSLSegment.py")
loaded, at_load = time.process_time() - before, set(sys.modules) - known
slicer.util.selectModule("MedSSLSegment")
opened, heavy = time.process_time() - before, {{"torch", "SimpleITK"}} & set(sys.modules)
print(json.dumps([loaded, opened, sorted(at_load), sorted(heavy)]))
sys.stdout.flush()
__import__("os")._exit(0)
"""


def opening(folder: Path) -> list[Any]:
    script = SCRIPT.format(testing=str(ROOT / "Testing"), module=str(ROOT / "MedSSLSegment"))
    folders = dict.fromkeys(("XDG_STATE_HOME", "XDG_DATA_HOME", "PYTHONPYCACHEPREFIX"), str(folder))
    unwanted = ("MEDSSL_ENGINE_PYTHON", "PYTHONDONTWRITEBYTECODE")
    variables = {name: value for name, value in os.environ.items() if name not in unwanted} | folders
    answer = subprocess.run(
        [sys.executable, "-c", script], env=variables, capture_output=True, text=True, check=True
    )
    return json.loads(answer.stdout.splitlines()[-1])


def test_opening_takes_less_than_half_a_second_and_loading_imports_nothing(tmp_path: Path) -> None:
    loaded_s = opened_s = math.inf
    for _ in range(3):
        load_s, open_s, at_load, heavy = opening(tmp_path)
        assert heavy == []
        assert [name for name in at_load if name.startswith(("MedSSLLib", "medssl", "requests"))] == []
        loaded_s, opened_s = min(loaded_s, load_s), min(opened_s, open_s)
        if loaded_s < 0.1 and opened_s < 0.5:
            return
    pytest.fail(f"The module took {loaded_s:.2f} s to load and {opened_s:.2f} s to open.")
