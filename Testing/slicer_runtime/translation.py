"""Stands in for slicer.i18n, with nothing translated."""

from __future__ import annotations

from pathlib import Path

__all__ = ["getContext", "tr", "translate"]


def getContext(sourceFile: str) -> str:
    return Path(sourceFile).stem


def tr(text: str) -> str:
    return text


def translate(context: str, text: str) -> str:
    return text
