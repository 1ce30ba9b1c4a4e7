"""The hippocampus scans of the Medical Segmentation Decathlon, from its official archive.

260 crops of T1-weighted MR scans with the anterior and the posterior hippocampus, and 130 without labels.
Licence CC-BY-SA 4.0; Simpson et al., arXiv:1902.09063. Address and checksum as MONAI's DecathlonDataset has
them.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from itertools import chain, count
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from MedSSLLib.problems import Problem

HOMEPAGE = "http://medicaldecathlon.com/"
ARCHIVE = "Task04_Hippocampus.tar"
ADDRESS = f"https://msd-for-monai.s3-us-west-2.amazonaws.com/{ARCHIVE}"
CHECKSUM = "MD5:9d24dba78a72977dbd1d2e110310f31b"
ABOUT_BYTES = 28_000_000
_FOLDER = "Task04_Hippocampus"
_LISTING = f"{_FOLDER}.json"  # beside it: the files that were downloaded, with the digest of each
_PIECE_BYTES = 1 << 18
_SILENCE_S = 30.0


def is_there(folder: Path) -> bool:
    """Whether a folder has the scans."""
    return (folder / _FOLDER / "dataset.json").is_file()


def folder_for(wanted: Path) -> Path:
    """A folder that has the scans, or has nothing of their name: a few files of them may be a person's."""
    others = (wanted.with_name(f"{wanted.name} {number}") for number in count(2))
    return next(
        folder for folder in chain((wanted,), others) if is_there(folder) or not (folder / _FOLDER).exists()
    )


def download(folder: Path, tell: Callable[[int, int], Any], address: str = ADDRESS) -> Path:
    """Download and unpack the scans, unless they are there; for a thread beside the main one.

    Args:
        folder: to keep them in.
        tell: hears how many bytes of how many came.
        address: of the archive.

    Returns:
        The folder with `dataset.json`.

    Raises:
        Problem: no network, another file than expected, or a full disk.
    """
    dataset = folder / _FOLDER
    if is_there(folder):
        return dataset
    archive, unpacked = _partial(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _fetch(address, archive, tell)
        shutil.rmtree(unpacked, ignore_errors=True)
        _unpack(archive, unpacked)
        _list(unpacked / _FOLDER, folder / _LISTING)
        (unpacked / _FOLDER).replace(dataset)
    except tarfile.TarError as error:
        text = _("{address} is not the archive that it should be.").format(address=address)
        raise Problem(text, _("Try again.")) from error
    except OSError as error:
        raise Problem(
            _("{file} cannot be downloaded: {reason}.").format(file=ARCHIVE, reason=error),
            _("Check the network and the free space of the disk."),
        ) from error
    finally:
        archive.unlink(missing_ok=True)
        shutil.rmtree(unpacked, ignore_errors=True)
    return dataset


def remove(folder: Path) -> bool:
    """Delete the scans that were downloaded into a folder; for a thread beside the main one.

    Returns:
        Whether nothing stayed: files that somebody put there, or changed, do.
    """
    dataset, listing = folder / _FOLDER, folder / _LISTING
    known: dict[str, str] = {}
    with suppress(OSError, ValueError):
        known = json.loads(listing.read_text(encoding="utf-8"))
    for name, digest in known.items():
        with suppress(OSError):
            if _digest(dataset / name) == digest:
                (dataset / name).unlink()
    archive, unpacked = _partial(folder)
    shutil.rmtree(unpacked, ignore_errors=True)
    within = {parent for name in known for parent in (dataset / name).parents if dataset in parent.parents}
    with suppress(OSError):
        archive.unlink(missing_ok=True)
        listing.unlink(missing_ok=True)
    for each in (*sorted(within, reverse=True), dataset, folder):
        with suppress(OSError):  # it is not empty
            each.rmdir()
    return not dataset.exists()


def _partial(folder: Path) -> tuple[Path, Path]:
    """The archive, and what is unpacked of it, while they are not whole."""
    return folder / f".partial-{ARCHIVE}", folder / f".partial-{_FOLDER}"


def _list(unpacked: Path, listing: Path) -> None:
    files = (path for path in unpacked.rglob("*") if path.is_file())
    found = {path.relative_to(unpacked).as_posix(): _digest(path) for path in files}
    listing.write_text(json.dumps(found), encoding="utf-8")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _fetch(address: str, target: Path, tell: Callable[[int, int], Any]) -> None:
    digest = hashlib.md5(usedforsecurity=False)  # of the archive's own kind, against damage on the way
    with urllib.request.urlopen(address, timeout=_SILENCE_S) as answer, target.open("wb") as file:
        total = int(answer.headers.get("Content-Length") or ABOUT_BYTES)
        done = 0
        while piece := answer.read(_PIECE_BYTES):
            file.write(piece)
            digest.update(piece)
            done += len(piece)
            tell(done, total)
    if f"MD5:{digest.hexdigest()}" != CHECKSUM:
        raise Problem(_("What came from {address} is damaged.").format(address=address), _("Try again."))


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack plain files only, and only below the folder."""
    with tarfile.open(archive) as content:
        for member in content:
            name = Path(member.name)
            hidden = any(part.startswith(".") and part != "." for part in name.parts)
            if not member.isfile() or name.is_absolute() or ".." in name.parts or hidden:
                continue  # folders are made as they are needed; archives from a Mac have hidden files
            source = content.extractfile(member)
            if source is None:
                continue
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                shutil.copyfileobj(source, file)
