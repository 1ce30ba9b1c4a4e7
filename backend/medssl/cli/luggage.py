"""What a job of an engine elsewhere takes along and brings back: scans to it, results from it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from pydantic import BaseModel

from medssl.cli.workplace import THERE, is_there
from medssl.client import Client, EngineError
from medssl.errors import DataError, UsageError
from medssl.events import Monitor
from medssl.imaging.scans import Scan, find_scans
from medssl.imaging.writing import write_volume
from medssl.jobs import JobResult, Request
from medssl.jobs.results import RESULT

_WRITTEN = "output"  # the field of every request that names where results go; all other paths are read
_SCANS = "inputs"  # the field with scans, of which folders hold many


class Luggage:
    """Sends what a request names on this computer, and fetches what the job made.

    Paths of a request that begin with `engine:` are those of the engine's computer and stay there. Leaving
    the block removes from the engine's computer what was only there for the journey.
    """

    def __init__(self, client: Client, there: Callable[[Path], str]) -> None:
        """Travel with a client.

        Args:
            client: of the engine.
            there: turns a path that begins with `engine:` into one of the engine's computer.
        """
        self._client = client
        self._there = there
        self._uploads: list[str] = []
        self._target: tuple[str, Path] | None = None  # of the results: there, and here

    def __enter__(self) -> Luggage:
        """Begin the journey."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove what was sent; the engine would keep it for a day."""
        for upload in self._uploads:
            self._client.remove_upload(upload)

    def pack(self, request: Request, monitor: Monitor) -> dict[str, Any]:
        """Return a request as JSON with paths of the engine's computer, and send what they name.

        Raises:
            UsageError: a folder of this computer that cannot be sent; results would be mixed with others.
            DataError: there is nothing to send.
        """
        packed: dict[str, Any] = self._packed(request, monitor)
        return packed

    def unpack(self, job: JobResult, monitor: Monitor) -> JobResult:
        """Fetch the results, and return them with paths of this computer."""
        if self._target is None:
            return job
        there, here = self._target
        files = list(self._files(there))
        for number, file in enumerate(files, start=1):
            monitor.check()
            target = here / file.removeprefix(there).lstrip("/\\")
            target.parent.mkdir(parents=True, exist_ok=True)
            self._client.download(file, target)
            monitor.progress("fetch results", number, len(files))
        result = RESULT.validate_python(_moved(job.result.model_dump(mode="json"), there, str(here)))
        return job.model_copy(update={"result": result})

    def _packed(self, model: BaseModel, monitor: Monitor) -> dict[str, Any]:
        packed = model.model_dump(mode="json")
        for name in type(model).model_fields:
            value = getattr(model, name)
            if isinstance(value, BaseModel):
                packed[name] = self._packed(value, monitor)
            elif isinstance(value, Path):
                packed[name] = self._results(value) if name == _WRITTEN else self._one(value)
            elif name == _SCANS:
                packed[name] = [path for each in value for path in self._scans(each, monitor)]
        return packed

    def _one(self, path: Path) -> str:
        if is_there(path):
            return self._there(path)
        if path.is_dir():
            raise UsageError(
                f"{path} is a folder of this computer, which the engine cannot see.",
                f"Copy it to the engine's computer and name it there: {THERE}/its/path.",
            )
        return self._upload(path)

    def _results(self, path: Path) -> str:
        """Say where the engine puts results that belong into a folder of this computer."""
        if is_there(path):
            return self._there(path)
        if path.exists() and (path.is_file() or any(path.iterdir())):
            raise UsageError(
                f"{path} exists already, and results from elsewhere replace nothing.",
                "Name a folder that is new or empty.",
            )
        made = self._client.make_folder()
        self._uploads.append(made.id)
        there = f"{made.path}/{path.name}"
        self._target = (there, path)
        return there

    def _scans(self, path: Path, monitor: Monitor) -> Iterator[str]:
        if is_there(path):
            yield self._there(path)
            return
        scans = find_scans(path, names="neutral")
        if not scans:
            raise DataError(f"No scan was found in {path}.", "Give NIfTI, NRRD, MHA or DICOM scans.")
        for number, scan in enumerate(scans, start=1):
            monitor.check()
            yield self._scan(scan)
            monitor.progress("send scans", number, len(scans))

    def _scan(self, scan: Scan) -> str:
        if scan.series is None:
            return self._upload(scan.source)
        with tempfile.TemporaryDirectory() as folder:
            whole = Path(folder) / f"{scan.relative.name}.nrrd"
            write_volume(whole, scan.read())
            return self._upload(whole)

    def _upload(self, path: Path) -> str:
        upload = self._client.upload(path)
        self._uploads.append(upload.id)
        return upload.path

    def _files(self, path: str) -> Iterator[str]:
        """Every file that a job left at a path of the engine's computer, however deep."""
        try:
            found = self._client.folder(path)
        except EngineError as error:
            if error.code != "not_found":
                raise
            yield path
            return
        for entry in found.entries:
            if entry.is_folder:
                yield from self._files(entry.path)
            else:
                yield entry.path


def _moved(value: Any, there: str, here: str) -> Any:
    """A result whose paths below one folder are below another."""
    if isinstance(value, str):
        return here + value[len(there) :] if value == there or value.startswith(f"{there}/") else value
    if isinstance(value, dict):
        return {name: _moved(each, there, here) for name, each in value.items()}
    if isinstance(value, list):
        return [_moved(each, there, here) for each in value]
    return value
