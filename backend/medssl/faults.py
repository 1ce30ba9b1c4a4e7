"""What is wrong with a file or a value that a person wrote, in words."""

from __future__ import annotations

from pydantic import ValidationError


def first_fault(error: ValidationError) -> str:
    """The first thing that is wrong, after its place where it has one, without a full stop.

    'network.features.1: Input should be greater than or equal to 1', for instance.
    """
    first = error.errors(include_url=False, include_input=False)[0]
    message = first["msg"].removeprefix("Value error, ").rstrip(".")
    return ": ".join(filter(None, (".".join(map(str, first["loc"])), message)))
