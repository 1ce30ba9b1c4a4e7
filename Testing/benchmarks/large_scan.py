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
import multiprocessing
import tempfile
import time
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


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--slices", type=int, default=1000)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--spacing-mm", type=float)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = multiprocessing.get_context("spawn").Process(
            target=_make, args=(folder, options.side, options.slices, options.spacing_mm)
        )
        made.start()
        made.join()
        assert made.exitcode == 0
        model = load_model(folder / "model")
        before, began = peak_memory_mib(), time.perf_counter()
        settings = FolderSettings(device=options.device)
        result = segment_folder(model, [folder / "scans"], folder / "out", settings, Monitor())
        assert result.count("done") == 1, result.failed
        voxels = options.side**2 * options.slices
        print(
            json.dumps(
                {
                    "voxels": [options.side, options.side, options.slices],
                    "scan, MiB": 2 * voxels >> 20,
                    "plan's spacing, mm": model.plan.spacing_mm,
                    "patch": model.plan.patch_size,
                    "device": options.device,
                    "threads": torch.get_num_threads(),
                    "peak before, MiB": before,
                    "peak, MiB": peak_memory_mib(),
                    "seconds": round(time.perf_counter() - began, 1),
                    "processor seconds": round(time.process_time(), 1),
                },
                indent=2,
            )
        )


def _make(folder: Path, side: int, slices: int, spacing_mm: float | None) -> None:
    """Write a CT of nested cylinders of air, body and bright organ, and a model for it."""
    y, x = np.indices((side, side), dtype=np.float32) / side - 0.5
    radius = np.hypot(x, 1.4 * y)
    noise = np.random.default_rng(0).integers(-20, 20, (side, side), dtype=np.int16)
    body = np.select([radius < 0.1, radius < 0.45], [200, 40], -1000).astype(np.int16) + noise
    array = np.empty((slices, side, side), np.int16)
    for index in range(slices):
        array[index] = np.roll(body, index % 40, axis=1)
    scan = folder / "scans" / "ct.nii"
    write_volume(scan, Volume(array, Grid((side, side, slices), (0.8, 0.8, 1.0))))
    del array
    wanted = None if spacing_mm is None else (spacing_mm, spacing_mm, spacing_mm)
    model = fixed_answer([scan], wanted)
    save_model(folder / "model", model.network, model.plan, model.card)


if __name__ == "__main__":
    main()
