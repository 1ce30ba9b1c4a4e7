"""A project of the engine's computer, with the same records and errors as one of this computer."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter

from medssl.cli.workplace import THERE, Elsewhere, is_there
from medssl.client import Client, EngineError
from medssl.client import records as told
from medssl.errors import (
    GridError,
    ImageError,
    LabelError,
    MedSSLError,
    NotFoundError,
    UsageError,
)
from medssl.imaging.few_values import has_few_values, no_intensities
from medssl.imaging.formats import suffix_of
from medssl.imaging.multichannel import read_channels
from medssl.imaging.same_scan import is_same_scan
from medssl.imaging.single_file import as_one_file
from medssl.labels import LabelSchema
from medssl.project import (
    Annotation,
    Case,
    CaseState,
    CaseSummary,
    ModelRecord,
    Role,
    SortKey,
    Suggestion,
)

T = TypeVar("T")

_PAGE = 1000
_ERRORS: dict[str, type[MedSSLError]] = {
    "request": UsageError,
    "usage": UsageError,
    "image": ImageError,
    "grid": GridError,
    "label": LabelError,
    "not_found": NotFoundError,
}


@contextmanager
def connected(engine: Elsewhere) -> Iterator[Client]:
    """Give a client, and turn its errors into those that commands know."""
    with _told():
        yield Client(engine.url, engine.token, verify=engine.verify, direct=engine.is_own)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except EngineError as error:
        raise error_of(error.code, error.message, error.remedy) from error


def error_of(code: str, what: str, remedy: str) -> MedSSLError:
    """The error that the engine's computer had, with the exit code that it has there."""
    return _ERRORS.get(code, MedSSLError)(what, remedy)


