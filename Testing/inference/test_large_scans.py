"""A CT of the whole body fits into the memory of an ordinary computer."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

_BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "large_scan.py"
_BYTES_PER_VOXEL = (
    8  # the scan itself takes 2, labels and doubt the rest; one float more of each voxel takes 4
)


def _peak_mib(slices: int) -> int:
    """Peak memory of a process that segments 512 x 512 x `slices` voxels of CT."""
    command = [sys.executable, str(_BENCHMARK), "--slices", str(slices), "--device", "cpu"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    peak: int = json.loads(done.stdout[done.stdout.index("{") :])["peak, MiB"]
    return peak


def test_memory_grows_little_with_the_slices_of_a_scan() -> None:
    few, many = 40, 160

    grown = (_peak_mib(many) - _peak_mib(few)) * 2**20 / ((many - few) * 512**2)

    assert grown < _BYTES_PER_VOXEL
