"""The scans of a folder of this computer that an engine on another computer can be sent."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from slicer.i18n import tr as _

from MedSSLLib.dicom_series import DicomSeries, find_series
from MedSSLLib.folder_files import files_in
from MedSSLLib.problems import Problem
from MedSSLLib.voxel_files import stem_of, suffix_of

_IN_ONE_FILE = (".nii.gz", ".nii", ".nrrd", ".mha")


@dataclass(frozen=True)
class FolderScan:
    """A scan.

    Attributes:
        name: where it lies in the folder, without the ending of its file.
        source: its file, or the folder with its DICOM series.
        series: None for a file.
    """

    name: str
    source: Path
    series: Optional[DicomSeries]


def find_scans(folder: Path, recursive: bool = True) -> list[FolderScan]:
    """Every scan of a folder, files before DICOM series; for a thread beside the main one.

    Projects in it and the results of earlier runs are no scans, as for the engine.

    Raises:
        Problem: there is none, or the folder is a project.
    """
    found = [
        FolderScan(path.relative_to(folder).with_name(stem_of(path)).as_posix(), path, None)
        for path in files_in(folder, recursive)
        if suffix_of(path) in _IN_ONE_FILE and path.is_file()
    ]
    found += [FolderScan(each.name, each.folder, each) for each in find_series(folder, recursive)]
    if not found:
        raise Problem(
            _("There are no scans in {folder} that can be sent.").format(folder=folder),
            _("Choose a folder with NIfTI, NRRD, MHA or DICOM files."),
        )
    return found
