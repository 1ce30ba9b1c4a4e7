"""Files that travel: uploads, results to download, and a look into folders of the engine's computer."""

from __future__ import annotations

from pathlib import Path

from medssl.client.answers import done, folder_of, record_of
from medssl.client.calls import Calls, as_text, one_part
from medssl.client.records import Folder, ResultFolder, Upload
from medssl.client.transfers import receive, send


class FileCalls(Calls):
    """Files that travel: uploads, results to download, and a look into folders of the engine's computer."""

    def upload(
        self, file: str | Path, *, folder: ResultFolder | None = None, place: str | None = None
    ) -> Upload:
        """Send a volume, or the zip of a model, to the engine's computer, where it stays for a day.

        The images of a DICOM series go into one folder, each at a place that ends in '.dcm'.

        Args:
            file: the file.
            folder: from `make_folder`, for files that belong together; they go when it is removed.
            place: where in that folder, such as 'sub/scan.nii.gz'; the file's own name when left out.
        """
        where = None if folder is None else folder.id
        return send(self.connection, Path(file), where, place)

    def make_folder(self) -> ResultFolder:
        """Make a folder for uploads that belong together, or for results to download; it stays for a day."""
        return self.connection.change("POST", "/v1/uploads/folder", record_of(ResultFolder))

    def remove_upload(self, upload_id: str) -> None:
        """Remove an uploaded file before its day is over."""
        self.connection.change("DELETE", f"/v1/uploads/{one_part(upload_id)}", done)

    def download(self, path: str | Path, target: str | Path) -> Path:
        """Download a result: a segmentation, a table or a report."""
        return receive(self.connection, "/v1/files", {"path": as_text(path)}, Path(target))

    def folder(self, folder: str | Path | None = None, *, offset: int = 0) -> Folder:
        """Look into a folder of the engine's computer; without one, at its roots.

        An answer that is not `complete` goes on at the `offset` after its entries.
        """
        query = {"folder": as_text(folder), "offset": offset}
        return self.connection.get("/v1/folders", folder_of, query)
