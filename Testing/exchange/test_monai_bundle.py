"""The bundle with MONAI alone: it finds what MedSSL finds, in a process that has no MedSSL."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from medssl.exchange import bundle_parts
from medssl.exchange.models import Statement, export_model
from medssl.exchange.standalone import standalone_source
from medssl.imaging.labels import read_labels
from medssl.imaging.multichannel import read_channels
from medssl.imaging.reading import read_volume
from medssl.imaging.volume import Volume
from medssl.imaging.writing import write_volume
from medssl.inference.predictor import Predictor
from medssl.learning.model import load_model
from medssl.phantom import make_phantom

# Stands for a computer without MedSSL: an import of it fails. Each bundle runs with the scripts of its own.
_ALONE = """
import os, sys
sys.modules["medssl"] = None
sys.path.insert(0, "")
from monai.bundle import run, verify_net_in_out
files = {"config_file": "configs/inference.json", "meta_file": "configs/metadata.json"}
for folder in sys.argv[1:]:
    os.chdir(os.path.join(folder, "bundle"))
    verify_net_in_out("network_def", device="cpu", **files)
    scans, found = (os.path.join(folder, name) for name in ("scans", "found"))
    run(**files, workflow_type="infer", dataset_dir=scans, output_dir=found)
    scripts = [name for name in sys.modules if name.partition(".")[0] == "scripts"]
    assert scripts
    for name in scripts:
        assert sys.modules.pop(name).__file__.startswith(os.getcwd())
"""


@pytest.fixture(scope="module")
def bundle(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("kidney") / "bundle"
    export_model(model_folder, path, "monai", Statement())
    return path


@pytest.fixture(scope="module")
def two_channel_bundle(two_channel_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("two channels") / "bundle"
    export_model(two_channel_folder, path, "monai", Statement())
    return path


@pytest.fixture(scope="module")
def segmented(bundle: Path, two_channel_bundle: Path) -> None:
    """Scans beside both bundles, and what these found: one process for both, which takes long to start."""
    for needed in ("ignite", "nibabel"):
        pytest.importorskip(needed, reason=f"the bundle's workflow needs {needed}")
    # Anisotropic, oblique, coarser and finer than the plan.
    for seed, size in ((1, (22, 40, 30)), (3, (30, 26, 44))):
        write_volume(bundle.parent / "scans" / f"scan{seed}.nii.gz", make_phantom(seed, size).image)
    first, second = (make_phantom(seed, (22, 40, 30)).image for seed in (1, 4))
    for number, channel in enumerate((first.array, second.array)):
        path = two_channel_bundle.parent / "scans" / f"a_{number:04d}.nii.gz"
        write_volume(path, Volume(channel, first.grid))
    folders = [str(bundle.parent), str(two_channel_bundle.parent)]
    command = [sys.executable, "-W", "ignore", "-c", _ALONE, *folders]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr[-3000:]


@pytest.mark.usefixtures("segmented")
def test_it_finds_what_medssl_finds_on_the_scans_own_grid(bundle: Path, model_folder: Path) -> None:
    predictor = Predictor(load_model(model_folder))
    for path in sorted((bundle.parent / "scans").iterdir()):
        scan = read_volume(path)
        expected = predictor.predict([scan]).values
        found = read_labels(bundle.parent / "found" / path.name.replace(".nii", "_seg.nii")).volume
        assert found.grid.agrees_with(scan.grid)
        assert set(np.unique(expected)) == {0, 2, 4}
        assert (found.array != expected).mean() < 0.0005


@pytest.mark.usefixtures("segmented")
def test_several_channels_are_files_with_numbers(two_channel_bundle: Path, two_channel_folder: Path) -> None:
    (path,) = (two_channel_bundle.parent / "found").iterdir()
    scans = read_channels(sorted((two_channel_bundle.parent / "scans").iterdir()), 2)
    expected = Predictor(load_model(two_channel_folder)).predict(scans).values
    found = read_labels(path).volume
    assert found.grid.agrees_with(scans[0].grid)
    assert len(np.unique(expected)) > 1
    assert (found.array != expected).mean() < 0.0005


def test_it_has_what_monai_label_looks_for(bundle: Path) -> None:
    metadata = json.loads((bundle / "configs" / "metadata.json").read_text())
    inference = json.loads((bundle / "configs" / "inference.json").read_text())
    channels = metadata["network_data_format"]["outputs"]["pred"]["channel_def"]
    # The app names the values of the label map after these numbers; they are not those of the classes here.
    assert channels == {"0": "background", "4": "Kidney", "2": "Renal pelvis"}
    assert metadata["network_data_format"]["inputs"]["image"]["spatial_shape"] == [16, 24, 24]
    assert {"device", "network_def", "preprocessing", "inferer", "postprocessing"} <= inference.keys()
    assert (bundle / "models" / "model.pt").is_file()
    steps = [step["_target_"] for step in inference["postprocessing"]["transforms"]]
    # MONAI Label saves by itself, and leaves Invertd out: ours must not depend on it.
    assert steps == ["scripts.parts.OntoScan", "SaveImaged"]


def test_its_scripts_name_nothing_of_medssl(bundle: Path) -> None:
    for path in (bundle / "scripts").glob("*.py"):
        assert "import medssl" not in path.read_text()
        assert "from medssl" not in path.read_text()
    source = standalone_source(bundle_parts, {"medssl.learning.network": "network"})
    assert "from .network import Network" in source
    assert len(source.splitlines()) == len(Path(bundle_parts.__file__).read_text().splitlines())


def test_weights_are_numbers_and_no_code(bundle: Path) -> None:
    import torch

    state = torch.load(bundle / "models" / "model.pt", weights_only=True)
    assert all(isinstance(tensor, torch.Tensor) for tensor in state.values())
    assert not any(name.startswith("heads.level_set") for name in state)
    assert np.isfinite([float(tensor.float().sum()) for tensor in state.values()]).all()
