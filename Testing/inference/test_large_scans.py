"""A CT of the whole body fits into the memory of an ordinary computer."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

_BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "large_scan.py"
_BYTES_PER_VOXEL = (
    8  # the scan itself takes 2, labels and uncertainty the rest; one float more of each voxel takes 4
)


def test_memory_grows_little_with_the_slices_of_a_scan() -> None:
    few, many = 40, 160
    command = [sys.executable, str(_BENCHMARK), "--slices", str(few), str(many), "--device", "cpu"]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    first, last = (measured["peak, MiB"] for measured in told)  # of one process, so that it only grows
    assert (last - first) * 2**20 / ((many - few) * 512**2) < _BYTES_PER_VOXEL
