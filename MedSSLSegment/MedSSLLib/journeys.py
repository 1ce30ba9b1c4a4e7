"""Jobs with files of this computer: by their paths where the engine sees them, else sent and fetched back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import qt
from slicer.i18n import tr as _

from MedSSLLib import backend, folder_jobs
from MedSSLLib.engine_files import EngineFiles, is_away, take_back
from MedSSLLib.folder_scans import FolderScan, find_scans
from MedSSLLib.jobs_track import Track
from MedSSLLib.plurals import plural
from MedSSLLib.problems import Problem
from MedSSLLib.signals import Signal
from MedSSLLib.voxel_files import stem_of

if TYPE_CHECKING:
    from medssl.client import Arrivals, Arrived, Client, Job, Project, ResultFolder

    from MedSSLLib.session import Session

_SETTING = "journeys"
_FOLDER = "journeys"  # in the folder of this user's state: what is known of the files that came home
_NOT_FOUND = "not_found"  # the engine's code for a path at which nothing is
_REFUSED = ("image", "grid", "usage", "too_large")  # its codes for one bad file
_AGAIN_MS = 10_000  # until the next try where it was away for a moment
_KEPT = 20  # of the newest, for whoever opens a result of last week
_NAMED = 3  # files in a sentence

_Moment = tuple[str, Optional[str]]  # a job, and when it ended


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
        arrived: (Journey, Track, text) a job came to its end, and what it made is on this computer; the text
            says which files were left as they are, and is empty without any.
    """

    def __init__(self, session: Session) -> None:
        self.arrived = Signal()
        self._session = session
        self._known = _remembered(session)
        self._fetched: set[_Moment] = set()  # or on the way
        self._refused: set[_Moment] = set()  # for a reason that lasts as long as the engine does
        self._awaited: set[str] = set()  # jobs whose results the engine was away for
        self._again = qt.QTimer()
        self._again.setSingleShot(True)
        self._again.setInterval(_AGAIN_MS)
        self._again.timeout.connect(self._look)
        session.jobs.listed.connect(self._look)
        session.jobs.ended.connect(lambda track: self._look())
        session.engine_changed.connect(self._engine_came)

    def close(self) -> None:
        """Fetch nothing more."""
        self._again.stop()

    def of(self, job: str) -> Optional[Journey]:
        """What is known of a job's journey; None for a job that made none."""
        return self._known.get(job)

    def submit(
        self,
        errand: Errand,
        begun: Callable[[Track], Any],
        failed: Optional[Callable[[Exception], Any]] = None,
        sent: Callable[[], Any] = lambda: None,
    ) -> None:
        """Start a job.

        Args:
            errand: says which.
            begun: gets it once the engine has taken it, unless another project is open by then.
            failed: gets what kept it from that; left out, the panel says it.
            sent: called in any case, once nothing is on its way to the engine any more.
        """
        session, project = self._session, self._session.project
        refused = failed or session.report
        if project is None or session.files.shares_disk:
            sent()
        if project is None:
            return
        if session.files.shares_disk:
            paths = [path for path in (errand.source, errand.target) if path]
            folder_jobs.submit(session, errand.here(), paths, begun, refused)
            return

        def take(found: tuple[Job, Journey]) -> None:
            job, journey = found
            self._remember(journey)
            sent()
            session.jobs.add(job, begun)

        def refuse(error: Exception) -> None:
            sent()
            refused(error)

        files = session.files
        session.ask(lambda client: _depart(client, files, project, errand), take, refuse)

    def _look(self) -> None:
        """Fetch the results of jobs that are over; of one that may be resumed, those that it has so far."""
        for journey in tuple(self._known.values()) if self._session.client is not None else ():
            track = self._session.jobs.track(journey.job)
            if journey.arrived or track is None or not track.over or track.job.ended is None:
                continue
            moment = (journey.job, track.job.ended)
            if moment in self._fetched:
                continue
            self._fetched.add(moment)
            elsewhere = _remembered(self._session).get(journey.job, journey)
            if elsewhere.arrived:  # another Slicer was faster
                self._known[journey.job] = elsewhere
                self._tell(elsewhere, track, "")
            else:
                self._fetch(elsewhere, track, moment)

    def _engine_came(self) -> None:
        self._fetched -= self._refused
        self._refused.clear()
        self._look()

    def _fetch(self, journey: Journey, track: Track, moment: _Moment) -> None:
        finished = track.state == "finished"

        def fetched(arrived: Optional[Arrived]) -> None:
            self._awaited.discard(journey.job)
            here = journey.here if arrived is None else str(arrived.here)
            now = replace(journey, here=here, arrived=finished)
            self._remember(now)
            self._tell(now, track, "" if arrived is None else _left_sentence(arrived.left))

        def failed(error: Exception) -> None:
            if not is_away(error):
                self._refused.add(moment)
                self._session.report(error)
                return
            self._fetched.discard(moment)
            self._again.start()
            if journey.job not in self._awaited:
                self._awaited.add(journey.job)
                text = _("The results of a job are not here yet. {reason}").format(reason=error)
                self._session.say(text, _("They will be fetched when the engine answers."), "warning")

        self._session.ask(lambda client: _bring_home(client, journey, finished), fetched, failed)

    def _tell(self, journey: Journey, track: Track, left: str) -> None:
        jobs = self._session.jobs
        if jobs.track(journey.job) is None:  # another project is open by now
            self.arrived.emit(journey, track, left)
        else:  # who hears of it looks at what became of each scan
            jobs.recall(journey.job, lambda whole: self.arrived.emit(journey, whole, left))

    def _remember(self, journey: Journey) -> None:
        # Another Slicer may have begun journeys since this one last looked.
        known = _remembered(self._session)
        known.pop(journey.job, None)
        known[journey.job] = journey
        dropped = tuple(known)[:-_KEPT]
        self._known = {job: known[job] for job in known if job not in dropped}
        self._session.settings.remember(_SETTING, [asdict(each) for each in self._known.values()])
        over = (*dropped, *([journey.job] if journey.arrived else []))
        if over:
            self._session.background.run(lambda: _forget(over))