class RemoteProject:
    """A project of the engine's computer; `medssl.project.Project` says what each method is.

    Volumes that are given are files of this computer, which are sent, or paths of the other one.
    """

    def __init__(self, client: Client, project: told.Project) -> None:
        """Work in a project that the engine knows."""
        self._client = client
        self.key = project.key
        self.folder = Path(project.folder)
        self.name = project.name
        self.channel_names = project.channel_names

    @property
    def schema(self) -> LabelSchema:
        """The label schema as it is now."""
        return LabelSchema.model_validate(self._client.project(self.key).label_schema)

    def set_schema(self, changed: LabelSchema) -> None:
        """Change the label schema."""
        self._client.set_schema(self.key, changed.model_dump(mode="json"))

    def add_case(
        self,
        name: str,
        channels: Sequence[Path],
        copy: bool = False,
        role: Role = "training",
        must_be_scan: bool = False,
    ) -> Case:
        """Add a scan; images of this computer are copied into the project."""
        if must_be_scan and all(map(has_few_values, read_channels(channels, len(self.channel_names)))):
            raise no_intensities(str(channels[0]))
        with _told(), self._sent(channels) as paths:
            return _case(self._client.add_case(self.key, name, paths, copy_files=copy, role=role))

    def cases(
        self,
        *,
        state: CaseState | None = None,
        role: Role | None = None,
        text: str = "",
        sort: SortKey = "name",
        descending: bool = False,
        limit: int | None = None,
    ) -> list[CaseSummary]:
        """List cases."""
        found: list[CaseSummary] = []
        while limit is None or len(found) < limit:
            page = self._client.cases(
                self.key,
                state=state,
                role=role,
                text=text,
                sort=sort,
                descending=descending,
                offset=len(found),
                limit=_PAGE if limit is None else min(_PAGE, limit - len(found)),
            )
            found += [_as(CaseSummary, case) for case in page.cases]
            if not page.cases or len(found) >= page.total:
                break
        return found

    def count_cases(self, *, state: CaseState | None = None) -> int:
        """Return how many cases there are."""
        return self._client.cases(self.key, state=state, limit=1).total

    def case(self, case: str) -> Case:
        """Return everything about a case."""
        return _case(self._client.case(self.key, case))

    def is_lost(self, case: str) -> bool:
        """Never: files that the engine's computer had are added again from a folder of that computer."""
        return False

    def is_scan_of(self, case: str, channels: Sequence[Path]) -> bool:
        """Whether a case is the scan that files of this computer hold; its images are fetched for that."""
        found = self._client.case(self.key, case)
        with tempfile.TemporaryDirectory() as folder:
            fetched = []
            for number, path in enumerate(found.channels):
                target = Path(folder, f"{number}{suffix_of(Path(path)) or '.nrrd'}")
                try:
                    fetched.append(self._client.download_channel(self.key, found.id, number, target))
                except EngineError as error:
                    if error.code != "path":
                        raise
                    raise ImageError(error.message, error.remedy) from error
            return is_same_scan(fetched, channels)

    def set_role(self, case: str, role: Role) -> None:
        """Use a case for training or validation, or exclude it."""
        self._client.set_role(self.key, self._id(case), role)

    def save_annotation(
        self, case: str, values: Path, *, author: str = "", seconds: float | None = None
    ) -> Annotation:
        """Save what a person drew as a new version."""
        case_id = self._id(case)
        with self._sent([values]) as (path,):
            found = self._client.save_annotation(self.key, case_id, path, author=author, seconds=seconds)
        return _as(Annotation, found)

    def annotations(self, case: str) -> list[Annotation]:
        """Return all versions of a case's annotation."""
        return [_as(Annotation, each) for each in self._client.annotations(self.key, self._id(case))]

    def restore_annotation(
        self, case: str, version: int, *, author: str = "", seconds: float | None = None
    ) -> Annotation:
        """Let an older version count again."""
        found = self._client.restore_annotation(
            self.key, self._id(case), version, author=author, seconds=seconds
        )
        return _as(Annotation, found)

    def suggest(self) -> Suggestion:
        """Suggest which case to work on next."""
        return _as(Suggestion, self._client.suggestion(self.key))

    def review_queue(self) -> list[CaseSummary]:
        """Return the cases whose proposal waits for a decision."""
        return [_as(CaseSummary, each) for each in self._client.review_queue(self.key)]

    def accept(self, case: str, *, author: str = "", seconds: float | None = None) -> Annotation:
        """Make the newest proposal an annotation."""
        found, proposal = self._proposal(case)
        return _as(Annotation, self._client.accept(self.key, found, proposal, author=author, seconds=seconds))

    def correct(
        self, case: str, values: Path, *, author: str = "", seconds: float | None = None
    ) -> Annotation:
        """Make a corrected proposal an annotation."""
        found, proposal = self._proposal(case)
        with self._sent([values]) as (path,):
            made = self._client.correct(self.key, found, proposal, path, author=author, seconds=seconds)
        return _as(Annotation, made)

    def reject(self, case: str, *, author: str = "", seconds: float | None = None) -> None:
        """Turn the newest proposal down."""
        found, proposal = self._proposal(case)
        self._client.reject(self.key, found, proposal, author=author, seconds=seconds)

    def undo(self, case: str) -> Case:
        """Take back the last annotation or decision of a case."""
        return _case(self._client.undo(self.key, self._id(case)))

    def models(self) -> list[ModelRecord]:
        """Return all models."""
        return [_as(ModelRecord, each) for each in self._client.models(self.key)]

    def model(self, model_id: str = "latest") -> ModelRecord:
        """Return one model."""
        return _as(ModelRecord, self._client.model(self.key, model_id))

    def delete_model(self, model_id: str) -> None:
        """Delete a model and its files."""
        self._client.delete_model(self.key, model_id)

    def _id(self, case: str) -> int:
        return self._client.case(self.key, case).id

    def _proposal(self, case: str) -> tuple[int, int]:
        """The ids of a case and of its newest proposal."""
        found = self._client.case(self.key, case)
        if found.pseudo_label is None:
            raise NotFoundError(f"There is no proposal for case '{case}'.", "Let a model propose one first.")
        return found.id, found.pseudo_label.id

    @contextmanager
    def _sent(self, volumes: Sequence[Path]) -> Iterator[list[str]]:
        """Send volumes of this computer, and give the paths of all of them on the other one."""
        uploads: list[tuple[told.Upload, Path]] = []
        paths: list[str] = []
        try:
            for volume in volumes:
                if is_there(volume):
                    paths.append(there(self._client, volume))
                    continue
                upload = _send(self._client, volume)
                uploads.append((upload, volume))
                paths.append(upload.path)
            yield paths
        except EngineError as error:
            # The person knows the file by its name here.
            message = error.message
            for upload, volume in uploads:
                message = message.replace(upload.path, str(volume))
            raise EngineError(error.code, message, error.remedy, error.status) from error
        finally:
            for upload, _ in uploads:
                # What was done is done, and what was refused keeps its reason.
                with suppress(EngineError):  # it goes by itself
                    self._client.remove_upload(upload.id)


def there(client: Client, path: Path) -> str:
    """A path on the engine's computer as text; one that is not a full path begins in the first root."""
    text = str(path).removeprefix(THERE)
    if text.startswith("/") or Path(text).is_absolute() or text[1:3] in (":\\", ":/"):
        return text
    root = client.service().roots[0]
    return f"{root.rstrip('/')}/{text}"


def _send(client: Client, volume: Path) -> told.Upload:
    """Send a volume; one of several files goes as one."""
    with as_one_file(volume) as whole:
        return client.upload(whole)


def _as(kind: type[T], answer: Any) -> T:
    """Turn a record of the client into the record of a project that the service made it of."""
    found: T = TypeAdapter(kind).validate_python(asdict(answer))
    return found


def _case(answer: told.Case) -> Case:
    # Where the project keeps its files is its own business.
    found: Case = TypeAdapter(Case).validate_python({**asdict(answer), "folder": ""})
    return found
