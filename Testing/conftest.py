"""What every test shares: quiet threads, repeatable examples, and the folder of real scans."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# One thread a test process, set before anything imports torch: pytest-xdist keeps every core busy already, and
# what the tests start inherits it.
for _name in (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
):
    os.environ[_name] = "1"

settings.register_profile("medssl", deadline=None, derandomize=True, database=None)
settings.load_profile("medssl")


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder with the real data sets, named by MEDSSL_TEST_DATA; without it the test is skipped."""
    named = os.environ.get("MEDSSL_TEST_DATA", "")
    if not named or not Path(named).is_dir():
        pytest.skip("MEDSSL_TEST_DATA names no folder with the real data sets")
    return Path(named)
