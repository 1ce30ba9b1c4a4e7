from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from locking import open_elsewhere
from medssl.errors import StorageError
from medssl.storage import (
    atomic_path,
    give_name,
    publish,
    removal,
    remove_partial_files,
    replace_file,
    staging_folder,
    storage_error,
    write_bytes,
    write_text,
)


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_written_file_holds_the_text_and_nothing_else_is_left(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder" / "gr\u00fc\u00dfe.txt"
    write_text(target, "first\nline")
    assert target.read_bytes() == b"first\nline"
    assert _names(target.parent) == [target.name]


def test_an_existing_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    write_bytes(target, b"old and long")
    write_bytes(target, b"new")
    assert target.read_bytes() == b"new"


def test_a_file_that_is_being_read_is_replaced_a_moment_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows, which refuses it until then."""
    target, temporary = tmp_path / "a.txt", tmp_path / "b.txt"
    target.write_text("old")
    temporary.write_text("new")
    open_elsewhere(monkeypatch)
    with pytest.raises(PermissionError):
        replace_file(temporary, target, patience_s=0.0)
    replace_file(temporary, target, patience_s=5.0)
    assert (target.read_text(), temporary.exists()) == ("new", False)


def test_an_error_while_writing_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    write_text(target, "old")
    with pytest.raises(RuntimeError, match="library"), atomic_path(target) as temporary:
        temporary.write_text("half", encoding="utf-8")
        raise RuntimeError("a library failed")
    assert target.read_text(encoding="utf-8") == "old"
    assert _names(tmp_path) == ["a.txt"]


def test_the_temporary_name_keeps_the_suffixes_that_choose_a_format(tmp_path: Path) -> None:
    for name, ending in (("x.nii.gz", ".nii.gz"), ("x.seg.nrrd", ".seg.nrrd"), ("x v1.5mm.nii", ".nii")):
        with atomic_path(tmp_path / name) as temporary:
            assert temporary.name.endswith(ending)
            assert temporary.parent == tmp_path
            temporary.touch()


def test_a_name_of_the_greatest_length_can_be_written(tmp_path: Path) -> None:
    target = tmp_path / ("n" * 250 + ".json")
    write_text(target, "{}")
    assert target.exists()


def test_a_name_that_is_too_long_is_told_with_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="too long") as caught:
        write_text(tmp_path / ("n" * 300), "text")
    assert "shorter" in caught.value.remedy
    assert _names(tmp_path) == []


def test_a_file_in_the_place_of_the_folder_is_told_and_stays(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("mine", encoding="utf-8")
    with pytest.raises(StorageError, match=r"results.+a file stands where a folder is needed"):
        write_text(tmp_path / "results" / "a.txt", "text")
    with pytest.raises(StorageError, match="a file stands where a folder is needed"):
        write_text(tmp_path / "results" / "deeper" / "a.txt", "text")
    assert (tmp_path / "results").read_text(encoding="utf-8") == "mine"


def test_a_folder_in_the_place_of_the_file_is_told_and_stays(tmp_path: Path) -> None:
    (tmp_path / "a.txt").mkdir()
    (tmp_path / "a.txt" / "inside").touch()
    with pytest.raises(StorageError, match=r"a\.txt"):
        write_text(tmp_path / "a.txt", "text")
    assert _names(tmp_path) == ["a.txt"]
    assert _names(tmp_path / "a.txt") == ["inside"]


def test_a_folder_that_may_not_be_written_is_told(read_only_folder: Path) -> None:
    with pytest.raises(StorageError, match="may not be written") as caught:
        write_text(read_only_folder / "a.txt", "text")
    assert "permission" in caught.value.remedy
    with pytest.raises(StorageError, match="may not be written"), staging_folder(read_only_folder):
        pass


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
def test_a_full_disk_is_told_and_the_old_file_stays(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    write_text(target, "old")
    with pytest.raises(StorageError, match="disk is full"), atomic_path(target) as temporary:
        temporary.symlink_to("/dev/full")
        temporary.write_text("new", encoding="utf-8")
    assert target.read_text(encoding="utf-8") == "old"
    assert _names(tmp_path) == ["a.txt"]


def test_a_source_that_cannot_be_read_is_not_reported_as_the_target(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="source"), atomic_path(tmp_path / "target") as temporary:
        temporary.write_bytes((tmp_path / "source").read_bytes())
    assert _names(tmp_path) == []


def test_a_block_that_writes_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError), atomic_path(tmp_path / "a.txt"):
        pass


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO, errno.ENOTDIR, errno.EISDIR])
def test_every_refusal_names_the_file_and_a_remedy(code: int) -> None:
    error = storage_error(OSError(code, os.strerror(code)), Path("some") / "file.nrrd")
    assert "file.nrrd" in error.what
    assert error.remedy.endswith(".")


def test_a_process_killed_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    write_text(target, "old")
    script = textwrap.dedent("""
        import os, signal, sys
        from pathlib import Path
        from medssl.storage import atomic_path
        with atomic_path(Path(sys.argv[1])) as temporary:
            temporary.write_text("half")
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    """)
    ended = subprocess.run([sys.executable, "-c", script, str(target)], check=False, timeout=60)
    assert ended.returncode != 0
    assert target.read_text(encoding="utf-8") == "old"
    assert len(_names(tmp_path)) == 2
    assert remove_partial_files(tmp_path, older_than_s=0) == 1
    assert _names(tmp_path) == ["a.txt"]


def test_what_another_process_may_be_writing_now_is_left_alone(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "a.txt") as temporary, staging_folder(tmp_path) as staging:
        temporary.touch()
        (staging / "b.txt").touch()
        assert remove_partial_files(tmp_path) == 0
        os.utime(temporary, (0, 0))
        os.utime(staging, (0, 0))
        assert remove_partial_files(tmp_path) == 2
        temporary.touch()
    assert _names(tmp_path) == ["a.txt"]


def test_staged_files_and_folders_get_their_names_and_the_rest_is_removed(tmp_path: Path) -> None:
    with staging_folder(tmp_path) as staging:
        (staging / "one").write_text("1", encoding="utf-8")
        (staging / "many").mkdir()
        (staging / "many" / "two").write_text("2", encoding="utf-8")
        (staging / "rest").touch()
        publish(staging / "one", tmp_path / "first" / "one")
        publish(staging / "many", tmp_path / "many")
    assert _names(tmp_path) == ["first", "many"]
    assert (tmp_path / "many" / "two").read_text(encoding="utf-8") == "2"


def test_a_finished_file_that_is_being_looked_at_gets_its_name_a_moment_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows, where a virus scanner opens every new file."""
    finished = tmp_path / "a.txt"
    finished.write_text("new")
    open_elsewhere(monkeypatch)
    with pytest.raises(StorageError):
        give_name(finished, tmp_path / "b.txt", patience_s=0.0)
    give_name(finished, tmp_path / "b.txt", patience_s=5.0)
    assert _names(tmp_path) == ["b.txt"]


def test_a_folder_is_removed_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    write_text(tmp_path / "model" / "weights", "1")
    with pytest.raises(RuntimeError, match="commit"), removal(tmp_path / "model"):
        assert not (tmp_path / "model").exists()
        raise RuntimeError("the commit failed")
    assert (tmp_path / "model" / "weights").read_text(encoding="utf-8") == "1"
    for _ in range(2):  # the second time there is nothing to do
        with removal(tmp_path / "model"):
            pass
        assert _names(tmp_path) == []


def test_publishing_never_overwrites(tmp_path: Path) -> None:
    write_text(tmp_path / "v0001", "drawn by a person")
    with staging_folder(tmp_path) as staging:
        (staging / "new").touch()
        with pytest.raises(StorageError, match="exists already"):
            publish(staging / "new", tmp_path / "v0001")
    assert (tmp_path / "v0001").read_text(encoding="utf-8") == "drawn by a person"
