from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from locking import open_elsewhere
from medssl import storage
from medssl.errors import StorageError
from medssl.imaging.own_files import results_in
from medssl.inference.ledger import FOLDER, Ledger, Measurements, SegmentationRow, locked

MEASURED = Measurements(volumes_ml={"Core": 1.5}, score=0.25, worst_slice=3, seconds=0.5)


def publish(output: Path, content: str, target: str = "a/scan.seg.nrrd", scan: str = "a/scan") -> Ledger:
    ledger = Ledger(output)
    staged = output / "staged"
    output.mkdir(exist_ok=True)
    staged.write_text(content)
    path, size, sha256 = ledger.describe(staged, output / target)
    row = SegmentationRow(
        path=path, bytes=size, sha256=sha256, scan=scan, source="s", model_id="m", measured=MEASURED
    )
    ledger.publish(staged, row)
    return ledger


def test_what_was_published_is_known_to_the_next_run(tmp_path: Path) -> None:
    publish(tmp_path, "one")
    ledger = Ledger(tmp_path)
    target = tmp_path / "a" / "scan.seg.nrrd"
    row = ledger.segmentation("a/scan")
    assert row is not None
    assert row.measured == MEASURED
    assert ledger.is_ours(target)
    assert results_in(tmp_path) == {target}
    assert target.read_text() == "one"


def test_our_own_file_is_replaced_and_the_newest_row_counts(tmp_path: Path) -> None:
    publish(tmp_path, "one")
    publish(tmp_path, "two!")
    row = Ledger(tmp_path).segmentation("a/scan")
    assert row is not None
    assert row.bytes == 4
    assert (tmp_path / "a" / "scan.seg.nrrd").read_text() == "two!"


def test_a_file_that_replaces_another_is_on_the_disk_before_it_has_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut must not leave the name to a file whose content never reached the disk."""
    publish(tmp_path, "one")
    on_disk: set[int] = set()
    named: list[bool] = []
    fsync, replace = os.fsync, Path.replace

    def synced(handle: int) -> None:
        on_disk.add(os.fstat(handle).st_ino)
        fsync(handle)

    def renamed(path: Path, target: Path) -> Path:
        named.append(path.stat().st_ino in on_disk)
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    publish(tmp_path, "two!")
    assert named == [True]


def test_a_file_that_is_being_read_is_replaced_a_moment_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows, which refuses it until then; a person may be looking at the segmentation."""
    publish(tmp_path, "one")
    open_elsewhere(monkeypatch)
    monkeypatch.setattr(storage.replace_file, "__defaults__", (5.0,))
    publish(tmp_path, "two!")
    assert (tmp_path / "a" / "scan.seg.nrrd").read_text() == "two!"


@pytest.mark.parametrize("content", ["drawn by a person", "on"])
def test_a_file_that_a_person_changed_is_never_replaced(tmp_path: Path, content: str) -> None:
    publish(tmp_path, "one")
    target = tmp_path / "a" / "scan.seg.nrrd"
    target.write_text(content)
    with pytest.raises(StorageError, match="left alone"):
        publish(tmp_path, "two")
    assert target.read_text() == content


def test_a_segmentation_whose_file_is_gone_counts_as_not_made(tmp_path: Path) -> None:
    publish(tmp_path, "one")
    (tmp_path / "a" / "scan.seg.nrrd").unlink()
    assert Ledger(tmp_path).segmentation("a/scan") is None


def test_half_a_line_from_a_kill_loses_no_other_line(tmp_path: Path) -> None:
    publish(tmp_path, "one")
    ledger = tmp_path / FOLDER / "ledger.jsonl"
    with ledger.open("ab") as file:
        file.write(b'{"kind": "segmentation", "path": "b/sc')
    publish(tmp_path, "two", "b/scan.seg.nrrd", "b/scan")
    again = Ledger(tmp_path)
    assert again.segmentation("a/scan") is not None
    assert again.segmentation("b/scan") is not None


def test_a_folder_that_is_copied_elsewhere_keeps_its_ledger(tmp_path: Path) -> None:
    publish(tmp_path / "one", "content")
    (tmp_path / "one").rename(tmp_path / "two")
    ledger = Ledger(tmp_path / "two")
    assert ledger.is_ours(tmp_path / "two" / "a" / "scan.seg.nrrd")


def test_a_second_process_is_kept_out_and_let_in_when_the_first_is_gone(tmp_path: Path) -> None:
    program = "import sys, pathlib; from medssl.inference.ledger import locked\n"
    program += "with locked(pathlib.Path(sys.argv[1])): print('in', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline().strip() == b"in"
        with pytest.raises(StorageError, match="Another run"), locked(tmp_path):
            pass
        other.kill()
    with locked(tmp_path):
        pass


def test_a_file_in_the_place_of_the_output_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(StorageError, match="out"), locked(tmp_path / "out"):
        pass
