"""What tests of the Slicer modules share: the stand-in for the application, a clean scene for each test."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
for folder in (ROOT / "Testing", ROOT / "MedSSLSegment", ROOT / "MedSSLPretrain"):
    sys.path.insert(0, str(folder))

import slicer_runtime  # noqa: E402 - found through the line above
from slicer_runtime.property_style import use_properties  # noqa: E402 - found through the line above


def pytest_pycollect_makemodule(module_path: Path) -> None:
    """Tests see Qt objects as the modules do: properties are attributes."""
    if module_path.parent == Path(__file__).parent:
        slicer_runtime.start()
        use_properties(module_path.stem)


@pytest.fixture(scope="session")
def application() -> slicer_runtime.Runtime:
    """The running stand-in."""
    return slicer_runtime.start()


@pytest.fixture
def runtime(application: slicer_runtime.Runtime) -> Iterator[slicer_runtime.Runtime]:
    """The running stand-in with an empty scene and no module open."""
    application.clear()
    yield application
    application.clear()


@pytest.fixture
def wait_until(application: slicer_runtime.Runtime) -> Callable[..., None]:
    """Let Qt work until something holds: `wait_until(lambda: label.text == 'Ready')`."""

    def wait(holds: Callable[[], object], at_most_s: float = 20.0) -> None:
        end = time.monotonic() + at_most_s
        while not holds():
            if time.monotonic() > end:
                pytest.fail(f"What was waited for did not come within {at_most_s} s.")
            application.application.processEvents()
            time.sleep(0.002)

    return wait
