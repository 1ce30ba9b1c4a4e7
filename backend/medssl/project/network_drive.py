"""Whether a folder is on a drive that several computers may use at once."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path, PurePath

import psutil

# As mount tables name them; 'fuse.' before a name says how it is mounted, and not what it is.
_SHARED = frozenset(
    (
        *("nfs", "nfs3", "nfs4", "cifs", "smb2", "smb3", "smbfs", "afs", "afpfs", "davfs", "webdav", "ncpfs"),
        *("sshfs", "curlftpfs", "rclone", "s3fs", "gvfsd-fuse", "macfuse", "osxfuse"),
        *("lustre", "gpfs", "beegfs", "glusterfs", "ceph", "ceph-fuse", "panfs", "orangefs", "pvfs2"),
        *("wekafs", "juicefs", "mfs", "moosefs", "lizardfs", "gfs2", "ocfs2"),
        # from the host of a virtual machine
        *("9p", "virtiofs", "vboxsf", "vmhgfs", "vmhgfs-fuse", "prl_fs"),
    )
)
_MOUNTS = Path("/proc/self/mounts")
_ESCAPED = re.compile(r"\\([0-7]{3})")
_DRIVE_REMOTE = 4  # of Windows' GetDriveType


def is_on_network_drive(folder: Path) -> bool:
    """Whether a folder that exists is on a network drive; False as well where nothing tells.

    Links are followed. Nothing but the table of mounted drives is read: a drive that does not answer keeps
    nobody waiting who asks about another one.
    """
    real = folder.resolve()
    if sys.platform == "win32":
        return _is_remote(real)
    mounts: Iterable[tuple[str, str]] = ()
    with suppress(OSError):
        if sys.platform == "linux":
            mounts = read_mounts(_MOUNTS.read_text(encoding="utf-8", errors="surrogateescape"))
        else:
            mounts = [(each.mountpoint, each.fstype) for each in psutil.disk_partitions(all=True)]
    return is_shared(real, mounts)


def read_mounts(table: str) -> list[tuple[str, str]]:
    """Read the folders and file systems of a table as in `/proc/self/mounts`, in its order."""
    lines = [line.split(" ") for line in table.splitlines()]
    return [(_ESCAPED.sub(_character, line[1]), line[2]) for line in lines if len(line) > 2]


def is_shared(folder: PurePath, mounts: Iterable[tuple[str, str]]) -> bool:
    """Whether the file system that a folder is on, among those mounted, is one of several computers."""
    found, depth = "", 0
    for place, system in mounts:
        mounted = type(folder)(place)
        # What is mounted last on a place hides what was there.
        if folder.is_relative_to(mounted) and len(mounted.parts) >= depth:
            found, depth = system, len(mounted.parts)
    return found.lower().removeprefix("fuse.") in _SHARED


def _character(escaped: re.Match[str]) -> str:
    return chr(int(escaped[1], 8))


def _is_remote(folder: Path) -> bool:
    """Ask Windows, which also knows the letters that network drives have."""
    if sys.platform != "win32":  # for the type checker
        raise AssertionError
    import ctypes

    anchor = folder.anchor
    is_unc = anchor.startswith("\\\\") and not anchor.startswith(("\\\\?\\", "\\\\.\\"))
    return is_unc or int(ctypes.windll.kernel32.GetDriveTypeW(anchor)) == _DRIVE_REMOTE
