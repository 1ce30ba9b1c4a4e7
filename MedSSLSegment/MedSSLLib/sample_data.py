"""Scans to try things out with."""


def register() -> None:
    """Register."""
