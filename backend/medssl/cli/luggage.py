"""What a job of an engine elsewhere takes along and brings back: scans to it, results from it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any

from pydantic import BaseModel

from medssl.access import is_file, is_folder
from medssl.cli import journeys
from medssl.cli.journeys import Journey
from medssl.cli.workplace import THERE, is_there
from medssl.client import Client, EngineError, ResultFolder, fetch, name_there
from medssl.errors import DataError, MedSSLError, UsageError
from medssl.events import Monitor, Row
from medssl.imaging.formats import SeriesNames, stem_of, suffix_of
from medssl.imaging.scans import Scan
from medssl.imaging.single_file import as_one_file
from medssl.imaging.writing import write_volume
from medssl.inference.inputs import find_inputs
from medssl.jobs import EvaluateRequest, EvaluateResult, JobResult, PredictRequest, PredictResult, Request
from medssl.jobs.results import RESULT
from medssl.words import none_of

_WRITTEN = "output"  # the field of every request that names where results go; all other paths are read
_SCANS = ("inputs", "scans")  # the fields with scans, of which folders hold many
_LABELS = ("predictions", "references")  # those with folders of segmentations
_SEGMENTATIONS = "segmentations"  # a folder of them there that has no name
_REFUSED = ("image", "grid", "usage", "too_large")  # what an engine says of one bad file


class Luggage:
    """Sends what a request names on this computer, and fetches what the job made.

    Paths of a request that begin with `engine:` are those of the engine's computer and stay there. Leaving
    the block removes from the engine's computer what was only there for the journey, unless the job can
    still be gone on with: `medssl job resume` then finishes the journey.
    """

    def __init__(
        self, client: Client, there: Callable[[Path], str], job_id: str = "", journey: Journey | None = None
    ) -> None:
        """Travel with a client.

        Args:
            client: of the engine.
            there: turns a path that begins with `engine:` into one of the engine's computer.
            job_id: of a job that is already on its journey.
            journey: that journey.
        """
        self._client = client
        self._there = there
        self._job_id = job_id
        self._journey = journey or Journey()
        self._beside: dict[Path, tuple[ResultFolder, set[str]]] = {}  # and the names of the files in it

    def __enter__(self) -> Luggage:
        """Begin the journey, or go on with it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove what was sent; the engine would keep it for a day."""
        if self._job_id and error is not None:
            return
        for upload in self._journey.uploads:
            with suppress(EngineError):  # it goes by itself
                self._client.remove_upload(upload)
        if self._job_id:
            journeys.forget(self._job_id)

    def travels_with(self, job_id: str) -> None:
        """Say which job it was packed for."""
        self._job_id = job_id
        if self._journey.uploads:
            journeys.keep(job_id, self._journey)

    def at_home(self, text: str) -> str:
        """A text of the engine with the names that its paths have on this computer."""
        return self._journey.at_home(text)

    def pack(self, request: Request, monitor: Monitor) -> dict[str, Any]:
        """Return a request as JSON with paths of the engine's computer, and send what they name.

        Raises:
            UsageError: a folder of this computer that cannot be sent; results would be mixed with others.
            DataError: there is nothing to send.
        """
        names: SeriesNames = "neutral"
        recursive = True
        if isinstance(request, PredictRequest):
            names, recursive = request.names, request.recursive

        def scans(path: Path) -> str:
            # Without a scan that cannot be sent, an evaluation lacks a picture and nothing else.
            return self._scans(path, recursive, names, isinstance(request, EvaluateRequest), monitor)

        packed: dict[str, Any] = self._packed(request, scans, monitor)
        return packed

    def unpack(self, job: JobResult, monitor: Monitor) -> JobResult:
        """Fetch the results, and return them with paths of this computer."""
        there, result = self._journey.there, job.result
        came_late = monitor.cancelled  # the wish to stop a job that had done its work by then
        if there:

            def tell(done: int, total: int) -> None:
                if not came_late:
                    monitor.check()
                monitor.progress("fetch results", done, total)

            arrived = fetch(self._client, there, self._journey.here, journeys.arrivals(self._job_id), tell)
            self._journey.here = arrived.here
            for path in arrived.left:
                monitor.log(f"{path} was left as it is: it is not as it was fetched before.", "warning")
            result = RESULT.validate_python(_moved(result.model_dump(mode="json"), there, str(arrived.here)))
        if isinstance(result, PredictResult | EvaluateResult):
            told = {name: self.at_home(reason) for name, reason in result.failed.items()}
            result = result.model_copy(update={"failed": {**self._journey.left, **told}})
        return job.model_copy(update={"result": result})

    def _packed(self, model: BaseModel, scans: Callable[[Path], str], monitor: Monitor) -> dict[str, Any]:
        packed = model.model_dump(mode="json")
        for name in type(model).model_fields:
            value = getattr(model, name)
            if isinstance(value, BaseModel):
                packed[name] = self._packed(value, scans, monitor)
            elif isinstance(value, Path) and name in _SCANS:
                packed[name] = scans(value)
            elif isinstance(value, Path):
                packed[name] = self._results(value) if name == _WRITTEN else self._one(value, name, monitor)
            elif name in _SCANS and isinstance(value, tuple):
                packed[name] = [scans(each) for each in value]
        return packed

    def _one(self, path: Path, name: str, monitor: Monitor) -> str:
        if is_there(path):
            return self._there(path)
        at_folder = is_folder(path, UsageError)
        if at_folder and name in _LABELS:
            return self._labels(path, name, monitor)
        if at_folder:
            raise UsageError(
                f"{path} is a folder of this computer, which the engine cannot see.",
                f"Copy it to the engine's computer and name it there: {THERE}/its/path.",
            )
        with as_one_file(path) as whole:
            return self._upload(whole, known_as=path)

    def _labels(self, path: Path, name: str, monitor: Monitor) -> str:
        """Send the segmentations of a folder, but for those that another folder has no counterpart for."""
        files = sorted(file for file in path.rglob("*") if _is_volume(file, path))
        if not files:
            raise DataError(f"No segmentation was found in {path}.", "Give NIfTI, NRRD or MHA files.")
        parcel, refused = self._folder(), dict[str, str]()
        for number, file in enumerate(files, start=1):
            monitor.check()
            case = file.relative_to(path).with_name(stem_of(file)).as_posix()
            if case not in self._journey.left:
                sent = partial(self._label, path, file, parcel)
                self._try(sent, case, str(file), refused, monitor)
            monitor.progress(f"send {name}", number, len(files))
        self._journey.left |= _some_of(refused, len(files), "segmentation")
        return f"{parcel.path}/{name_there(path, _SEGMENTATIONS)}"

    def _label(self, folder: Path, file: Path, parcel: ResultFolder) -> str:
        place = PurePosixPath(name_there(folder, _SEGMENTATIONS), *file.relative_to(folder).parts)
        with as_one_file(file) as whole:
            return self._upload(whole, parcel, place.with_name(whole.name).as_posix(), file)

    def _try(
        self, send: Callable[[], str], name: str, source: str, refused: dict[str, str], monitor: Monitor
    ) -> str:
        """Send one file of many; returns its path there, nothing of a bad one, which is told of."""
        try:
            return send()
        except MedSSLError as error:
            refused[name] = str(error)
        except EngineError as error:
            if error.code not in _REFUSED:
                raise
            refused[name] = str(error)
        monitor.emit(Row(name=name, state="failed", source=source, note=refused[name]))
        monitor.log(refused[name], "warning")
        return ""

    def _results(self, path: Path) -> str:
        """Say where the engine puts results that belong into a folder of this computer."""
        if is_there(path):
            return self._there(path)
        if is_file(path, UsageError) or (is_folder(path, UsageError) and any(path.iterdir())):
            raise UsageError(
                f"{path} exists already, and results from elsewhere replace nothing.",
                "Name a folder that is new or empty.",
            )
        self._journey.there = f"{self._folder().path}/{name_there(path, 'results')}"
        self._journey.here = path
        return self._journey.there

    def _scans(
        self, path: Path, recursive: bool, names: SeriesNames, only_shown: bool, monitor: Monitor
    ) -> str:
        """Send the scans of a folder, each to the same place in a folder of the engine's computer."""
        if is_there(path):
            return self._there(path)
        found = find_inputs(path, None, recursive, names, lambda done, total: monitor.check())
        scans = [scan for scan in found if scan.unfit is None]
        if not scans:
            raise DataError(f"No scan was found in {path}.", "Give NIfTI, NRRD, MHA or DICOM scans.")
        parcel, refused = self._parcel(path), dict[str, str]()
        top = PurePosixPath(name_there(path, "scans")) if path.is_dir() else PurePosixPath()
        sent = ""
        for number, scan in enumerate(scans, start=1):
            monitor.check()
            source = "" if scan.series is not None else str(scan.source)
            sent = self._try(partial(self._scan, scan, parcel, top), scan.name, source, refused, monitor)
            monitor.progress("send scans", number, len(scans))
        refused = _some_of(refused, len(scans), "scan")
        if not only_shown:
            self._journey.left |= refused
        return f"{parcel.path}/{top}" if path.is_dir() else sent

    def _scan(self, scan: Scan, parcel: ResultFolder, top: PurePosixPath) -> str:
        scan.check()
        place = (top / PurePosixPath(*scan.relative.parts)).as_posix()
        if scan.series is None and suffix_of(scan.source) is not None:
            with as_one_file(scan.source) as whole:
                return self._upload(whole, parcel, f"{place}{suffix_of(whole) or ''}", scan.source)
        with tempfile.TemporaryDirectory() as folder:
            written = Path(folder, "scan.nrrd")
            write_volume(written, scan.read())
            return self._upload(written, parcel, f"{place}.nrrd", scan.source)

    def _parcel(self, path: Path) -> ResultFolder:
        """Give a path its folder there; files that lie beside each other share one, as channels do."""
        if is_folder(path, UsageError) or suffix_of(path) is None:
            return self._folder()
        parcel, names = self._beside.get(path.parent, (None, set[str]()))
        name = stem_of(path).casefold()
        if parcel is None or name in names:
            parcel, names = self._folder(), set()
            self._beside[path.parent] = parcel, names
        names.add(name)
        return parcel

    def _folder(self) -> ResultFolder:
        made = self._client.make_folder()
        self._journey.uploads.append(made.id)
        return made

    def _upload(
        self,
        path: Path,
        parcel: ResultFolder | None = None,
        place: str | None = None,
        known_as: Path | None = None,
    ) -> str:
        known_as = known_as or path
        try:
            upload = self._client.upload(path, folder=parcel, place=place)
        except EngineError as error:
            # The person knows the file by its name here.
            message = error.message.replace(place or path.name, str(known_as))
            raise EngineError(error.code, message, error.remedy, error.status) from error
        if parcel is None:
            self._journey.uploads.append(upload.id)
        self._journey.names[upload.path] = str(known_as)
        return upload.path


def _is_volume(file: Path, top: Path) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(top).parts)
    return suffix_of(file) is not None and not hidden and file.is_file()


def _some_of(refused: dict[str, str], total: int, what: str) -> dict[str, str]:
    """What was refused, when that is not everything."""
    if len(refused) == total:
        first = next(iter(refused.values()))
        raise DataError(f"{none_of(total, what)} could be sent. The first: {first}")
    return refused


def _moved(value: Any, there: str, here: str) -> Any:
    """A result whose paths below one folder are below another."""
    if isinstance(value, str):
        plain = value.replace("\\", "/")  # of an engine on Windows
        there = there.replace("\\", "/")
        return here + plain[len(there) :] if plain == there or plain.startswith(f"{there}/") else value
    if isinstance(value, dict):
        return {name: _moved(each, there, here) for name, each in value.items()}
    if isinstance(value, list):
        return [_moved(each, there, here) for each in value]
    return value
