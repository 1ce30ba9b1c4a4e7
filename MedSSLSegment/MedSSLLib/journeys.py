"""Jobs with files of this computer: by their paths where the engine sees them, else sent and fetched back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from slicer.i18n import tr as _

from MedSSLLib import backend, folder_jobs
from MedSSLLib.engine_files import EngineFiles, take_back
from MedSSLLib.folder_scans import FolderScan, find_scans
from MedSSLLib.jobs_track import Track
from MedSSLLib.problems import Problem
from MedSSLLib.signals import Signal
from MedSSLLib.voxel_files import stem_of

if TYPE_CHECKING:
    from medssl.client import Client, Job, Project, ResultFolder

    from MedSSLLib.session import Session

_SETTING = "journeys"
_NOT_FOUND = "not_found"  # the engine's code for a path at which nothing is
_REFUSED = ("image", "grid", "usage", "too_large")  # its codes for one bad file
_KEPT = 20  # of the newest, for whoever opens a result of last week


@dataclass(frozen=True)
class Errand:
    """A job that reads or writes files of this computer.

    Attributes:
        request: of the job, without the paths.
        reads: the request's field for what is read; '' when nothing is.
        source: the file that is read, or the folder of scans; '' for none.
        recursive: whether scans are looked for in folders inside the folder too.
        target: the file or the folder that is written; '' for none.
    """

    request: Mapping[str, Any]
    reads: str = ""
    source: str = ""
    recursive: bool = True
    target: str = ""

    def here(self) -> Mapping[str, Any]:
        """The whole request, for an engine that sees this computer's disk."""
        return self._with_paths(self.source, self.target)

    def there(self, source: str, target: str) -> Mapping[str, Any]:
        """The whole request with paths of the engine's computer."""
        request = self._with_paths(source, target)
        if self.request["kind"] == "predict":
            # What was sent is what was chosen, and lies in folders that have the names of its results.
            return {**request, "names": "folders", "recursive": True}
        return request

    def _with_paths(self, source: str, target: str) -> Mapping[str, Any]:
        read = {self.reads: [source] if self.reads == "inputs" else source} if self.reads else {}
        return {**self.request, **read, **({"output": target} if self.target else {})}


@dataclass(frozen=True)
class Journey:
    """What a job on another computer got from this one, and where its results belong.

    Attributes:
        job: its id.
        there: path of the results on the engine's computer; '' when none come back.
        here: where they belong on this one.
        sent: ids of what is removed there afterwards.
        sources: the paths here of the scans of a folder, by the names of their rows.
        left: why scans of the folder were not sent, by their names.
        arrived: whether the results are here.
    """

    job: str
    there: str
    here: str
    sent: tuple[str, ...]
    sources: Mapping[str, str] = field(default_factory=dict)
    left: Mapping[str, str] = field(default_factory=dict)
    arrived: bool = False


class Journeys:
    """Starts such jobs, and brings their results home, even when Slicer was closed in between.

    Attributes:
        arrived: (Journey, Track) a job came to its end, and what it made is on this computer.
    """

    def __init__(self, session: Session) -> None:
        self.arrived = Signal()
        self._session = session
        self._known = _remembered(session)
        self._fetched: set[tuple[str, Optional[str]]] = set()  # job and when it ended
        session.jobs.listed.connect(self._look)
        session.jobs.ended.connect(lambda track: self._look())

    def of(self, job: str) -> Optional[Journey]:
        """What is known of a job's journey; None for a job that made none."""
        return self._known.get(job)

    def submit(
        self,
        errand: Errand,
        begun: Callable[[Track], Any],
        failed: Optional[Callable[[Exception], Any]] = None,
    ) -> None:
        """Start a job; `begun` gets it once the engine has taken it, `failed` what kept it from that."""
        session, project = self._session, self._session.project
        refused = failed or session.report
        if project is None:
            return
        if session.files.shares_disk:
            paths = [path for path in (errand.source, errand.target) if path]
            folder_jobs.submit(session, errand.here(), paths, begun, refused)
            return

        def take(found: tuple[Job, Journey]) -> None:
            job, journey = found
            self._remember(journey)
            session.jobs.add(job, begun)

        files = session.files
        session.ask(lambda client: _depart(client, files, project, errand), take, refused)

    def _look(self) -> None:
        """Fetch the results of jobs that are over; of one that may be resumed, those that it has so far."""
        for journey in tuple(self._known.values()):
            track = self._session.jobs.track(journey.job)
            if journey.arrived or track is None or not track.over or track.job.ended is None:
                continue
            moment = (journey.job, track.job.ended)
            if moment not in self._fetched:
                self._fetched.add(moment)
                self._fetch(journey, track)

    def _fetch(self, journey: Journey, track: Track) -> None:
        finished = track.state == "finished"

        def fetch(client: Client) -> None:
            if journey.there:
                try:
                    _bring_home(client, journey.there, Path(journey.here))
                except backend.client_package().EngineError as error:
                    if finished or error.code != _NOT_FOUND:  # a job that failed may have written nothing
                        raise
            if finished:
                _remove(client, journey.sent)

        def fetched(_none: None) -> None:
            now = replace(journey, arrived=finished)
            self._remember(now)
            self.arrived.emit(now, track)

        self._session.ask(fetch, fetched)

    def _remember(self, journey: Journey) -> None:
        self._known.pop(journey.job, None)
        self._known[journey.job] = journey
        for job in tuple(self._known)[:-_KEPT]:
            del self._known[job]
        self._session.settings.remember(_SETTING, [asdict(each) for each in self._known.values()])


