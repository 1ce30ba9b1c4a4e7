"""Files that clients of other computers send: streamed to the disk, checked, and gone after a day."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from medssl.errors import MedSSLError, NotFoundError, StorageError, UsageError
from medssl.imaging.formats import DICOM_SUFFIX, suffix_of
from medssl.imaging.volume import Grid
from medssl.project.store import folder_name
from medssl.service.voxels import ARCHIVE, VoxelWorker
from medssl.storage import publish, staging_folder, storage_error

KEPT_S = 24 * 3600.0
_BUFFER_BYTES = 1 << 20
_SPARE_BYTES = 256 << 20  # of disk that an upload leaves to everybody else
_ID = re.compile(r"[0-9a-f]{32}")


class TooLargeError(MedSSLError):
    """A file that is larger than the service takes."""

    code = "too_large"


@dataclass(frozen=True)
class Upload:
    """A file that has arrived whole.

    Attributes:
        path: what other requests name it by.
        sha256: of its bytes.
        grid: where its voxels lie; None for an archive, and for an image of a DICOM series.
    """

    id: str
    path: Path
    size_bytes: int
    sha256: str
    grid: Grid | None


class Uploads:
    """The folder of uploaded files.

    Attributes:
        folder: without links, so that results and errors name the very paths that clients were told.
    """

    def __init__(self, folder: Path, most_bytes: int, voxels: VoxelWorker) -> None:
        """Keep files of up to `most_bytes` bytes in `folder`, which is there."""
        self.folder = folder.resolve()
        self._most_bytes = most_bytes
        self._voxels = voxels

    async def receive(
        self,
        name: str,
        chunks: AsyncIterator[bytes],
        length: int | None,
        sha256: str | None,
        folder: str | None = None,
    ) -> Upload:
        """Write a file as it comes in, and check it. What is not whole is removed.

        Args:
            name: of the file; its end says what it is. In a folder it may lie deeper: 'sub/scan.nii.gz'.
            chunks: the bytes.
            length: how many the client says there are, when it says so.
            sha256: what they must hash to, when the client says so.
            folder: id of the folder that `make_folder` made for it; None gives it one of its own.

        Raises:
            UsageError: no volume, no DICOM image and no archive by its name, or other bytes than the client
                says.
            NotFoundError: there is no such folder.
            ImageError: no volume by its header.
            TooLargeError: more than allowed.
            StorageError: the disk is full.
        """
        identity = secrets.token_hex(16) if folder is None else folder
        if folder is not None:
            self._existing(folder)
        place = PurePosixPath(_checked_name(name)) if folder is None else _checked_place(name)
        kept_name = place.name
        self._check_room(length or 0)
        # Inside one staging folder until it is whole; leaving the block removes what is left of it.
        with staging_folder(self.folder) as staging:
            (staging / identity).mkdir()
            path = staging / identity / kept_name
            size, found = await self._write(path, chunks)
            if length is not None and size != length:
                raise UsageError(f"{name} arrived with {size} of {length} bytes.", "Send it again.")
            if sha256 is not None and sha256.lower() != found:
                raise UsageError(f"{name} arrived with other bytes than were sent.", "Send it again.")
            try:
                grid = await asyncio.to_thread(self._voxels.check_upload, path)
            except MedSSLError as error:
                # The person knows the file by the name they gave it.
                raise type(error)(error.what.replace(str(path), name), error.remedy) from error
            target = self.folder / identity / place
            if folder is None:
                await asyncio.to_thread(publish, staging / identity, target.parent)
            else:
                await asyncio.to_thread(publish, path, target)
        return Upload(identity, target, size, found, grid)

    def make_folder(self) -> tuple[str, Path]:
        """Make an empty folder for results that a client will fetch; it goes like an upload.

        Raises:
            StorageError: the disk is full.
        """
        identity = secrets.token_hex(16)
        try:
            (self.folder / identity).mkdir()
        except OSError as error:
            raise storage_error(error, self.folder) from error
        return identity, self.folder / identity

    def remove(self, identity: str) -> None:
        """Remove an upload.

        Raises:
            NotFoundError: there is none with this id.
        """
        shutil.rmtree(self._existing(identity), ignore_errors=True)

    def remove_old(self, requests: Iterable[str]) -> None:
        """Remove what was last written more than a day ago, and what killed services left unfinished.

        Args:
            requests: of the jobs that are not finished, as JSON; what they name stays.
        """
        wanted = "\n".join(requests)
        for folder in self.folder.iterdir() if self.folder.is_dir() else ():
            with suppress(OSError):  # it goes next time
                if folder.name not in wanted and time.time() - _last_written(folder) > KEPT_S:
                    shutil.rmtree(folder)

    def _existing(self, identity: str) -> Path:
        folder = self.folder / identity
        if not _ID.fullmatch(identity) or not folder.is_dir():
            raise NotFoundError(f"There is no upload '{identity[:40]}'.", "It may have been removed already.")
        return folder

    async def _write(self, path: Path, chunks: AsyncIterator[bytes]) -> tuple[int, str]:
        digest = hashlib.sha256()
        size = 0
        buffer = bytearray()
        try:
            with path.open("wb") as file:

                def flush(content: bytes) -> None:
                    digest.update(content)
                    file.write(content)

                async for chunk in chunks:
                    size += len(chunk)
                    if size > self._most_bytes:
                        raise self._too_large()
                    buffer += chunk
                    if len(buffer) >= _BUFFER_BYTES:
                        content = bytes(buffer)
                        buffer.clear()
                        await asyncio.to_thread(flush, content)
                await asyncio.to_thread(flush, bytes(buffer))
        except OSError as error:
            raise storage_error(error, path) from error
        return size, digest.hexdigest()

    def _check_room(self, length: int) -> None:
        if length > self._most_bytes:
            raise self._too_large()
        free = shutil.disk_usage(self.folder).free
        if length + _SPARE_BYTES > free:
            raise StorageError(
                f"The disk of the service has {free / 1e9:.1f} GB free, too little for this file.",
                "Free some space there.",
            )

    def _too_large(self) -> TooLargeError:
        return TooLargeError(
            f"The file has more than the {self._most_bytes / 1e9:.1f} GB that this service takes.",
            "Send a smaller file, or give the service a folder that both computers can reach.",
        )


def _last_written(folder: Path) -> float:
    """When anything in a folder was last written, in seconds since 1970.

    A job may write its results, or a slow line send a file, for longer than a day.
    """
    return max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))


def _checked_place(name: str) -> PurePosixPath:
    """A path below a folder, kept as it is where the file system takes it: results are named after it."""
    *folders, last = name.split("/")
    for part in (*folders, last):
        if not part or part.startswith(".") or "\\" in part or "\0" in part or len(part.encode()) > 255:
            raise UsageError(f"'{name[:200]}' is no place in a folder.", "Give one such as sub/scan.nii.gz.")
    kept = _checked_name(last)
    if os.name == "posix":
        return PurePosixPath(name)
    return PurePosixPath(*map(folder_name, folders), kept)


def _checked_name(name: str) -> str:
    whole = next((end for end in (ARCHIVE, DICOM_SUFFIX) if name.lower().endswith(end)), None)
    suffix = whole or suffix_of(Path(name))
    if suffix is None or "/" in name or "\\" in name:
        raise UsageError(
            f"'{name[:100]}' is not the name of a volume or of a model.",
            "Give a name such as scan.nii.gz, slice-001.dcm or model.zip.",
        )
    return folder_name(name[: -len(suffix)]) + suffix
