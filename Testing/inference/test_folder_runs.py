"""Several runs into one folder: what one has made, no other takes away."""

from __future__ import annotations

import csv
import errno
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from medssl.errors import Cancelled
from medssl.events import Event, Log, Monitor, Progress, Row
from medssl.imaging.itk import image_of
from medssl.imaging.labels import read_labels
from medssl.imaging.reading import read_volume
from medssl.imaging.volume import Volume
from medssl.imaging.writing import write_volume
from medssl.inference import content
from medssl.inference.folder import segment_folder
from medssl.inference.ledger import FOLDER
from medssl.inference.rows import FolderResult
from medssl.inference.settings import FolderSettings
from medssl.learning.model import Model

Writer = Callable[..., Path]
ModelMaker = Callable[..., Model]
CPU = FolderSettings(device="cpu")
NIFTI = FolderSettings(device="cpu", format="nii.gz")
META = "NDims = 3\nDimSize = 12 12 12\nElementType = MET_SHORT\nBinaryData = True\nElementDataFile = "
NRRD = (
    "NRRD0004\ntype: short\ndimension: 3\nsizes: 12 12 12\nspacings: 1 1 1\nendian: little\nencoding: raw\n"
    "data file: "
)
OF_NOW = ("place", "content", "shown")  # what a row of an older version lacks


@pytest.fixture
def patients(tmp_path: Path, write_scan: Writer) -> tuple[Path, Path]:
    """Two folders, each with the scan of another patient under the same name."""
    write_scan(tmp_path / "a" / "x.nii.gz")
    write_scan(tmp_path / "b" / "x.nii.gz", size=(15, 17, 19))
    return tmp_path / "a", tmp_path / "b"


def run(
    model: Model, *inputs: Path, out: Path, settings: FolderSettings = CPU, monitor: Monitor | None = None
) -> FolderResult:
    return segment_folder(model, inputs, out, settings, monitor or Monitor())


def states(result: FolderResult) -> dict[str, str]:
    return {row.scan: row.state for row in result.rows}


def table(result: FolderResult) -> dict[str, Mapping[str, str]]:
    with result.table.open(encoding="utf-8-sig", newline="") as file:
        return {line["scan"]: line for line in csv.DictReader(file)}


def age(out: Path) -> None:
    """Let the ledger be as older versions have written it."""
    ledger = out / FOLDER / "ledger.jsonl"
    rows = [json.loads(line) for line in ledger.read_text().splitlines()]
    kept = [{name: value for name, value in row.items() if name not in OF_NOW} for row in rows]
    ledger.write_text("".join(json.dumps(row) + "\n" for row in kept))


def test_a_run_over_another_folder_leaves_the_results_of_scans_of_the_same_names(
    make_model: ModelMaker, patients: tuple[Path, Path], tmp_path: Path
) -> None:
    a, b = patients
    out, events = tmp_path / "out", list[Event]()
    first = run(make_model(), a, out=out)
    before = (out / "x.seg.nrrd").read_bytes()
    second = run(make_model(), b, out=out, monitor=Monitor(events.append))
    assert states(second) == {"x-2": "done"}
    assert (out / "x.seg.nrrd").read_bytes() == before
    assert read_labels(out / "x-2.seg.nrrd").volume.grid.agrees_with(read_volume(b / "x.nii.gz").grid)
    assert [e.text for e in events if isinstance(e, Log)] == [
        "1 result has a number, since those of other scans have their names: x-2."
    ]
    told = table(second)
    assert {name: line["source"] for name, line in told.items()} == {
        "x": str(a / "x.nii.gz"),
        "x-2": str(b / "x.nii.gz"),
    }
    assert float(told["x"]["Core (ml)"]) > 0
    assert first.rows[0].measured is not None
    assert "an earlier run, with the model threshold-1" in told["x"]["note"]
    for folder, name in ((a, "x"), (b, "x-2")):  # each scan goes on under the name that it has
        assert states(run(make_model(), folder, out=out)) == {name: "skipped"}
    assert states(run(make_model(model_id="newer"), b, out=out)) == {"x-2": "done"}
    assert (out / "x.seg.nrrd").read_bytes() == before