def _remembered(session: Session) -> dict[str, Journey]:
    nothing: list[dict[str, Any]] = []
    found: dict[str, Journey] = {}
    for each in session.settings.value(_SETTING, nothing):
        with suppress(KeyError, TypeError):  # another version wrote it
            found[each["job"]] = Journey(**{**each, "sent": tuple(each["sent"])})
    return found


def _depart(client: Client, files: EngineFiles, project: Project, errand: Errand) -> tuple[Job, Journey]:
    """Send what a job reads, and start it; nothing stays there when it does not start."""
    _check_target(errand)
    source, sent = Path(errand.source), list[str]()
    sources, left = dict[str, str](), dict[str, str]()
    with ExitStack() as undo:
        undo.callback(_remove, client, sent)
        given = there = ""
        if source.is_dir() and errand.source:
            parcel = client.make_folder()
            sent.append(parcel.id)
            given = _send_folder(client, files, parcel, errand, sources, left)
        elif errand.source:
            upload = client.upload(source)
            sent.append(upload.id)
            given = upload.path
        if errand.target:
            made = client.make_folder()
            sent.append(made.id)
            there = f"{made.path}/{Path(errand.target).name}"
        job = client.submit(project.key, errand.there(given, there))
        undo.pop_all()
    return job, Journey(job.id, there, errand.target, tuple(sent), sources, left)


def _send_folder(
    client: Client,
    files: EngineFiles,
    parcel: ResultFolder,
    errand: Errand,
    sources: dict[str, str],
    left: dict[str, str],
) -> str:
    """Send the scans of a folder, each to its own place in a folder there; one bad file stops no other.

    Args:
        client: of the engine.
        files: the way to it.
        parcel: the folder there.
        errand: says which folder of this computer.
        sources: gets the path of each scan that was sent, by the name that its row will have.
        left: gets the reason of each that was not.

    Returns:
        The folder's path there.
    """
    folder = Path(errand.source)
    top = folder.name.lstrip(".") or "scans"
    found = find_scans(folder, errand.recursive)
    problem = backend.client_package().EngineError
    for scan in found:
        name = scan.name if scan.series is None else scan.series.neutral_name
        try:
            _send_scan(client, files, parcel, scan, f"{top}/{name}")
        except (problem, Problem) as error:
            # Images of a series that stay there would be taken for all of it.
            whole = isinstance(error, Problem) or (scan.series is None and error.code in _REFUSED)
            if not whole or len(left) + 1 == len(found):
                raise
            left[name] = str(error)
        else:
            sources[name] = str(scan.source)
    return f"{parcel.path}/{top}"


def _send_scan(
    client: Client, files: EngineFiles, parcel: ResultFolder, scan: FolderScan, place: str
) -> None:
    if scan.series is not None:
        files.send_series(client, scan.series, parcel, place)
    else:
        client.upload(
            scan.source, folder=parcel, place=f"{place}{scan.source.name[len(stem_of(scan.source)) :]}"
        )


def _check_target(errand: Errand) -> None:
    target = Path(errand.target) if errand.target else None
    if target is not None and target.is_dir() and any(target.iterdir()):
        raise Problem(
            _("{path} is not empty, and results from another computer replace nothing.").format(path=target),
            _("Choose a folder that is new or empty."),
        )


def _bring_home(client: Client, there: str, here: Path) -> None:
    """Download a file, or all files of a folder, however deep."""
    for path, inside in _files_there(client, there, ()):
        target = here.joinpath(*inside)
        target.parent.mkdir(parents=True, exist_ok=True)
        client.download(path, target)


def _files_there(client: Client, path: str, inside: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every file at a path of the engine's computer, with the names that lead to it from there."""
    try:
        found = client.folder(path)
    except backend.client_package().EngineError as error:
        if error.code != _NOT_FOUND:
            raise
        yield path, inside  # it is no folder
        return
    entries = list(found.entries)
    while not found.complete:
        found = client.folder(path, offset=len(entries))
        entries += found.entries
    for entry in entries:
        # An engine says what its files are called, but not where on this computer they go.
        if entry.name in ("", ".", "..") or "/" in entry.name or "\\" in entry.name:
            raise Problem(_("The engine has a result with the name {name!r}.").format(name=entry.name))
        if entry.is_folder:
            yield from _files_there(client, entry.path, (*inside, entry.name))
        else:
            yield entry.path, (*inside, entry.name)


def _remove(client: Client, sent: tuple[str, ...] | list[str]) -> None:
    for each in sent:
        take_back(client, each)
