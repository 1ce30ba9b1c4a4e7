"""How much memory the segmentation of a CT of the whole body takes: 512 x 512 x 1000 voxels.

    python Testing/benchmarks/large_scan.py
    python Testing/benchmarks/large_scan.py --spacing-mm 1.0 --slices 250

The plan is the one this computer would make for such scans, which on a CPU is a coarse one; `--spacing-mm`
sets another, such as a model that was trained on a large GPU has. The network has random weights: what it
finds is noise, the worst case for keeping largest components. The scan is made, written and planned for in
another process, so that the peak is that of segmenting alone.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from folder_inference import fixed_answer, peak_memory_mib
from medssl.events import Monitor
from medssl.imaging.volume import Grid, Volume
from medssl.imaging.writing import write_volume
from medssl.inference.folder import segment_folder
from medssl.inference.settings import FolderSettings
from medssl.learning.model import load_model, save_model
from medssl.learning.settings import DeviceName


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--slices", type=int, nargs="+", default=[1000], help="of each scan, the fewest first"
    )
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--spacing-mm", type=float)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folders = {slices: Path(name) / str(slices) for slices in sorted(options.slices)}
        made = multiprocessing.get_context("spawn").Process(
            target=_make, args=(folders, options.side, options.spacing_mm)
        )
        made.start()
        made.join()
        assert made.exitcode == 0
        for slices, folder in folders.items():
            print(json.dumps(_measure(folder, (options.side, options.side, slices), options.device)))


def _measure(folder: Path, size: tuple[int, int, int], device: DeviceName) -> dict[str, object]:
    """Segment the scan in `folder`; the peak is the process's own, that of the largest scan so far."""
    model = load_model(folder / "model")
    before, began, worked = peak_memory_mib(), time.perf_counter(), time.process_time()
    settings = FolderSettings(device=device)
    result = segment_folder(model, [folder / "scans"], folder / "out", settings, Monitor())
    assert result.count("done") == 1, result.failed
    return {
        "voxels": size,
        "scan, MiB": 2 * math.prod(size) >> 20,
        "plan's spacing, mm": model.plan.spacing_mm,
        "patch": model.plan.patch_size,
        "device": device,
        "threads": torch.get_num_threads(),
        "peak before, MiB": before,
        "peak, MiB": peak_memory_mib(),
        "seconds": round(time.perf_counter() - began, 1),
        "processor seconds": round(time.process_time() - worked, 1),
    }


def _make(folders: Mapping[int, Path], side: int, spacing_mm: float | None) -> None:
    """Write a CT of nested cylinders of air, body and bright organ, and a model for it, into each folder."""
    y, x = np.indices((side, side), dtype=np.float32) / side - 0.5
    radius = np.hypot(x, 1.4 * y)
    noise = np.random.default_rng(0).integers(-20, 20, (side, side), dtype=np.int16)
    body = np.select([radius < 0.1, radius < 0.45], [200, 40], -1000).astype(np.int16) + noise
    wanted = None if spacing_mm is None else (spacing_mm, spacing_mm, spacing_mm)
    for slices, folder in folders.items():
        array = np.empty((slices, side, side), np.int16)
        for index in range(slices):
            array[index] = np.roll(body, index % 40, axis=1)
        scan = folder / "scans" / "ct.nii"
        write_volume(scan, Volume(array, Grid((side, side, slices), (0.8, 0.8, 1.0))))
        del array
        model = fixed_answer([scan], wanted)
        save_model(folder / "model", model.network, model.plan, model.card)


if __name__ == "__main__":
    main()