@pytest.mark.parametrize("settings", [CPU, NIFTI])
def test_neither_another_format_nor_a_correction_lets_a_result_be_taken_for_ones_own(
    make_model: ModelMaker, patients: tuple[Path, Path], tmp_path: Path, settings: FolderSettings
) -> None:
    a, b = patients
    out = tmp_path / "out"
    run(make_model(), a, out=out)
    (out / "x.seg.nrrd").write_text("drawn by a person")
    result = run(make_model(), b, out=out, settings=settings)
    assert states(result) == {"x-2": "done"}
    assert (out / "x.seg.nrrd").read_text() == "drawn by a person"
    assert "Edited since" in table(result)["x"]["note"]


def test_a_scan_keeps_its_results_in_several_formats(
    make_model: ModelMaker, patients: tuple[Path, Path], tmp_path: Path
) -> None:
    for settings, state in ((CPU, "done"), (NIFTI, "done"), (CPU, "skipped"), (NIFTI, "skipped")):
        assert states(run(make_model(), patients[0], out=tmp_path / "out", settings=settings)) == {"x": state}


def test_scans_that_were_moved_or_copied_are_done_and_known_at_once_from_then_on(
    make_model: ModelMaker, tmp_path: Path, write_scan: Writer
) -> None:
    out = tmp_path / "out"
    for folder in ("a", "b"):  # the second is a copy of the first, and each has its own result
        write_scan(tmp_path / "here" / folder / "x.nrrd")
    (here, there) = tmp_path / "here", tmp_path / "elsewhere"
    assert set(states(run(make_model(), here / "a", here / "b", out=out)).values()) == {"done"}
    write_scan(here / "b" / "x.nrrd", size=(9, 9, 9))
    assert states(run(make_model(), here / "a", here / "b", out=out)) == {"a/x": "skipped", "b/x": "done"}
    here.rename(there)
    for file in there.rglob("x.nrrd"):
        os.utime(file)
    for _ in range(2):
        result = run(make_model(), there / "a", there / "b", out=out)
        assert set(states(result).values()) == {"skipped"}
    assert table(result)["a/x"]["source"] == str(there / "a" / "x.nrrd")
    newest = (out / FOLDER / "ledger.jsonl").read_text()
    assert newest.count(result.sources["a/x"].place) == 1  # and not looked into again by every run
    write_scan(there / "a" / "x.nrrd", size=(11, 12, 13))
    assert states(run(make_model(), there / "a", there / "b", out=out)) == {"a/x": "done", "b/x": "skipped"}


