from __future__ import annotations

import csv
import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from medssl.errors import Cancelled, DataError, StorageError, UsageError
from medssl.events import Event, Monitor, Progress
from medssl.imaging.itk import image_of
from medssl.imaging.labels import read_labels
from medssl.imaging.reading import read_grid, read_volume
from medssl.inference.folder import segment_folder
from medssl.inference.ledger import FOLDER
from medssl.inference.rows import FolderResult
from medssl.inference.settings import FolderSettings
from medssl.labels import LabelSchema
from medssl.learning.model import Model
from medssl.project import Project

Writer = Callable[..., Path]
CPU = FolderSettings(device="cpu")


@pytest.fixture
def scans(tmp_path: Path, write_scan: Writer) -> Path:
    folder = tmp_path / "scans"
    write_scan(folder / "one.nii.gz")
    write_scan(folder / "sub folder" / "zwei.5 ü.nrrd", size=(15, 17, 9))
    write_scan(folder / "sub folder" / "three.mha", size=(9, 9, 9))
    return folder


def run(model: Model, inputs: Path, output: Path, settings: FolderSettings = CPU) -> FolderResult:
    return segment_folder(model, [inputs], output, settings, Monitor())


def states(result: FolderResult) -> dict[str, str]:
    return {row.scan: row.state for row in result.rows}


def snapshot(folder: Path) -> dict[Path, tuple[int, bytes]]:
    return {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in folder.rglob("*") if p.is_file()}


def test_every_scan_of_the_tree_gets_a_segmentation_on_its_grid_at_its_place(
    make_model: Callable[..., Model], scans: Path, tmp_path: Path
) -> None:
    result = run(make_model(), scans, tmp_path / "out")
    assert states(result) == {"one": "done", "sub folder/three": "done", "sub folder/zwei.5 ü": "done"}
    for row in result.rows:
        assert row.output == tmp_path / "out" / f"{row.scan}.seg.nrrd"
        labels = read_labels(row.output)
        scan = read_volume(row.source)
        assert labels.volume.grid.agrees_with(scan.grid)
        assert [s.name for s in labels.segments or ()] == ["Shell", "Core"]
        np.testing.assert_array_equal(labels.volume.array == 3, scan.array > 200)


def test_nifti_is_written_when_asked(make_model: Callable[..., Model], scans: Path, tmp_path: Path) -> None:
    result = run(make_model(), scans, tmp_path / "out", FolderSettings(format="nii.gz", device="cpu"))
    assert {row.output for row in result.rows} == {tmp_path / "out" / f"{r.scan}.nii.gz" for r in result.rows}
    for row in result.rows:
        assert row.output is not None
        assert read_grid(row.output).agrees_with(read_grid(row.source))


def test_the_table_holds_the_volume_of_every_segment(
    make_model: Callable[..., Model], scans: Path, tmp_path: Path
) -> None:
    (scans / "bad.nii.gz").write_bytes(b"nothing")
    result = run(make_model(), scans, tmp_path / "out")
    with result.table.open(encoding="utf-8-sig", newline="") as file:
        lines = {line["scan"]: line for line in csv.DictReader(file)}
    assert set(lines) == {row.scan for row in result.rows}
    for row in result.rows:
        if row.measured is not None:
            assert float(lines[row.scan]["Core (ml)"]) == pytest.approx(
                row.measured.volumes_ml["Core"], abs=1e-4
            )
    assert lines["bad"]["state"] == "failed"
    assert lines["bad"]["Core (ml)"] == ""
    assert "bad.nii.gz" in lines["bad"]["note"]


