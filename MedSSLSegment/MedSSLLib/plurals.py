"""Sentences about one thing and about several, each of which can be translated."""

from __future__ import annotations


def plural(number: int, one: str, several: str) -> str:
    """The sentence for a number of things: `one` of a single one, `several` of more and of none."""
    return one if number == 1 else several