def test_scans_that_were_moved_are_looked_into_once_which_one_can_watch_and_stop(
    make_model: ModelMaker, tmp_path: Path, write_scan: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there, out = tmp_path / "here", tmp_path / "there", tmp_path / "out"
    for name in ("x", "y"):
        write_scan(here / f"{name}.nii.gz", size=(9, 9, 9))
    run(make_model(), here, out=out)
    here.rename(there)
    looked_into: list[str] = []
    sha256_of = content.sha256_of

    def noted(path: Path) -> str:
        looked_into.append(path.name)
        return sha256_of(path)

    def stop(event: Event) -> None:
        if isinstance(event, Progress) and looked_into:
            stopped.cancel()

    monkeypatch.setattr(content, "sha256_of", noted)
    stopped, events = Monitor(stop), list[Event]()
    with pytest.raises(Cancelled):
        run(make_model(), there, out=out, monitor=stopped)
    assert looked_into == ["x.nii.gz"]
    assert run(make_model(), there, out=out, monitor=Monitor(events.append)).count("skipped") == 2
    assert looked_into == ["x.nii.gz", "y.nii.gz"]
    heard = [(e.stage, e.done, e.total) for e in events if isinstance(e, Progress)]
    assert heard[0] == ("Comparing with earlier results", 0, 1)
    assert heard[1:] == [("segment", done, 2) for done in range(3)]


def test_a_run_that_is_stopped_among_scans_that_are_done_lists_them_all(
    make_model: ModelMaker, patients: tuple[Path, Path], tmp_path: Path
) -> None:
    def stop(event: Event) -> None:
        if isinstance(event, Row):
            monitor.cancel()

    monitor, out = Monitor(stop), tmp_path / "out"
    names = set(states(run(make_model(), *patients, out=out)))
    with pytest.raises(Cancelled, match="after 1 of 2 scans"):
        run(make_model(), *patients, out=out, monitor=monitor)
    with (out / "volumes.csv").open(encoding="utf-8-sig", newline="") as file:
        assert {line["scan"] for line in csv.DictReader(file)} == names


def test_copies_of_one_scan_do_not_take_each_others_results(
    make_model: ModelMaker, tmp_path: Path, write_scan: Writer
) -> None:
    one = write_scan(tmp_path / "one" / "scans" / "x.nii.gz").parent
    two = write_scan(tmp_path / "two" / "scans" / "x.nii.gz").parent
    out = tmp_path / "out"
    assert states(run(make_model(), one, two, out=out)) == {"scans/x": "done", "scans/x-2": "done"}
    again = run(make_model(), two, one, out=out)
    assert states(again) == {"scans/x": "skipped", "scans/x-2": "skipped"}
    assert again.sources["scans/x"].channels[0].source == one / "x.nii.gz"
    assert states(run(make_model(), two / "x.nii.gz", out=out)) == {"x": "done"}


def test_scans_of_equal_sizes_and_times_are_told_apart_by_what_they_hold(
    make_model: ModelMaker, tmp_path: Path, make_scan: Callable[..., Volume]
) -> None:
    """As archives unpack them: whole seconds, and files that are not compressed."""
    scan = make_scan()
    for folder, offset in (("a", 0), ("b", 3)):
        (tmp_path / folder).mkdir()
        write_volume(tmp_path / folder / "x.nii", Volume(scan.array + offset, scan.grid))
        os.utime(tmp_path / folder / "x.nii", (1_700_000_000, 1_700_000_000))
    out = tmp_path / "out"
    assert states(run(make_model(), tmp_path / "a", out=out)) == {"x": "done"}
    assert states(run(make_model(), tmp_path / "b", out=out)) == {"x-2": "done"}


def test_a_scan_in_its_place_is_skipped_without_being_read(
    make_model: ModelMaker, patients: tuple[Path, Path], tmp_path: Path
) -> None:
    scan, out = patients[0] / "x.nii.gz", tmp_path / "out"
    run(make_model(), patients[0], out=out)
    facts = scan.stat()
    scan.write_bytes(bytes(facts.st_size))
    os.utime(scan, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert states(run(make_model(), patients[0], out=out)) == {"x": "skipped"}


def test_a_folder_that_an_older_version_wrote_is_gone_on_with(
    make_model: ModelMaker, patients: tuple[Path, Path], tmp_path: Path
) -> None:
    a, b = patients
    out = tmp_path / "out"
    run(make_model(), a, out=out)
    before = (out / "x.seg.nrrd").read_bytes()
    age(out)
    assert states(run(make_model(), a, out=out)) == {"x": "skipped"}
    result = run(make_model(), b, out=out)
    assert states(result) == {"x-2": "done"}
    assert (out / "x.seg.nrrd").read_bytes() == before
    assert table(result)["x"]["segmentation"] == "x.seg.nrrd"
    assert states(run(make_model(model_id="newer"), a, out=out)) == {"x": "done"}


def test_names_that_differ_in_upper_and_lower_case_only_are_one(
    make_model: ModelMaker, tmp_path: Path, write_scan: Writer
) -> None:
    """Where the disk does not tell them apart, one result would take the other's place."""
    write_scan(tmp_path / "a" / "Head.nii.gz")
    write_scan(tmp_path / "b" / "head.nii.gz", size=(9, 9, 9))
    run(make_model(), tmp_path / "a", out=tmp_path / "out")
    assert states(run(make_model(), tmp_path / "b", out=tmp_path / "out")) == {"head-2": "done"}


def test_the_table_of_two_models_has_the_segments_of_both(
    make_model: ModelMaker, patients: tuple[Path, Path], tmp_path: Path
) -> None:
    a, b = patients
    run(make_model(), a, out=tmp_path / "out")
    renamed = make_model(model_id="other")
    schema = renamed.plan.label_schema
    segments = tuple(s.model_copy(update={"name": f"new {s.name}"}) for s in schema.segments)
    plan = renamed.plan.model_copy(update={"label_schema": schema.model_copy(update={"segments": segments})})
    told = table(run(Model(renamed.network, plan, renamed.card), b, out=tmp_path / "out"))
    assert told["x"]["new Core (ml)"] == "" != told["x"]["Core (ml)"]
    assert told["x-2"]["Core (ml)"] == "" != told["x-2"]["new Core (ml)"]


def test_what_another_run_takes_away_is_no_longer_in_the_table(
    make_model: ModelMaker, patients: tuple[Path, Path], tmp_path: Path
) -> None:
    a, b = patients
    out = tmp_path / "out"
    run(make_model(), a, out=out)
    (out / "x.seg.nrrd").unlink()
    assert set(table(run(make_model(), b, out=out))) == {"x"}


def test_results_beside_a_scan_of_two_files_are_no_files_of_it(
    make_model: ModelMaker, tmp_path: Path, make_scan: Callable[..., Volume]
) -> None:
    folder, scan = tmp_path / "scans", make_scan()
    folder.mkdir()
    sitk.WriteImage(image_of(scan.array, scan.grid), str(folder / "x.mhd"))
    assert states(run(make_model(), folder, out=folder)) == {"x": "done"}
    assert states(run(make_model(), folder, out=folder)) == {"x": "skipped"}
    shutil.copytree(folder, tmp_path / "copy")
    assert states(run(make_model(), tmp_path / "copy", out=tmp_path / "copy")) == {"x": "skipped"}


@pytest.mark.parametrize(
    ("header", "text", "parts"),
    [
        ("x.mhd", f"{META}voxels0.raw\n", 1),
        ("x.mhd", f"{META}voxels%d.raw 0 1 1\n", 2),
        ("x.nhdr", f"{NRRD}LIST 3\nvoxels0.raw\nvoxels1.raw\n", 2),
    ],
)
def test_a_scan_is_known_by_the_files_that_its_header_names_for_its_voxels(
    make_model: ModelMaker,
    make_scan: Callable[..., Volume],
    tmp_path: Path,
    header: str,
    text: str,
    parts: int,
) -> None:
    """Two patients' headers may be equal to the byte."""
    a, b, out = tmp_path / "a", tmp_path / "b", tmp_path / "out"
    array = make_scan(size=(12, 12, 12)).array.astype("<i2")

    def write(folder: Path, offset: int) -> None:
        folder.mkdir(exist_ok=True)
        (folder / header).write_text(text, newline="")
        for number, part in enumerate(np.split(array + offset, parts)):
            (folder / f"voxels{number}.raw").write_bytes(part.astype("<i2").tobytes())

    write(a, 0)
    write(b, 3)
    assert [states(run(make_model(), a, out=out)) for _ in range(2)] == [{"x": "done"}, {"x": "skipped"}]
    assert states(run(make_model(), b, out=out)) == {"x-2": "done"}
    write(a, 5)
    assert states(run(make_model(), a, out=out)) == {"x": "done"}


def test_a_table_that_is_open_in_a_spreadsheet_is_written_beside_it(
    make_model: ModelMaker, patients: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows, where Excel lets nobody replace what it shows."""
    out, events = tmp_path / "out", list[Event]()
    model, replace = make_model(), Path.replace
    run(model, patients[0], out=out)
    before = (out / "volumes.csv").read_bytes()

    def refused(path: Path, target: Path) -> Path:
        if target.name == "volumes.csv":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", refused)
    result = run(model, *patients, out=out, monitor=Monitor(events.append))
    assert result.table == out / "volumes-2.csv"
    assert set(table(result)) == {row.scan for row in result.rows} | {"x"}
    assert (out / "volumes.csv").read_bytes() == before
    (told,) = (event for event in events if isinstance(event, Log))
    assert (told.level, told.text.endswith("The table is volumes-2.csv.")) == ("warning", True)
    monkeypatch.undo()
    assert run(model, *patients, out=out).table == out / "volumes.csv"
