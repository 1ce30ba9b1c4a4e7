"""The module opens at once, with no engine installed, and nothing of the engine's is imported for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

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
print(json.dumps([loaded, time.process_time() - before, sorted(at_load), "torch" in sys.modules]))
sys.stdout.flush()
__import__("os")._exit(0)
"""


def test_opening_takes_less_than_half_a_second_and_loading_imports_nothing(tmp_path: Path) -> None:
    script = SCRIPT.format(testing=str(ROOT / "Testing"), module=str(ROOT / "MedSSLSegment"))
    variables = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    variables.pop("MEDSSL_ENGINE_PYTHON", None)
    answer = subprocess.run(
        [sys.executable, "-c", script], env=variables, capture_output=True, text=True, check=True
    )
    loaded_s, opened_s, at_load, has_torch = json.loads(answer.stdout.splitlines()[-1])
    assert loaded_s < 0.1
    assert opened_s < 0.5
    assert not has_torch
    assert [name for name in at_load if name.startswith(("MedSSLLib", "medssl", "requests"))] == []
