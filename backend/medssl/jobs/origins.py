"""From a scan that a job over folders segmented back to its files, which not every event names."""

from __future__ import annotations

from pathlib import Path

from medssl.errors import NotFoundError
from medssl.imaging.scans import Scan, find_scans
from medssl.inference.ledger import Ledger, SegmentationRow
from medssl.inference.source import Source
from medssl.jobs.requests import PredictRequest


def find_segmentation(request: PredictRequest, name: str) -> Path:
    """Return the segmentation that a job wrote for a scan, by the name of its row.

    Raises:
        NotFoundError: there is none, or it was moved.
    """
    return request.output / _done(request, name).path


def find_scan(request: PredictRequest, name: str) -> Scan:
    """Return the scan that a row's segmentation was made from: the one whose files are those that were read.

    The paths of DICOM series are in no event, since they may tell of the patient, and are looked for instead.

    Raises:
        NotFoundError: its files were moved or changed since, or several series are its channels.
    """
    wanted = _done(request, name).source
    for path in request.inputs:
        for scan in find_scans(path, request.recursive, request.names):
            if scan.problem is None and Source(scan.relative, (scan,)).fingerprint() == wanted:
                return scan
    raise NotFoundError(
        f"The scan of '{name}' is not there any more as it was segmented.",
        "Load it yourself; its segmentation is still in the folder of results.",
    )


def _done(request: PredictRequest, name: str) -> SegmentationRow:
    done = Ledger(request.output).segmentation(name)
    if done is None:
        raise NotFoundError(
            f"There is no segmentation of '{name}' in {request.output}.", "It may have been moved."
        )
    return done
