"""Stands in for Slicer's module Sample Data: data sets register with it; it downloads nothing in tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import slicer


@dataclass
class SampleDataSource:
    """One data set that can be had; each field is as the original's constructor takes it."""

    sampleName: str | None = None
    sampleDescription: str | None = None
    uris: Any = None
    fileNames: Any = None
    nodeNames: Any = None
    checksums: Any = None
    loadFiles: Any = None
    customDownloader: Callable[[SampleDataSource], Any] | None = None
    thumbnailFileName: str | None = None
    loadFileType: Any = None
    loadFileProperties: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.uris, str):
            for name in ("uris", "fileNames", "nodeNames", "checksums", "loadFiles", "loadFileType"):
                setattr(self, name, [getattr(self, name)])
        self.sampleDescription = self.sampleDescription or self.sampleName
        lengths = {len(value) for value in (self.uris, self.fileNames, self.nodeNames) if value is not None}
        if len(lengths) != 1:
            raise ValueError("All fields of sample data source must have the same length")


class SampleDataLogic:
    """Manages `slicer.modules.sampleDataSources`: lists of sources by category."""

    @staticmethod
    def registerCustomSampleDataSource(
        category: str = "Custom",
        sampleName: str | None = None,
        uris: Any = None,
        fileNames: Any = None,
        nodeNames: Any = None,
        customDownloader: Callable[[SampleDataSource], Any] | None = None,
        thumbnailFileName: str | None = None,
        loadFileTypes: Any = None,
        loadFiles: Any = None,
        loadFileProperties: dict[str, Any] | None = None,
        checksums: Any = None,
        loadFileType: Any = None,
    ) -> None:
        """Add a data set, unless the same one is there already."""
        source = SampleDataSource(
            sampleName=sampleName,
            uris=uris,
            fileNames=fileNames,
            nodeNames=nodeNames,
            checksums=checksums,
            loadFiles=loadFiles,
            customDownloader=customDownloader,
            thumbnailFileName=thumbnailFileName,
            loadFileType=loadFileTypes or loadFileType,
            loadFileProperties=loadFileProperties or {},
        )
        sources = slicer.modules.sampleDataSources.setdefault(category, [])
        if source not in sources:
            sources.append(source)

    @staticmethod
    def sampleDataSourcesByCategory(category: str | None = None) -> Any:
        sources = slicer.modules.sampleDataSources
        return sources if category is None else sources.get(category, [])

    def sourceForSampleName(self, sampleName: str) -> SampleDataSource | None:
        every = [source for sources in slicer.modules.sampleDataSources.values() for source in sources]
        return next((source for source in every if source.sampleName == sampleName), None)

    def downloadFromSource(self, source: SampleDataSource, maximumAttemptsCount: int = 3) -> Any:
        """What a source's own downloader makes of it; there is no network here."""
        if source.customDownloader is None:
            raise RuntimeError(f"A test asked to download {source.uris}.")
        return source.customDownloader(source)
