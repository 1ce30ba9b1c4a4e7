"""Segmenting a folder, against the script that one would write with MONAI for it.

    python Testing/benchmarks/folder_against_monai.py --scans 200 --out result.json
    python Testing/benchmarks/folder_against_monai.py --data FOLDER/imagesTr --model MODEL --scans 200

Without `--data` the scans are phantoms of the size of hippocampus crops; without `--model` the network is the
one this computer would train, with random weights. Both sides use the same network with the same weights in
the same windows, and write compressed NIfTI. The script does what such scripts do: LoadImage, turn, resample
and normalise with MONAI's transforms, sliding_window_inference, the most probable class, back onto the scan's
own grid, SaveImage. It computes nothing else; a folder run also computes the uncertainty of every scan, the
volumes and a table.

Both take turns over parts of the scans (A B A B), because other programs may be running, and the ratio of the
whole times is the result, once on the clock and once in processor seconds. That both do the same work can be
seen with a trained model: the Dice coefficient of their segmentations is part of the result.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from folder_inference import fixed_answer
from medssl.events import Monitor
from medssl.imaging.labels import read_labels
from medssl.imaging.writing import write_volume
from medssl.inference.folder import segment_folder
from medssl.inference.settings import FolderSettings
from medssl.learning.device import choose_device
from medssl.learning.model import Model, load_model
from medssl.phantom import make_phantom
from monai.data import MetaTensor
from monai.inferers import sliding_window_inference
from monai.transforms import (
    Compose,
    EnsureChannelFirst,
    Invert,
    LoadImage,
    NormalizeIntensity,
    Orientation,
    SaveImage,
    ScaleIntensityRangePercentiles,
    Spacing,
)

HIPPOCAMPUS = (36, 50, 35)  # voxels z y x of a typical crop


@dataclass
class Spent:
    """What one of the two took so far."""

    scans: int = 0
    elapsed_s: float = 0.0
    processor_s: float = 0.0

    @contextmanager
    def on(self, scans: int) -> Iterator[None]:
        """Count what the block takes for so many scans."""
        elapsed, processor = time.perf_counter(), time.process_time()
        yield
        self.elapsed_s += time.perf_counter() - elapsed
        self.processor_s += time.process_time() - processor
        self.scans += scans


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scans", type=int, default=200)
    parser.add_argument("--parts", type=int, default=4, help="in how many turns each takes its scans")
    parser.add_argument(
        "--data", type=Path, help="folder with NIfTI scans of one channel, instead of phantoms"
    )
    parser.add_argument("--model", type=Path, help="folder of a trained model of one channel")
    parser.add_argument("--windows", type=int, default=4, help="windows a forward pass in the MONAI script")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--out", type=Path, help="write the result here too, as JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        scans = _phantoms(work / "scans", options.scans) if options.data is None else _listed(options)
        model = load_model(options.model) if options.model else fixed_answer(scans[: len(scans) : 10])
        result = _measure(_without_mirrors(model), scans, work, options)
    text = json.dumps(result, indent=2)
    print(text)
    if options.out is not None:
        options.out.write_text(text + "\n", encoding="utf-8")


def _without_mirrors(model: Model) -> Model:
    """The same model without the mirrored copies of every window, which the script does not look at."""
    schema = model.plan.label_schema.model_copy(update={"mirror_axes": ()})
    return replace(model, plan=model.plan.model_copy(update={"label_schema": schema}))


def _phantoms(folder: Path, count: int) -> list[Path]:
    paths = [folder / f"scan_{index:04d}.nii.gz" for index in range(count)]
    for index, path in enumerate(paths):
        write_volume(path, make_phantom(index, HIPPOCAMPUS).image)
    return paths


def _listed(options: argparse.Namespace) -> list[Path]:
    return list(islice(sorted(options.data.glob("[!.]*.nii.gz")), options.scans))


def _measure(
    model: Model, scans: Sequence[Path], work: Path, options: argparse.Namespace
) -> dict[str, object]:
    device = choose_device(options.device)
    script, ours = MonaiScript(model, work / "monai", device, options.windows), Spent()
    theirs = Spent()
    settings = FolderSettings(format="nii.gz", device=options.device)
    script.run(scans[0])  # libraries warm up; the folder run is given the same
    segment_folder(model, [scans[0]], work / "warm", settings, Monitor())
    for part in np.array_split(np.array(scans, dtype=object), options.parts):
        with theirs.on(len(part)):
            for scan in part:
                script.run(scan)
        with ours.on(len(part)):
            segment_folder(model, list(part), work / "ours", settings, Monitor())
    dice = [_dice(work, scan) for scan in scans]
    return {
        "device": str(device),
        "threads": torch.get_num_threads(),
        "scans": len(scans),
        "patch": model.plan.patch_size,
        "MONAI script": asdict(theirs),
        "MedSSL folder": asdict(ours),
        "MONAI script, scans/s": theirs.scans / theirs.elapsed_s,
        "MedSSL folder, scans/s": ours.scans / ours.elapsed_s,
        "ratio": theirs.elapsed_s / ours.elapsed_s,
        "ratio of processor seconds": theirs.processor_s / ours.processor_s,
        "Dice of one with the other": {"mean": float(np.mean(dice)), "lowest": float(np.min(dice))},
    }


class MonaiScript:
    """What one would write with MONAI for this network."""

    def __init__(self, model: Model, output: Path, device: torch.device, windows: int) -> None:
        plan = model.plan
        (normalisation,) = plan.normalisation
        # As a script would load it; ours has its weights in another order in memory.
        self.network = deepcopy(model.network).to(device, memory_format=torch.contiguous_format)
        self.device = device
        self.window = plan.patch_size
        self.windows = windows
        self.before = Compose(
            [
                LoadImage(image_only=True),
                EnsureChannelFirst(),
                Orientation(axcodes="LPS", labels=None),
                Spacing(pixdim=plan.spacing_mm[::-1], mode="bilinear"),
                ScaleIntensityRangePercentiles(normalisation.low, normalisation.high, 0, 1, clip=True),
                NormalizeIntensity(),
            ]
        )
        self.back = Invert(self.before, nearest_interp=True)
        self.save = SaveImage(
            output, output_postfix="", separate_folder=False, print_log=False, output_dtype=np.uint8
        )
        self.schema = plan.label_schema

    @torch.inference_mode()
    def run(self, scan: Path) -> None:
        """Segment one scan and save the label map."""
        image = self.before(scan)
        # The network was trained with axes z, y, x; MONAI's loader gives x, y, z.
        turned = image.as_tensor().permute(0, 3, 2, 1)[None].contiguous().to(self.device)
        logits = sliding_window_inference(
            turned, self.window, self.windows, self._logits, overlap=0.5, mode="gaussian"
        )
        classes = logits[0].argmax(dim=0, keepdim=True).permute(0, 3, 2, 1).to("cpu", torch.uint8)
        labels = MetaTensor(classes, meta=image.meta, applied_operations=image.applied_operations)
        self.save(self.back(labels))

    def _logits(self, windows: torch.Tensor) -> torch.Tensor:
        return self.network(windows, ("segmentation",))["segmentation"]


def _dice(work: Path, scan: Path) -> float:
    one, other = (read_labels(work / folder / scan.name).volume.array != 0 for folder in ("monai", "ours"))
    total = int(one.sum()) + int(other.sum())
    return 2 * int((one & other).sum()) / total if total else 1.0


if __name__ == "__main__":
    main()
