"""A project on a drive that several computers use loses nothing of what any of them writes."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest
from full_disk import fill_disk
from medssl.errors import ProjectError, StorageError
from medssl.labels import LabelSchema
from medssl.project import DATABASE_NAME, Project, database, network_drive
from medssl.project.network_drive import is_on_network_drive, is_shared, read_mounts

_WORKSTATION = """\
sysfs /sys sysfs rw,nosuid,nodev,noexec,relatime 0 0
proc /proc proc rw,nosuid,nodev,noexec,relatime 0 0
/dev/nvme0n1p2 / ext4 rw,relatime,errors=remount-ro 0 0
systemd-1 /srv/share autofs rw,relatime,fd=29,pgrp=1,timeout=0,minproto=5,maxproto=5,direct 0 0
nas:/export/share /srv/share nfs4 rw,relatime,vers=4.2,rsize=1048576,hard,proto=tcp,timeo=600 0 0
/dev/sda1 /srv/share/scratch xfs rw,relatime,attr2,inode64 0 0
//server/Radiology\\040Data /mnt/Radiology\\040Data cifs rw,relatime,vers=3.1.1,cache=strict 0 0
anna@gpu:/data /srv/anna/gpu fuse.sshfs rw,nosuid,nodev,relatime,user_id=1000,group_id=1000 0 0
portal /run/user/1000/doc fuse.portal rw,nosuid,nodev,relatime,user_id=1000,group_id=1000 0 0
/dev/sdb1 /media/anna/disk fuseblk rw,nosuid,nodev,relatime,user_id=0,group_id=0 0 0
"""
_CLUSTER = """\
rootfs / tmpfs rw 0 0
10.0.0.1@o2ib:/data /lustre lustre rw,flock,user_xattr,lazystatfs 0 0
gpfs1 /gpfs/projects gpfs rw,relatime 0 0
beegfs_nodev /scratch beegfs rw,relatime,cfgFile=/etc/beegfs/beegfs-client.conf 0 0
10.1.0.1:6789,10.1.0.2:6789:/ /ceph ceph rw,noatime,name=user,secret=<hidden>,acl 0 0
gluster1:/vol /gluster fuse.glusterfs rw,relatime,user_id=0,group_id=0,allow_other 0 0
overlay /var/lib/docker/overlay2/1/merged overlay rw,relatime,lowerdir=/l,upperdir=/u,workdir=/w 0 0
C:\\134 /mnt/c 9p rw,noatime,dirsync,aname=drvfs;path=C:\\134;uid=1000,mmap,access=client 0 0
"""


@pytest.mark.parametrize(
    ("table", "folder", "shared"),
    [
        (_WORKSTATION, "/srv/anna/kidneys", False),
        (_WORKSTATION, "/srv/share/kidneys", True),
        (_WORKSTATION, "/srv/share", True),
        (_WORKSTATION, "/srv/shared/kidneys", False),
        (_WORKSTATION, "/srv/share/scratch/kidneys", False),
        (_WORKSTATION, "/mnt/Radiology Data/kidneys", True),
        (_WORKSTATION, "/srv/anna/gpu/kidneys", True),
        (_WORKSTATION, "/run/user/1000/doc/kidneys", False),
        (_WORKSTATION, "/media/anna/disk", False),
        (_CLUSTER, "/tmp/kidneys", False),
        (_CLUSTER, "/lustre/kidneys", True),
        (_CLUSTER, "/gpfs/projects/kidneys", True),
        (_CLUSTER, "/scratch/kidneys", True),
        (_CLUSTER, "/ceph/kidneys", True),
        (_CLUSTER, "/gluster/kidneys", True),
        (_CLUSTER, "/mnt/c/Data/kidneys", True),
        ("", "/anywhere", False),
        ("a line of another kind\n\n/dev/sda1 / ext4\n", "/anywhere", False),
    ],
)
def test_the_table_of_mounted_drives_tells(table: str, folder: str, shared: bool) -> None:
    assert is_shared(PurePosixPath(folder), read_mounts(table)) is shared


def test_a_folder_of_this_computer_is_on_no_network_drive(tmp_path: Path) -> None:
    assert not is_on_network_drive(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has its mounted drives in a file")
def test_a_drive_is_known_by_what_is_mounted_also_through_a_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my share" / "kidneys").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "my share")
    place = str(tmp_path.resolve() / "my share").replace(" ", "\\040")
    table = tmp_path / "mounts"
    table.write_text(f"/dev/sda1 / ext4 rw 0 0\nnas:/export {place} nfs4 rw,vers=4.2 0 0\n", encoding="utf-8")
    monkeypatch.setattr(network_drive, "_MOUNTS", table)
    assert is_on_network_drive(tmp_path / "my share" / "kidneys")
    assert is_on_network_drive(tmp_path / "link" / "kidneys")
    assert not is_on_network_drive(tmp_path)
    monkeypatch.setattr(network_drive, "_MOUNTS", tmp_path / "none")
    assert not is_on_network_drive(tmp_path / "my share")  # nothing tells


@pytest.fixture
def on_network_drive(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every folder be on a network drive."""
    monkeypatch.setattr(database, "is_on_network_drive", lambda folder: True)


