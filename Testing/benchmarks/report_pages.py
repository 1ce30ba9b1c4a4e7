"""How long the report of many scans takes, and how large it is.

    python Testing/benchmarks/report_pages.py --scans 1000

Scans are phantoms of the size of hippocampus crops (or of `--size`), with their true segmentations. Each is
read from its files, drawn in three planes, at one slice more and as slices to leaf through, and all are
written into one page with its data beside it: what `medssl predict` does when it has segmented the last scan.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

from folder_against_monai import HIPPOCAMPUS
from folder_inference import peak_memory_mib
from medssl.imaging.labels import read_labels, write_labels
from medssl.imaging.reading import read_volume
from medssl.imaging.writing import write_volume
from medssl.phantom import SCHEMA, make_phantom
from medssl.reports.data import write_data
from medssl.reports.model import Report, ReportRow
from medssl.reports.page import write_report
from medssl.reports.previews import make_previews
from medssl.reports.scene import Scene
from medssl.reports.stacks import make_stack, share_of

DIFFERENT = 40  # phantoms, of which the scans are copies


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scans", type=int, default=1000)
    parser.add_argument("--size", type=int, nargs=3, default=HIPPOCAMPUS, help="voxels z y x")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for index in range(DIFFERENT):
            phantom = make_phantom(index, tuple(options.size))
            write_volume(folder / f"{index}.nii.gz", phantom.image)
            write_labels(folder / f"{index}.seg.nrrd", phantom.labels.array, phantom.labels.grid, SCHEMA)
        before, elapsed, processor = peak_memory_mib(), time.perf_counter(), time.process_time()
        rows = tuple(_row(folder, index, options.scans) for index in range(options.scans))
        report = Report("Benchmark", datetime.now(timezone.utc), SCHEMA.segments, rows)
        write_report(folder / "report.html", report)
        write_data(folder / "report.json", report)
        result = {
            "scans": options.scans,
            "elapsed, s": time.perf_counter() - elapsed,
            "processor, s": time.process_time() - processor,
            "page, MB": (folder / "report.html").stat().st_size / 1e6,
            "data, MB": (folder / "report.json").stat().st_size / 1e6,
            "memory more, MiB": peak_memory_mib() - before,
        }
    print(json.dumps(result, indent=2))


def _row(folder: Path, index: int, scans: int) -> ReportRow:
    image = read_volume(folder / f"{index % DIFFERENT}.nii.gz")
    values = read_labels(folder / f"{index % DIFFERENT}.seg.nrrd").volume.array
    scene = Scene.of(image, values)
    middle = image.array.shape[0] // 2
    volumes = [float((values == value).sum()) * image.grid.voxel_ml for value in SCHEMA.values]
    return ReportRow(
        name=f"scan {index}",
        volumes_ml=tuple(volumes),
        uncertainty=index / scans,
        previews=make_previews(scene, SCHEMA.segments, middle),
        stack=make_stack(scene, SCHEMA.segments, middle, share_of(scans)),
    )


if __name__ == "__main__":
    main()
