"""Words that depend on a number."""

from __future__ import annotations

from collections.abc import Sequence

_NAMED = 3


def counted(number: int, one: str, several: str = "") -> str:
    """A number with its noun: `counted(1, "scan")` is '1 scan', `counted(2, "scan")` is '2 scans'.

    Args:
        number: of the things.
        one: what a single one is called; may be several words, the last of which changes.
        several: what more of them, or none, are called; `one` and an 's' when empty.
    """
    return f"{number} {one if number == 1 else several or f'{one}s'}"


def listed(names: Sequence[str]) -> str:
    """Names in a sentence, those of many shortened: 'a, b, c and 3 more'."""
    if len(names) <= _NAMED:
        return ", ".join(names)
    return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED} more"


def accepted_note(cases: Sequence[str]) -> str:
    """What has to be said of scores against references that no person drew, by the names of the cases."""
    one = len(cases) == 1
    return (
        f"{counted(len(cases), 'reference is a proposal', 'references are proposals')} of another model, "
        f"accepted as {'it was' if one else 'they were'} ({listed(cases)}): where models make the same "
        f"mistakes, {'its scores are' if one else 'their scores are'} too good."
    )


def seen_note(cases: Sequence[str]) -> str:
    """What has to be said of scores on scans that a model has seen without their annotations."""
    return (
        f"The model learned from {counted(len(cases), 'scored scan')} without what is drawn on "
        f"{'it' if len(cases) == 1 else 'them'} ({listed(cases)}): on scans that are new to it, it may do "
        "somewhat worse."
    )


def none_of(number: int, one: str) -> str:
    """How a sentence begins that says what became of not one: 'None of the 3 scans', 'Not one scan'."""
    return f"None of the {counted(number, one)}" if number > 1 else f"Not one {one}"