def journal_of(project: Project) -> str:
    connection = sqlite3.connect(project.folder / DATABASE_NAME)
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    connection.close()
    return str(mode)


@pytest.mark.usefixtures("on_network_drive")
def test_a_project_on_a_network_drive_does_not_write_ahead(tmp_path: Path, schema: LabelSchema) -> None:
    with Project.create(tmp_path / "project", schema) as project:
        assert journal_of(project) == "delete"  # every kind of rollback journal is called so from outside
    assert not list(project.folder.glob("*-shm"))


@pytest.mark.usefixtures("on_network_drive")
def test_a_network_drive_that_may_not_be_written_is_told_when_opening_a_project(
    tmp_path: Path, schema: LabelSchema, make_read_only: Callable[[Path], None]
) -> None:
    Project.create(tmp_path / "project", schema).close()
    for file in (tmp_path / "project").glob(f"{DATABASE_NAME}-*"):
        file.unlink()
    make_read_only(tmp_path / "project")
    with pytest.raises(StorageError, match="may not be written"):
        Project.open(tmp_path / "project")


@pytest.mark.usefixtures("on_network_drive")
def test_a_full_network_drive_is_told_when_opening_a_project(small_disk: Path, schema: LabelSchema) -> None:
    Project.create(small_disk / "project", schema).close()
    fill_disk(small_disk)
    with pytest.raises(StorageError, match="The disk is full"):
        Project.open(small_disk / "project")


def test_a_project_that_moves_to_a_network_drive_is_changed_over_and_stays_so(
    project: Project, make_scan: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    project.add_case("before", [make_scan()])
    project.close()
    assert journal_of(project) == "wal"
    for on_network_drive in (True, False):  # the second time on the server's own disk
        monkeypatch.setattr(database, "is_on_network_drive", lambda folder, shared=on_network_drive: shared)
        with Project.open(project.folder) as opened:
            opened.add_case(f"drive: {on_network_drive}", [make_scan()])
            assert opened.count_cases() == 3 - on_network_drive
        assert journal_of(project) == "delete"


def test_a_project_that_is_open_as_on_one_computer_is_not_opened_over_the_network(
    project: Project, make_scan: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    project.add_case("before", [make_scan()])
    monkeypatch.setattr(database, "is_on_network_drive", lambda folder: True)
    monkeypatch.setattr(database, "CHANGE_TIMEOUT_S", 0.2)
    with pytest.raises(ProjectError, match="Close it in all programs on all computers"):
        Project.open(project.folder)
    project.add_case("after", [make_scan()])
    project.close()
    with Project.open(project.folder) as opened:
        assert opened.count_cases() == 2


_OTHER_COMPUTER = """
    import sys
    from pathlib import Path
    from medssl.project import Project, database
    database.is_on_network_drive = lambda folder: True
    project, scan = Project.open(Path(sys.argv[1])), Path(sys.argv[2])
    print("ready", flush=True)
    for line in sys.stdin:
        if line.strip():
            project.add_case(line.strip(), [scan])
        print(*sorted(case.name for case in project.cases()), flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="a file that is open gets no second name there")
@pytest.mark.usefixtures("on_network_drive")
def test_computers_that_share_no_memory_lose_nothing_of_each_others_work(
    tmp_path: Path, schema: LabelSchema, make_scan: Callable[..., Path]
) -> None:
    """The same files in two folders: programs share what is in them, and no memory beside them."""
    Project.create(tmp_path / "one", schema).close()
    (tmp_path / "two").mkdir()
    for file in (tmp_path / "one").glob(f"{DATABASE_NAME}*"):
        os.link(file, tmp_path / "two" / file.name)
    computers = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(_OTHER_COMPUTER), tmp_path / folder, make_scan()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for folder in ("one", "two")
    ]

    def ask(computer: subprocess.Popen[str], add: str = "") -> list[str]:
        assert computer.stdin is not None
        assert computer.stdout is not None
        print(add, file=computer.stdin, flush=True)
        return computer.stdout.readline().split()

    for computer in computers:
        assert computer.stdout is not None
        assert computer.stdout.readline() == "ready\n"
    names: list[str] = []
    for number in range(4):
        for who, computer in enumerate(computers):
            names = sorted([*names, f"{who}-{number}"])
            assert ask(computer, f"{who}-{number}") == names
    assert [ask(computer) for computer in computers] == [names, names]
    for computer in computers:
        computer.communicate()
        assert computer.returncode == 0
    with Project.open(tmp_path / "one") as project:
        assert [case.name for case in project.cases()] == names
    connection = sqlite3.connect(tmp_path / "one" / DATABASE_NAME)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
