"""Prepared tensors on disk, so that the second training on the same scans begins at once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from medssl.errors import StorageError
from medssl.events import Monitor
from medssl.storage import write_bytes

_TENSOR, _KEY = "prepared", "key"


class TensorCache:
    """A folder with one tensor a file, each with the key of what it was made from.

    Everything in it can be made again: an entry that is damaged, or made from something else, is made anew
    in its place, so that the folder holds at most one entry a name. A folder that cannot be written is said
    once, and the work goes on without it.
    """

    def __init__(self, folder: Path, monitor: Monitor) -> None:
        """Use `folder`, which need not exist, and tell `monitor` when it cannot be written."""
        self._folder = folder
        self._monitor = monitor
        self._writable = True

    def get(self, name: str, key: str, make: Callable[[], Tensor]) -> Tensor:
        """Return the tensor `name`, from disk when it was made from `key` before, otherwise from `make`.

        Args:
            name: of the entry, fit for a file's name.
            key: what the tensor depends on; see `key_of`.
            make: makes the tensor; it is returned exactly as it will be read from disk later.
        """
        path = self._folder / f"{name}.safetensors"
        found = _read(path, key)
        if found is None:
            found = make().cpu().contiguous()
            self._write(path, key, found)
        return found

    def _write(self, path: Path, key: str, tensor: Tensor) -> None:
        if not self._writable:
            return
        try:
            write_bytes(path, save({_TENSOR: tensor}, {_KEY: key}))
        except StorageError as error:
            self._writable = False
            self._monitor.log(
                f"Prepared scans are not kept for the next training: {error.what} {error.remedy}", "warning"
            )


def key_of(text: str, files: Iterable[Path]) -> str:
    """Sum up what a tensor depends on: a text, and files by path, size and time of change.

    A folder stands for the files in it.
    """
    parts = [text]
    for path in files:
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            status = file.stat()
            parts.append(f"{file} {status.st_size} {status.st_mtime_ns}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _read(path: Path, key: str) -> Tensor | None:
    try:
        with safe_open(path, framework="pt") as file:
            if (file.metadata() or {}).get(_KEY) != key:
                return None
            # A copy of its own: the tensor would otherwise be a window on the file, which may be replaced.
            tensor: Tensor = file.get_tensor(_TENSOR).clone()
            return tensor
    except (OSError, SafetensorError):
        return None
