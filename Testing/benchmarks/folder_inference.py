"""How close segmenting a folder comes to its limit, the forward passes alone; and that memory does not grow.

    python Testing/benchmarks/folder_inference.py --scans 40
    python Testing/benchmarks/folder_inference.py --scans 12 --size 120 200 160

Scans are phantoms, written as NIfTI; the plan is the one this computer would get. The network is a real one
with random weights, whose answer is then replaced by thresholds, so that what is written looks like a
segmentation. Forward passes and folder take turns, because other programs may be running; the figures are
of the round in which each was quickest. On a machine that others keep busy the ratio of the seconds says
nothing: the ratio of the processor's seconds then says how much work there is beside the forward passes, as
if nothing overlapped. The memory is that of processes of their own, measured for `--scans` scans and for four
times as many: the peak, which depends on which large scans meet, and what is in use after the last one.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, product
from pathlib import Path
from typing import NamedTuple

import psutil
import torch
from medssl.events import Monitor
from medssl.imaging.scans import find_scans
from medssl.imaging.volume import Volume
from medssl.imaging.writing import write_volume
from medssl.inference.folder import segment_folder
from medssl.inference.predictor import Predictor, window_lanes
from medssl.inference.settings import FolderSettings
from medssl.learning.convolutions import fast_convolutions
from medssl.learning.facts import gather_facts
from medssl.learning.lanes import Lanes
from medssl.learning.model import Model, ModelCard
from medssl.learning.network import HeadName, Network
from medssl.learning.planner import make_plan
from medssl.learning.settings import DeviceName
from medssl.learning.sliding import window_starts
from medssl.machine import Machine
from medssl.phantom import SCHEMA, make_phantom
from torch import Tensor

HEADS: tuple[HeadName, ...] = ("segmentation", "level_set")


class Seconds(NamedTuple):
    """How long something took, on the clock and on all processor cores together."""

    elapsed_s: float
    processor_s: float


class FixedAnswer(Network):
    """All the work of a network, and an answer that looks like a segmentation."""

    def forward(self, x: Tensor, heads: Sequence[HeadName] | None = None) -> dict[HeadName, Tensor]:
        found = super().forward(x, heads)
        bright = x[:, :1] - 1
        logits = torch.cat((-bright, bright.clamp(max=1), bright - 1), dim=1)
        found["segmentation"] = 0.01 * found["segmentation"] + 5 * logits
        return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scans", type=int, default=40)
    parser.add_argument("--size", type=int, nargs=3, help="voxels z y x; left out, about 40 x 56 x 48")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--memory-of", type=Path, help="a folder of scans, of which only the memory is told")
    options = parser.parse_args()
    if options.memory_of is not None:
        print(json.dumps(_folder_memory(options.memory_of, options.device)))
        return
    with tempfile.TemporaryDirectory() as folder:
        scans = Path(folder, "scans")
        size = tuple(options.size) if options.size else None
        for index in range(options.scans):
            write_volume(scans / f"scan_{index:04d}.nii.gz", make_phantom(index, size).image)
        result = _measure(scans, Path(folder, "out"), options.rounds, options.device)
        result["memory"] = _memory(scans, options.device)
        many = Path(folder, "many")
        for copy in range(4):
            shutil.copytree(scans, many / str(copy))
        result["memory, four times as many scans"] = _memory(many, options.device)
    print(json.dumps(result, indent=2))


def fixed_answer(scans: Sequence[Path], spacing_mm: tuple[float, float, float] | None = None) -> Model:
    """The model that this computer would train for scans like these, with random weights."""
    facts = [gather_facts(scan.name, [scan], SCHEMA) for scan in scans]
    plan = make_plan(facts, SCHEMA, ("image",), Machine.look(), spacing_mm=spacing_mm)
    torch.manual_seed(0)
    card = ModelCard(
        id="fixed-answer",
        name="Fixed answer",
        method="dual_task",
        heads=HEADS,
        created="",
        medssl_version="",
        annotated_cases=0,
        unannotated_cases=0,
        steps=0,
        seconds=0.0,
        seed=0,
    )
    return Model(network=FixedAnswer(plan.network, HEADS).eval(), plan=plan, card=card)


def _measure(scans: Path, out: Path, rounds: int, device: DeviceName) -> dict[str, object]:
    model = fixed_answer(sorted(scans.rglob("*.nii.gz"))[:5])
    predictor = Predictor(model, device)
    found = find_scans(scans)
    windows = [_windows(predictor, scan.read(), model.plan.patch_size) for scan in found]
    settings = FolderSettings(device=device)
    forward, folder = [], []
    for number in range(rounds):
        with _timed(forward):
            _forward_passes(model, windows, predictor.device)
        with _timed(folder):
            result = segment_folder(model, [scans], out / str(number), settings, Monitor())
        assert result.count("done") == len(found), result.failed
    limit, reached = min(forward), min(folder)
    return {
        "device": str(predictor.device),
        "threads": torch.get_num_threads(),
        "scans": len(found),
        "windows a scan": sum(map(len, windows)) / len(windows),
        "patch": model.plan.patch_size,
        "forward passes, scans/s": len(found) / limit.elapsed_s,
        "folder, scans/s": len(found) / reached.elapsed_s,
        "ratio": limit.elapsed_s / reached.elapsed_s,
        "ratio of processor seconds": limit.processor_s / reached.processor_s,
        "all rounds, s": {"forward": forward, "folder": folder},
    }


@contextmanager
def _timed(rounds: list[Seconds]) -> Iterator[None]:
    elapsed, processor = time.perf_counter(), time.process_time()
    yield
    rounds.append(Seconds(time.perf_counter() - elapsed, time.process_time() - processor))


def _windows(predictor: Predictor, scan: Volume, window: tuple[int, int, int]) -> list[Tensor]:
    image = predictor.prepare([scan]).image
    padded = torch.zeros(1, *[max(s, w) for s, w in zip(image.shape[1:], window, strict=True)])
    padded[:, : image.shape[1], : image.shape[2], : image.shape[3]] = image
    starts = product(*[window_starts(s, w) for s, w in zip(padded.shape[1:], window, strict=True)])
    d, h, w = window
    return [padded[None, :, z : z + d, y : y + h, x : x + w].contiguous() for z, y, x in starts]


def _forward_passes(model: Model, windows: Sequence[Sequence[Tensor]], device: torch.device) -> None:
    """Every window in every mirrored form through the network, and nothing else."""
    mirrored = 2 ** len(model.plan.label_schema.mirror_axes)

    def look(window: Tensor) -> None:
        with torch.inference_mode(), fast_convolutions(device):
            for _ in range(mirrored):
                with torch.autocast(device.type, torch.float16, enabled=device.type == "cuda"):
                    model.network(window.to(device), HEADS)

    for _ in Lanes(window_lanes(model.plan, device)).each(look, list(chain.from_iterable(windows))):
        pass
    if device.type == "cuda":
        torch.cuda.synchronize()


def _memory(scans: Path, device: str) -> object:
    command = [sys.executable, __file__, "--device", device, "--memory-of", str(scans)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _folder_memory(scans: Path, device: DeviceName) -> dict[str, int]:
    """What this process has after segmenting a folder; what is free is given back to the system first."""
    model = fixed_answer(sorted(scans.rglob("*.nii.gz"))[:5])
    with tempfile.TemporaryDirectory() as out:
        result = segment_folder(model, [scans], Path(out), FolderSettings(device=device), Monitor())
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)
    kept = psutil.Process().memory_info().rss >> 20
    return {"scans": len(result.rows), "peak, MiB": peak_memory_mib(), "in use afterwards, MiB": kept}


def peak_memory_mib() -> int:
    """The most memory this process ever had, in MiB."""
    facts = psutil.Process().memory_info()
    if hasattr(facts, "peak_wset"):  # Windows
        return int(facts.peak_wset) >> 20
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak >> (20 if sys.platform == "darwin" else 10)


if __name__ == "__main__":
    main()
