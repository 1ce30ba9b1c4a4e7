"""What went wrong on this side, in the words of the panel; beside it is `medssl.client.EngineError`."""

from __future__ import annotations


class Problem(Exception):
    """A sentence for the person (`message`), and what to do (`remedy`)."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(f"{message} {remedy}".strip())
        self.message = message
        self.remedy = remedy
