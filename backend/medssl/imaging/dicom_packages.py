"""What DICOM needs that not every installation has."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from medssl.errors import MissingPackageError

INSTALL_DICOM = f'Install it: "{sys.executable}" -m pip install highdicom python-gdcm'


def check_highdicom() -> None:
    """Raise `MissingPackageError` when DICOM segmentations cannot be written here."""
    if find_spec("highdicom") is None:
        raise MissingPackageError(
            "Writing DICOM segmentations needs the package highdicom, which is not installed.", INSTALL_DICOM
        )
