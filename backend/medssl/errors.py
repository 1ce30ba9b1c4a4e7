"""The errors a person may see: what went wrong, with which file, and what to do about it."""

from __future__ import annotations

from typing import ClassVar


class MedSSLError(Exception):
    """Base of every error that is shown to a person.

    Args:
        what: one sentence that names the thing and, where there is one, the file.
        remedy: one sentence that says what to do.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, remedy: str = "") -> None:
        self.what = what
        self.remedy = remedy
        super().__init__(f"{what} {remedy}".strip())

    def __reduce__(self) -> tuple[type[MedSSLError], tuple[str, str]]:
        """Keep both sentences when the error crosses a process boundary."""
        return type(self), (self.what, self.remedy)


class UsageError(MedSSLError):
    """A request that cannot be meant: an unknown name, options that exclude each other."""

    code = "usage"
    exit_code = 2


class ImageError(MedSSLError):
    """A volume that cannot be read, or that holds what a scan cannot hold."""

    code = "image"


class GridError(ImageError):
    """A label map that does not lie on the grid of its scan and cannot be brought onto it."""

    code = "grid"


class LabelError(MedSSLError):
    """Label values or segments that the project's schema does not know."""

    code = "label"


class StorageError(MedSSLError):
    """A disk that is full, a folder that may not be written, a file that is locked."""

    code = "storage"


class ProjectError(MedSSLError):
    """A project that cannot be opened, or a step that its state does not allow."""

    code = "project"


class NotFoundError(ProjectError):
    """A project, case, model or job that is not there."""

    code = "not_found"


class DataError(MedSSLError):
    """Cases that cannot be trained on or evaluated: none annotated, a class that nobody drew."""

    code = "data"


class ModelError(MedSSLError):
    """A model that cannot be loaded or does not fit the scan."""

    code = "model"


class MissingPackageError(MedSSLError):
    """An optional package that this step needs."""

    code = "package"


class Cancelled(MedSSLError):  # noqa: N818 - it is an outcome asked for, not a failure
    """The person asked to stop. Nothing failed."""

    code = "cancelled"
    exit_code = 130

    def __init__(self, what: str = "Cancelled.", remedy: str = "") -> None:
        super().__init__(what, remedy)
