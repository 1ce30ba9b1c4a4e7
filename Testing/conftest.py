"""What every test shares: quiet threads, repeatable examples, real scans, a browser, read-only folders."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_CAPABILITY_VERSION = 0x20080522  # _LINUX_CAPABILITY_VERSION_3
_SMALL_MB = 8
_OVERRIDES = 0b110  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: what lets root ignore permissions

# One thread a test process, set before anything imports torch: pytest-xdist keeps every core busy already,
# and what the tests start inherits it.
for _name in (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
):
    os.environ[_name] = "1"


settings.register_profile("medssl", deadline=None, derandomize=True, database=None)
settings.load_profile("medssl")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that are given the most time, so that no core waits for one of them at the end."""

    def limit_s(item: pytest.Item) -> float:
        mark = item.get_closest_marker("timeout")
        return float(mark.args[0]) if mark else 0.0

    items.sort(key=limit_s, reverse=True)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder with the real data sets, named by MEDSSL_TEST_DATA; without it the test is skipped."""
    named = os.environ.get("MEDSSL_TEST_DATA", "")
    if not named or not Path(named).is_dir():
        pytest.skip("MEDSSL_TEST_DATA names no folder with the real data sets")
    return Path(named)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium without a window; skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no chromium on this computer: install it, or set CHROMIUM to its path")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def small_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Decathlon-style folder of small made-up scans: 6 labelled cases and 2 labelled new scans."""
    from medssl.imaging.labels import write_labels
    from medssl.imaging.writing import write_volume
    from medssl.phantom import SCHEMA, make_phantom

    folder = tmp_path_factory.mktemp("small dataset")
    training, test = [], []
    for index in range(8):
        part, listed = ("Tr", training) if index < 6 else ("Ts", test)
        name = f"small_{index + 1}.nii.gz"
        phantom = make_phantom(index, (16, 24, 20))
        write_volume(folder / f"images{part}" / name, phantom.image)
        write_labels(folder / f"labels{part}" / name, phantom.labels.array, phantom.labels.grid, SCHEMA)
        listed.append(f"./images{part}/{name}")
    labels = {str(segment.value): segment.name for segment in SCHEMA.segments}
    description = {
        "name": "small",
        "modality": {"0": "MR"},
        "labels": {"0": "background", **labels},
        "training": [{"image": image, "label": image.replace("images", "labels")} for image in training],
        "test": test,
    }
    (folder / "dataset.json").write_text(json.dumps(description), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def partly_annotated_dataset(small_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, but nobody annotated the first slices of any scan: nnU-Net's 'ignore', 3, lies there."""
    from medssl.imaging.reading import read_volume
    from medssl.imaging.volume import Volume
    from medssl.imaging.writing import write_volume

    folder = shutil.copytree(small_dataset, tmp_path_factory.mktemp("partly annotated") / "small")
    for path in folder.glob("labelsT*/*"):
        labels = read_volume(path)
        values = labels.array.copy()
        values[:4] = 3
        write_volume(path, Volume(values, labels.grid))
    description = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    description["labels"]["3"] = "ignore"
    (folder / "dataset.json").write_text(json.dumps(description), encoding="utf-8")
    return folder


@pytest.fixture
def make_read_only() -> Iterator[Callable[[Path], None]]:
    """A function that takes the right to write in a folder and below away until the test ends."""
    if os.name == "nt":
        pytest.skip("Windows keeps no permission to write on folders that a test could take away")
    changed: list[tuple[Path, int]] = []

    def forbid(folder: Path) -> None:
        for path in [folder, *folder.rglob("*")]:
            changed.append((path, path.stat().st_mode))
            path.chmod(0o555 if path.is_dir() else 0o444)

    with _bound_by_permissions():
        yield forbid
        for path, mode in changed:
            if path.exists():
                path.chmod(mode)


@pytest.fixture
def make_unreadable() -> Iterator[Callable[[Path], None]]:
    """A function that takes the right to read a file or a folder away until the test ends."""
    if os.name == "nt":
        pytest.skip("Windows keeps no permission to read that a test could take away")
    changed: list[tuple[Path, int]] = []

    def forbid(path: Path) -> None:
        changed.append((path, path.stat().st_mode))
        path.chmod(0)

    with _bound_by_permissions():
        yield forbid
        for path, mode in changed:
            path.chmod(mode)


@pytest.fixture
def read_only_folder(tmp_path: Path, make_read_only: Callable[[Path], None]) -> Path:
    """A folder that may not be written."""
    folder = tmp_path / "locked"
    folder.mkdir()
    make_read_only(folder)
    return folder


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own with room for a few MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root on Linux can mount a small disk")
    command = ["mount", "-t", "tmpfs", "-o", f"size={_SMALL_MB}m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("this computer lets nobody mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def _bound_by_permissions() -> Iterator[None]:
    """Make file permissions count for root too, which containers and CI often run as."""
    if os.geteuid() != 0:
        yield
        return
    if sys.platform != "linux":
        pytest.skip("root ignores permissions here, and only Linux lets it stop doing so")
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    before = (ctypes.c_uint32 * 6)()
    if libc.capget(header, before) != 0:
        pytest.skip("the capabilities of this process cannot be read")
    less = (ctypes.c_uint32 * 6)(*before)
    less[0] &= ~_OVERRIDES  # the effective set only, so that it can be taken back
    if libc.capset(header, less) != 0:
        pytest.skip("the capabilities of this process cannot be changed")
    try:
        yield
    finally:
        libc.capset(header, before)
