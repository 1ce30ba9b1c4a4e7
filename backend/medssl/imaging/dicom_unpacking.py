"""Unpacking the compressed frames of an enhanced file in a process of its own.

On some damaged frames the library that unpacks them ends its whole process, and with it the segmentation of a
folder: so it gets one that nothing else depends on.
"""

from __future__ import annotations

import faulthandler
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.pixels.utils import pixel_array

import medssl

_PATIENCE_S = 600.0  # then the process ends itself: it may hang, and outlive whoever waits for it


def unpack(file: Path) -> NDArray[Any]:
    """Return all frames of a file (frames, y, x), in the numbers that are stored.

    Raises:
        RuntimeError: they cannot be unpacked.
        OSError: there is no room for them on the disk, or the system starts no more processes.
    """
    with tempfile.TemporaryDirectory(prefix="medssl-frames-") as folder:
        target = Path(folder) / "frames.npy"
        ended = subprocess.run(
            [sys.executable, "-m", __name__, str(file), str(target)],
            env={**os.environ, "PYTHONPATH": _with_packages(os.environ.get("PYTHONPATH", ""))},
            # What libraries print of a header would be the patient's.
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            creationflags=_without_window(),
            check=False,
        )
        if ended.returncode != 0:
            raise RuntimeError(f"The process that unpacks frames ended with {ended.returncode}.")
        frames: NDArray[Any] = np.load(target)
        return frames


def _without_window() -> int:
    if sys.platform == "win32":
        return subprocess.CREATE_NO_WINDOW
    return 0


def _with_packages(path: str) -> str:
    own = str(Path(medssl.__file__).parents[1])  # a checkout, which only its path makes known
    return os.pathsep.join(filter(None, (own, path)))


def _main(file: str, target: str) -> None:
    with Path(os.devnull).open("w") as nothing:
        faulthandler.dump_traceback_later(_PATIENCE_S, exit=True, file=nothing)
        np.save(target, pixel_array(pydicom.dcmread(file), raw=True))
        faulthandler.cancel_dump_traceback_later()


if __name__ == "__main__":
    _main(*sys.argv[1:])