def _remembered(session: Session) -> dict[str, Journey]:
    nothing: list[dict[str, Any]] = []
    found: dict[str, Journey] = {}
    for each in session.settings.value(_SETTING, nothing):
        with suppress(KeyError, TypeError):  # another version wrote it
            found[each["job"]] = Journey(**{**each, "sent": tuple(each["sent"])})
    return found


def _arrivals(job: str) -> Arrivals:
    """What is known of the results of a job that were fetched so far; for a thread beside the main one."""
    arrivals = backend.client_package().Arrivals
    from medssl.endpoint import state_folder

    found: Arrivals = arrivals(state_folder() / _FOLDER, job)
    return found


def _forget(jobs: tuple[str, ...]) -> None:
    for job in jobs:
        _arrivals(job).forget()


def _left_sentence(left: Sequence[Path]) -> str:
    """Say which files were not replaced; empty without any."""
    if not left:
        return ""
    names = ", ".join(path.name for path in left[:_NAMED]) + (", ..." if len(left) > _NAMED else "")
    return plural(
        len(left),
        _(" {names} was left as it is, since it was changed on this computer."),
        _(" {count} files were left as they are, since they were changed on this computer: {names}."),
    ).format(count=len(left), names=names)


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
            there = f"{made.path}/{backend.client_package().name_there(Path(errand.target), 'results')}"
        job = client.submit(project.key, errand.there(given, there))
        undo.pop_all()
    if errand.target:
        _agree(job, Path(errand.target))
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
    found = find_scans(folder, errand.recursive)
    client_package = backend.client_package()
    top, problem = client_package.name_there(folder, "scans"), client_package.EngineError
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


def _agree(job: Job, target: Path) -> None:
    """Note that the person chose to have a file replaced; where that fails, the result goes beside it."""
    from medssl.errors import StorageError

    with suppress(StorageError):
        _arrivals(job.id).agree(target)


def _check_target(errand: Errand) -> None:
    target = Path(errand.target) if errand.target else None
    if target is not None and target.is_dir() and any(target.iterdir()):
        raise Problem(
            _("{path} is not empty, and results from another computer replace nothing.").format(path=target),
            _("Choose a folder that is new or empty."),
        )


def _bring_home(client: Client, journey: Journey, finished: bool) -> Optional[Arrived]:
    """Fetch what a job made, and remove it there when it is all; None when there was nothing to fetch."""
    medssl = backend.client_package()
    arrived: Optional[Arrived] = None
    if journey.there:
        try:
            arrived = medssl.fetch(client, journey.there, Path(journey.here), _arrivals(journey.job))
        except medssl.EngineError as error:
            if finished or error.code != _NOT_FOUND:  # a job that failed may have written nothing
                raise
    if finished:
        _remove(client, journey.sent)
    return arrived


def _remove(client: Client, sent: tuple[str, ...] | list[str]) -> None:
    for each in sent:
        take_back(client, each)
