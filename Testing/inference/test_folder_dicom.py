"""Trees of DICOM series are segmented into DICOM segmentations of their series."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_making import write_series
from medssl.errors import MissingPackageError
from medssl.events import Monitor
from medssl.imaging.labels import fit_to_grid, match_schema, read_labels
from medssl.imaging.reading import read_volume
from medssl.imaging.volume import Volume
from medssl.inference.folder import segment_folder
from medssl.inference.rows import FolderResult
from medssl.inference.settings import FolderSettings
from medssl.learning.model import Model

DICOM = FolderSettings(format="dicom-seg", device="cpu")
ModelMaker = Callable[..., Model]
ScanMaker = Callable[..., Volume]


def run(model: Model, inputs: Path, output: Path, settings: FolderSettings = DICOM) -> FolderResult:
    return segment_folder(model, [inputs], output, settings, Monitor())


def test_a_series_gets_a_dicom_segmentation_that_names_the_model(
    make_model: ModelMaker, make_scan: ScanMaker, tmp_path: Path
) -> None:
    array = make_scan(size=(22, 20, 18)).array
    write_series(tmp_path / "scans" / "a", array, PixelSpacing=[1, 1], SliceThickness=1)
    model = make_model()
    (row,) = run(model, tmp_path / "scans", tmp_path / "out").rows
    assert row.output is not None
    assert row.output.name.endswith(".seg.dcm")
    found = pydicom.dcmread(row.output)
    assert [item.SegmentLabel for item in found.SegmentSequence] == ["Shell", "Core"]
    assert {item.SegmentAlgorithmName for item in found.SegmentSequence} == {"Thresholding"}
    labels = match_schema(read_labels(row.output), model.plan.label_schema, "a")
    scan = read_volume(tmp_path / "scans" / "a")
    values = fit_to_grid(labels, scan.grid, "a")
    np.testing.assert_array_equal(values == 3, scan.array > 200)


def test_a_file_that_is_no_dicom_fails_with_a_sentence_and_the_series_beside_it_is_done(
    make_model: ModelMaker, make_scan: ScanMaker, write_scan: Callable[..., Path], tmp_path: Path
) -> None:
    write_series(tmp_path / "scans" / "a", make_scan().array)
    write_scan(tmp_path / "scans" / "b.nii.gz")
    result = run(make_model(), tmp_path / "scans", tmp_path / "out")
    assert result.count("done") == 1
    assert "b.nii.gz is no DICOM series, and a DICOM segmentation refers to one" in result.failed["b"]


def test_without_highdicom_the_run_says_at_once_how_to_get_it(
    make_model: ModelMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(
        "medssl.imaging.dicom_packages.find_spec", lambda name: None if name == "highdicom" else there(name)
    )
    with pytest.raises(MissingPackageError, match="pip install highdicom"):
        run(make_model(), tmp_path, tmp_path / "out")
