"""DICOM series are sent image by image; what only claims to be one is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dicom_making import change, write_series
from medssl.client import Client, EngineError
from medssl.imaging.reading import read_volume
from service_engine import Engine

VOXELS = np.random.default_rng(2).integers(-50, 300, (5, 8, 6)).astype(np.int16)


def test_a_series_that_was_sent_image_by_image_is_one_scan(
    engine: Engine, client: Client, tmp_path: Path
) -> None:
    project = engine.new_project()
    files = write_series(tmp_path / "scan", VOXELS)
    parcel = client.make_folder()
    for number, file in enumerate(reversed(files)):
        upload = client.upload(file, folder=parcel, place=f"series/{number}.dcm")
        assert upload.grid is None
    case = client.add_case(project.key, "sent", [f"{parcel.path}/series"])
    client.remove_upload(parcel.id)
    kept, own = read_volume(Path(case.channels[0])), read_volume(tmp_path / "scan")
    assert np.array_equal(kept.array, own.array)
    assert kept.grid.agrees_with(own.grid)


@pytest.mark.parametrize("frames", [1_000_000, 2**31 - 1])
def test_an_image_that_promises_more_than_it_can_hold_is_refused(
    client: Client, tmp_path: Path, frames: int
) -> None:
    (file,) = write_series(tmp_path, VOXELS[:1])
    change(file, NumberOfFrames=frames)
    with pytest.raises(EngineError, match="cannot hold what its header promises") as told:
        client.upload(file, folder=client.make_folder(), place="bomb.dcm")
    assert told.value.status == 422


def test_what_is_no_image_is_not_taken_for_one(client: Client, tmp_path: Path) -> None:
    (file,) = write_series(tmp_path, VOXELS[:1])
    change(file, Rows=None)
    text = tmp_path / "text.dcm"
    text.write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 500)
    for wrong in (file, text):
        with pytest.raises(EngineError, match="no DICOM image"):
            client.upload(wrong, folder=client.make_folder(), place="series/wrong.dcm")