def test_bad_files_are_listed_with_their_reason_and_stop_nothing(
    make_model: Callable[..., Model], scans: Path, tmp_path: Path
) -> None:
    (scans / "a empty.nii.gz").write_bytes(b"")
    (scans / "b text.nrrd").write_text("This is not an image.")
    whole = (scans / "one.nii.gz").read_bytes()
    (scans / "c truncated.nii.gz").write_bytes(whole[: len(whole) // 2])
    result = run(make_model(), scans, tmp_path / "out")
    assert set(result.failed) == {"a empty", "b text", "c truncated"}
    for name, reason in result.failed.items():
        assert name in reason
        assert reason.endswith(".")
    assert result.count("done") == 3


def test_the_table_says_in_the_words_of_the_report_what_became_of_each_scan(
    make_model: Callable[..., Model], scans: Path, tmp_path: Path
) -> None:
    run(make_model(), scans / "one.nii.gz", tmp_path / "out")
    (scans / "bad.nii.gz").write_bytes(b"nothing")
    Project.create(scans / "mine", LabelSchema.of_names({1: "Core"})).close()
    result = run(make_model(), scans, tmp_path / "out")
    with result.table.open(encoding="utf-8-sig", newline="") as file:
        told = {line["scan"]: line["state"] for line in csv.DictReader(file)}
    assert (told["one"], told["bad"], told["mine"]) == ("done before", "failed", "left out")
    assert told["sub folder/three"] == "done"


def test_a_second_run_skips_what_is_done_and_changes_no_segmentation(
    make_model: Callable[..., Model], scans: Path, tmp_path: Path
) -> None:
    first = run(make_model(), scans, tmp_path / "out")
    before = snapshot(tmp_path / "out")
    second = run(make_model(), scans, tmp_path / "out")
    assert set(states(second).values()) == {"skipped"}
    assert [row.measured for row in second.rows] == [row.measured for row in first.rows]
    for path, content in snapshot(tmp_path / "out").items():
        if path.suffix == ".nrrd":
            assert content == before[path]


def test_changed_scans_new_scans_and_other_models_are_done_again(
    make_model: Callable[..., Model], scans: Path, tmp_path: Path, write_scan: Writer
) -> None:
    out = tmp_path / "out"
    run(make_model(), scans, out)
    write_scan(scans / "one.nii.gz", size=(12, 13, 14))
    write_scan(scans / "four.nii.gz", size=(9, 9, 9))
    expected = {
        "four": "done",
        "one": "done",
        "sub folder/three": "skipped",
        "sub folder/zwei.5 ü": "skipped",
    }
    assert states(run(make_model(), scans, out)) == expected
    assert read_grid(out / "one.seg.nrrd").size == (12, 13, 14)
    (out / "four.seg.nrrd").unlink()
    assert states(run(make_model(), scans, out))["four"] == "done"
    assert set(states(run(make_model(model_id="another"), scans, out)).values()) == {"done"}
    again = run(make_model(model_id="another"), scans, out, FolderSettings(skip_done=False, device="cpu"))
    assert set(states(again).values()) == {"done"}


def test_a_segmentation_that_a_person_corrected_in_its_place_is_kept(
    make_model: Callable[..., Model], scans: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run(make_model(), scans, out)
    shutil.copyfile(out / "sub folder" / "three.seg.nrrd", out / "one.seg.nrrd")
    corrected = (out / "one.seg.nrrd").read_bytes()
    same = next(row for row in run(make_model(), scans, out).rows if row.scan == "one")
    assert same.state == "skipped"
    assert "Edited" in same.note
    other = run(make_model(model_id="another"), scans, out)
    assert set(other.failed) == {"one"}
    assert "left alone" in other.failed["one"]
    assert (out / "one.seg.nrrd").read_bytes() == corrected


def test_files_of_somebody_else_in_the_output_folder_are_left_alone(
    make_model: Callable[..., Model], scans: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "one.seg.nrrd").write_text("mine")
    (out / "volumes.csv").write_text("mine too")
    result = run(make_model(), scans, out)
    assert set(result.failed) == {"one"}
    assert result.table == out / "volumes-2.csv"
    assert (out / "one.seg.nrrd").read_text() == "mine"
    assert (out / "volumes.csv").read_text() == "mine too"
    assert run(make_model(), scans, out).table == out / "volumes-2.csv"


@pytest.mark.parametrize("label_format", ["seg.nrrd", "nii.gz"])
def test_outputs_inside_the_input_folder_are_not_read_as_scans(
    make_model: Callable[..., Model], scans: Path, label_format: str
) -> None:
    settings = FolderSettings.model_validate({"format": label_format, "device": "cpu"})
    before = snapshot(scans)
    names = set(states(run(make_model(), scans, scans / "results", settings)))
    assert set(states(run(make_model(), scans, scans / "results", settings))) == names
    # Neither does a run into another folder take the first one's outputs for scans.
    assert set(states(run(make_model(), scans, scans / "results 2", settings))) == names
    assert {path: content for path, content in snapshot(scans).items() if path in before} == before


def test_segmentations_beside_the_scans_are_possible_but_not_in_a_format_that_counts_as_scan(
    make_model: Callable[..., Model], scans: Path
) -> None:
    names = set(states(run(make_model(), scans, scans)))
    assert set(states(run(make_model(), scans, scans)).values()) == {"skipped"}
    assert set(states(run(make_model(), scans, scans))) == names
    with pytest.raises(UsageError, match="Choose another output folder"):
        run(make_model(), scans, scans, FolderSettings(format="nii.gz", device="cpu"))


def test_a_cancelled_run_goes_on_where_it_stopped(
    make_model: Callable[..., Model], tmp_path: Path, write_scan: Writer
) -> None:
    for index in range(8):
        write_scan(tmp_path / "scans" / f"{index}.nii.gz", size=(9, 9, 9))

    def stop_after_three(event: Event) -> None:
        if isinstance(event, Progress) and event.done >= 3:
            monitor.cancel()

    monitor = Monitor(stop_after_three)
    with pytest.raises(Cancelled, match="of 8 scans"):
        segment_folder(make_model(), [tmp_path / "scans"], tmp_path / "out", CPU, monitor)
    done = len(list((tmp_path / "out").glob("*.seg.nrrd")))
    assert 3 <= done < 8
    assert len((tmp_path / "out" / "volumes.csv").read_text().splitlines()) == 1 + done
    result = run(make_model(), tmp_path / "scans", tmp_path / "out")
    assert (result.count("skipped"), result.count("done")) == (done, 8 - done)


def test_an_interrupt_leaves_whole_files_and_no_unfinished_ones(
    make_model: Callable[..., Model], scans: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"

    def interrupt(event: Event) -> None:
        if isinstance(event, Progress) and event.done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        segment_folder(make_model(), [scans], out, CPU, Monitor(interrupt))
    for path in out.rglob("*.seg.nrrd"):
        read_labels(path)
    assert {path.name for path in (out / FOLDER).iterdir()} <= {"ledger.jsonl", "lock"}
    assert run(make_model(), scans, out).count("skipped") >= 1


def test_progress_counts_scans_up_to_all(
    make_model: Callable[..., Model], scans: Path, tmp_path: Path
) -> None:
    events: list[Event] = []
    segment_folder(make_model(), [scans], tmp_path / "out", CPU, Monitor(events.append))
    done = [(event.done, event.total) for event in events if isinstance(event, Progress)]
    assert done == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_single_files_and_several_folders_of_one_name_are_told_apart(
    make_model: Callable[..., Model], tmp_path: Path, write_scan: Writer
) -> None:
    a = write_scan(tmp_path / "a" / "scans" / "x.nii.gz").parent
    b = write_scan(tmp_path / "b" / "scans" / "x.nii.gz").parent
    single = write_scan(tmp_path / "x.nrrd")
    result = segment_folder(make_model(), [a, b, single], tmp_path / "out", CPU, Monitor())
    assert states(result) == {"scans/x": "done", "scans/x-2": "done", "x": "done"}


def test_channels_of_one_scan_are_found_by_their_numbers(
    make_model: Callable[..., Model], tmp_path: Path, write_scan: Writer
) -> None:
    model = make_model(channel_names=("T1", "T2"))
    for name in ("a_0000", "a_0001", "b_0000", "c"):
        write_scan(tmp_path / "scans" / f"{name}.nii.gz", size=(9, 9, 9))
    result = run(model, tmp_path / "scans", tmp_path / "out")
    assert states(result) == {"a": "done", "b": "failed", "c": "failed"}
    assert "T2 is missing" in result.failed["b"]
    assert "_0000" in result.failed["c"]


def test_channels_of_scans_of_one_name_are_never_mixed_between_folders(
    make_model: Callable[..., Model], tmp_path: Path, write_scan: Writer
) -> None:
    folders = {"a": ("x_0000", "x_0001"), "b": ("x_0000", "x_0001"), "c": ("x_0000",), "d": ("x_0001",)}
    for folder, names in folders.items():
        for name in names:
            write_scan(tmp_path / folder / "imagesTs" / f"{name}.nii.gz", size=(9, 9, 9))
    inputs = [tmp_path / folder / "imagesTs" for folder in folders]
    model = make_model(channel_names=("T1", "T2"))
    result = segment_folder(model, inputs, tmp_path / "out", CPU, Monitor())
    assert states(result) == {
        "imagesTs/x": "done", "imagesTs/x-2": "done", "imagesTs/x-3": "failed", "imagesTs/x-4": "failed",
    }  # fmt: skip
    for source, (folder, names) in zip(result.sources.values(), folders.items(), strict=True):
        where = tmp_path / folder / "imagesTs"
        assert [scan.source for scan in source.channels] == [where / f"{name}.nii.gz" for name in names]
    single = [inputs[2] / "x_0000.nii.gz", inputs[3] / "x_0001.nii.gz"]
    result = segment_folder(model, single, tmp_path / "out of files", CPU, Monitor())
    assert states(result) == {"x": "failed", "x-2": "failed"}


def test_a_damaged_file_is_told_as_damaged_and_not_to_be_renamed(
    make_model: Callable[..., Model], tmp_path: Path, write_scan: Writer
) -> None:
    folder = tmp_path / "scans"
    channel = read_volume(write_scan(folder / "apart_0000.nii.gz", size=(9, 9, 9)))
    image = image_of(channel.array, channel.grid)
    sitk.WriteImage(sitk.JoinSeries([image, image]), str(folder / "both.nii.gz"))
    whole = (folder / "both.nii.gz").read_bytes()
    for name in ("both", "BRATS_0001", "apart_0001"):
        (folder / f"{name}.nii.gz").write_bytes(whole[: len(whole) // 2])
    result = run(make_model(channel_names=("T1", "T2")), folder, tmp_path / "out")
    for name, file in (("both", "both"), ("BRATS", "BRATS_0001"), ("apart", "apart_0001")):
        assert f"{file}.nii.gz is damaged or incomplete" in result.failed[name]


def test_a_folder_without_scans_is_refused(make_model: Callable[..., Model], tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    with pytest.raises(DataError, match="No scan"):
        run(make_model(), tmp_path / "scans", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_full_disk_ends_the_run_with_one_sentence_instead_of_failing_every_scan(
    make_model: Callable[..., Model], scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("medssl.inference.ledger.os.fsync", full)
    with pytest.raises(StorageError, match="disk is full"):
        run(make_model(), scans, tmp_path / "out")
    monkeypatch.undo()
    assert run(make_model(), scans, tmp_path / "out").count("failed") == 0


def test_a_disk_that_is_full_at_the_end_is_named_by_the_table(
    make_model: Callable[..., Model], scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("medssl.inference.rows.csv.writer", full)
    with pytest.raises(StorageError, match=r"disk is full: .*volumes\.csv"):
        run(make_model(), scans, tmp_path / "out")


def test_an_output_folder_that_may_not_be_written_is_named(
    make_model: Callable[..., Model], scans: Path, read_only_folder: Path
) -> None:
    with pytest.raises(StorageError, match="may not be written"):
        run(make_model(), scans, read_only_folder / "out")


def test_one_file_of_all_channels_gives_what_files_of_one_channel_give(
    make_model: Callable[..., Model], tmp_path: Path, write_scan: Writer
) -> None:
    model = make_model(channel_names=("T1", "T2"))
    folder = tmp_path / "scans"
    parts = [read_volume(write_scan(folder / f"apart_{number:04d}.nii.gz")) for number in range(2)]
    images = [image_of(part.array, part.grid) for part in parts]
    sitk.WriteImage(sitk.JoinSeries(images), str(folder / "BRATS_0001.nii.gz"))  # no channel's number
    sitk.WriteImage(sitk.Compose(images), str(folder / "numbers.nrrd"))
    sitk.WriteImage(sitk.JoinSeries([*images, images[0]]), str(folder / "three.nii.gz"))
    result = run(model, folder, tmp_path / "out")
    assert states(result) == {"BRATS_0001": "done", "apart": "done", "numbers": "done", "three": "failed"}
    found = [read_labels(row.output).volume for row in result.rows if row.output is not None]
    for labels in found:
        assert labels.grid.agrees_with(parts[0].grid)
        np.testing.assert_array_equal(labels.array, found[0].array)
    assert result.sources["numbers"].voxels() == result.sources["apart"].voxels() == 2 * parts[0].array.size
    assert states(run(model, folder, tmp_path / "out"))["BRATS_0001"] == "skipped"


def test_a_project_inside_the_folder_is_left_out_and_said(
    make_model: Callable[..., Model], tmp_path: Path, write_scan: Writer
) -> None:
    scan = write_scan(tmp_path / "scans" / "a.nii.gz")
    with Project.create(tmp_path / "scans" / "project", LabelSchema.of_names({1: "Core"})) as project:
        project.add_case("a", [scan], copy=True)
    result = run(make_model(), tmp_path / "scans", tmp_path / "out")
    assert states(result) == {"a": "done", "project": "unfit"}
    assert "is a project of MedSSL" in result.unfit["project"]


def test_what_may_not_be_read_is_a_row_and_stops_nothing(
    make_model: Callable[..., Model], scans: Path, tmp_path: Path, make_unreadable: Callable[[Path], None]
) -> None:
    (scans / "lost+found").mkdir()
    (scans / "notes.txt").write_text("none of your business")
    for name in ("lost+found", "notes.txt"):
        make_unreadable(scans / name)
    result = run(make_model(), scans, tmp_path / "out")
    assert (result.count("done"), sorted(result.failed)) == (3, ["lost+found", "notes.txt"])
    assert "lost+found may not be read" in result.failed["lost+found"]


def test_a_name_that_is_too_long_for_its_result_fails_alone(
    make_model: Callable[..., Model], tmp_path: Path, write_scan: Writer
) -> None:
    good = write_scan(tmp_path / "scans" / "a.nii.gz")
    shutil.copy(good, good.with_name("n" * 247 + ".nii.gz"))
    result = run(make_model(), tmp_path / "scans", tmp_path / "out")
    assert states(result) == {"a": "done", "n" * 247: "failed"}
    assert "is too long for this computer. Choose a shorter folder or name." in result.failed["n" * 247]
