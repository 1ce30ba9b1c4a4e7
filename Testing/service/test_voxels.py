"""The process that works on voxels, and files that end it."""

from __future__ import annotations

import multiprocessing
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from medssl.errors import ImageError
from medssl.service.voxels import VoxelWorker
from service_engine import GRID, write_scan

_PATIENCE_S = 60.0


@pytest.mark.skipif(os.name == "nt", reason="a pipe stands for a scan that keeps its reader busy")
def test_a_good_file_that_waits_behind_one_that_kills_the_reader_is_read(tmp_path: Path) -> None:
    worker = VoxelWorker()
    trap, good = tmp_path / "trap.nrrd", write_scan(tmp_path / "good.nrrd")
    os.mkfifo(trap)
    others = set(multiprocessing.active_children())
    with ThreadPoolExecutor(2) as people:
        first = people.submit(worker.check_upload, trap)
        inside = _open_once_it_is_read(trap)
        second = people.submit(worker.check_upload, good)
        time.sleep(0.3)  # until it waits
        (reader,) = set(multiprocessing.active_children()) - others
        reader.kill()
        with pytest.raises(ImageError, match="process that read the volume ended"):
            first.result(_PATIENCE_S)
        assert second.result(_PATIENCE_S) == GRID
    os.close(inside)
    worker.close()


def _open_once_it_is_read(pipe: Path) -> int:
    give_up = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            assert time.monotonic() < give_up, "nobody reads it"
        time.sleep(0.02)
