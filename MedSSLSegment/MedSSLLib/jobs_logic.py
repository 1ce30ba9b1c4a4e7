"""The jobs of the open project: listed, watched while they run, cancelled, resumed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Optional

import qt
from slicer.i18n import tr as _

from MedSSLLib.jobs_feed import Feed
from MedSSLLib.jobs_track import Track
from MedSSLLib.signals import Signal

if TYPE_CHECKING:
    from medssl.client import Client, EngineError, Event, Job

    from MedSSLLib.session import Session

_LOOK_MS = 5000  # between looks for jobs that others began
_LISTED = 30  # jobs that are listed
_CHANGES_CASES = ("import", "sample", "propose")  # kinds after which cases are not what they were
_TELLS = ("train", "pretrain", "propose")  # kinds whose failure would be seen in a folded section only
_CHANGES_MODELS = ("train", "pretrain", "import_model")


class JobsLogic:
    """Knows the newest jobs of the project, and hears everything that the unfinished ones report.

    Whoever opens a project whose training began yesterday sees it from the first step on.

    Attributes:
        listed: the list of jobs or the state of one changed.
        told: (track) a job reported something.
        ended: (track) a job that was watched came to its end.
    """

    def __init__(self, session: Session) -> None:
        self.listed = Signal()
        self.told = Signal()
        self.ended = Signal()
        self._session = session
        self._project = ""
        self._tracks: dict[str, Track] = {}
        self._feeds: dict[str, Feed] = {}
        self._client: Optional[Client] = None
        self._lookers = 0
        self._timer = qt.QTimer()
        self._timer.setInterval(_LOOK_MS)
        self._timer.timeout.connect(self.refresh)
        session.project_changed.connect(self._follow)
        session.engine_changed.connect(self._follow)

    @property
    def tracks(self) -> tuple[Track, ...]:
        """The jobs, the newest first."""
        return tuple(self._tracks.values())

    @property
    def active(self) -> tuple[Track, ...]:
        """The jobs that run or wait, the newest first."""
        return tuple(track for track in self.tracks if not track.over)

    def track(self, job: str) -> Optional[Track]:
        """Return what is known of a job by its id."""
        return self._tracks.get(job)

    def newest(self, *kinds: str) -> Optional[Track]:
        """Return the job of some kinds to look at: the one that runs, else the newest."""
        found = [track for track in self.tracks if track.job.kind in kinds]
        running = [track for track in found if track.state in ("running", "cancelling")]
        return next(iter(running or found), None)

    def attend(self) -> None:
        """Look for the jobs of others too, as long as a panel is open; `leave` takes it back."""
        self._lookers += 1
        self._timer.start()
        self.refresh()

    def leave(self) -> None:
        """Take one `attend` back."""
        self._lookers = max(0, self._lookers - 1)
        if not self._lookers:
            self._timer.stop()

    def refresh(self) -> None:
        """Ask the engine for its list of jobs."""
        project = self._session.project
        if project is not None and self._session.client is not None:
            key = project.key
            self._session.ask(
                lambda client: client.jobs(key, limit=_LISTED),
                lambda jobs: self._list(key, jobs),
                lambda error: None,  # the section of the engine says when it is gone
            )

    def submit(
        self,
        request: Mapping[str, Any],
        begun: Optional[Callable[[Track], Any]] = None,
        failed: Optional[Callable[[Exception], Any]] = None,
    ) -> None:
        """Start a job; `begun` gets it once the engine has taken it, `failed` the reason when it does not."""
        project = self._session.project
        if project is None:
            return
        key = project.key

        self._session.ask(
            lambda client: client.submit(key, request), lambda job: self.add(job, begun), failed
        )

    def add(self, job: Job, begun: Optional[Callable[[Track], Any]] = None) -> None:
        """Follow a job that was started just now; `begun` gets it, unless another project is open by now."""
        track = self._take(job.project, job, newest=True)
        if track is not None and begun is not None:
            begun(track)
        self._changed()

    def cancel(self, job: str) -> None:
        """Ask a job to stop."""
        self._change(job, lambda client, key: client.cancel(key, job))

    def resume(self, job: str) -> None:
        """Go on with a job that was cancelled, failed or interrupted."""
        self._change(job, lambda client, key: client.resume(key, job))

    def log(self, job: str, done: Callable[[str], Any]) -> None:
        """Get the end of a job's log."""
        project = self._session.project
        if project is not None:
            key = project.key
            self._session.ask(lambda client: client.job_log(key, job), done)

    def recall(self, job: str, done: Callable[[Track], Any]) -> None:
        """Read what a job that is over reported, as far as nobody listened to it."""
        track, project = self._tracks.get(job), self._session.project
        if track is None or project is None:
            return
        if not track.over or track.whole or job in self._feeds:
            done(track)
            return
        key, last = project.key, track.last

        def take(events: tuple[Event, ...]) -> None:
            if key != self._project:
                return
            state = track.state  # of a job whose process was killed, the events do not tell the last one
            for event in events:
                track.take(event)
            track.state = state
            track.whole = track.over
            done(track)

        self._session.ask(lambda client: client.events(key, job, last), take)

    def close(self) -> None:
        """Listen to nothing more."""
        self._timer.stop()
        for job in tuple(self._feeds):
            self._feeds.pop(job).stop()

    def _follow(self) -> None:
        """Another project, or another engine, whose events are the same but come from elsewhere."""
        project = self._session.project
        key = "" if project is None else project.key
        if key == self._project and self._session.client is self._client:
            return
        self.close()
        if self._lookers:
            self._timer.start()
        if key != self._project:
            self._tracks.clear()
            self._project = key
            self._changed()
        self._client = self._session.client
        self.refresh()

    def _list(self, key: str, jobs: tuple[Job, ...]) -> None:
        if key != self._project:
            return
        before = [(track.job.id, track.state) for track in self.tracks]
        known, self._tracks = self._tracks, {}
        missed: list[Track] = []  # ends that nobody listened to
        for job in jobs:
            track = self._tracks[job.id] = known.get(job.id) or Track(job)
            over = track.over
            self._take(key, job)
            if track.over and not over:
                missed.append(track)
        for job_id in set(self._feeds) - set(self._tracks):
            self._feeds.pop(job_id).stop()
        if before != [(track.job.id, track.state) for track in self.tracks]:
            self._changed()
        for track in missed:
            self.recall(track.job.id, self._tell_end)

    def _take(self, key: str, job: Job, newest: bool = False) -> Optional[Track]:
        """Keep a job as the engine describes it, and listen to it unless it is over."""
        if key != self._project:
            return None
        track = self._tracks.get(job.id)
        if track is None:
            track = Track(job)
            self._tracks = {job.id: track, **self._tracks} if newest else {**self._tracks, job.id: track}
        if job.id in self._feeds:
            return track  # which knows better than an answer that was on its way
        track.describe(job)
        if not job.over:
            self._listen(key, track)
        return track

    def _listen(self, key: str, track: Track) -> None:
        client = self._session.client
        if client is None:
            return
        track.problem = ""
        job = track.job.id
        self._feeds[job] = Feed(
            self._session.background,
            client,
            key,
            job,
            track.last,
            told=lambda events: self._hear(track, events),
            ended=lambda state: self._end(key, track, state),
            failed=lambda error: self._lose(track, error),
        )

    def _hear(self, track: Track, events: list[Event]) -> None:
        before = track.state
        for event in events:
            track.take(event)
        self.told.emit(track)
        if track.state != before:
            self._changed()

    def _lose(self, track: Track, error: EngineError) -> None:
        self._feeds.pop(track.job.id, None)
        track.problem = error.message
        self._session.report(error)
        self._changed()

    def _end(self, key: str, track: Track, state: str) -> None:
        """Ask what came out of a job that is over, and tell everybody."""
        self._feeds.pop(track.job.id, None)
        track.state = state
        job = track.job.id

        def take(described: Job) -> None:
            if key != self._project:
                return
            track.describe(described)
            track.whole = described.over
            if not described.over:  # resumed in this moment
                self._take(key, described)
                self._changed()
                return
            self._changed()
            self._tell_end(track)

        self._session.ask(lambda client: client.job(key, job), take)

    def _tell_end(self, track: Track) -> None:
        job = track.job
        self.ended.emit(track)
        if job.state == "failed" and job.kind in _TELLS:
            text = _("{job} failed: {reason}").format(job=track.title, reason=job.error)
            self._session.say(text, job.remedy, "error")
        if job.kind in _CHANGES_CASES:
            self._session.cases_changed.emit()
        if job.kind in _CHANGES_MODELS:
            self._session.models_changed.emit()

    def _change(self, job: str, change: Callable[[Client, str], Job]) -> None:
        project = self._session.project
        if project is None:
            return
        key = project.key

        def take(described: Job) -> None:
            self._take(key, described)
            self._changed()

        self._session.ask(lambda client: change(client, key), take)

    def _changed(self) -> None:
        self.listed.emit()
        self._session.jobs_changed.emit()
