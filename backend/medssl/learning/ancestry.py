"""What a model began from, and what that began from."""

from __future__ import annotations

from contextlib import suppress

from medssl.errors import MedSSLError
from medssl.learning.card import ModelCard, read_card
from medssl.project import Project


def line_of(project: Project, card: ModelCard) -> tuple[str, ...]:
    """Return the ids of a model and of all that it began from, the nearest first, under all ids they had.

    The card itself says them. One of an older version of MedSSL names the nearest alone; then the cards of
    the project's models tell of the others, as far as those models are still there.
    """
    line, waiting = {card.id: None}, [card]
    while waiting:
        last = waiting.pop(0)
        for model_id in (last.imported_from, last.started_from, *last.begun_from):
            if model_id is None or model_id in line:
                continue
            line[model_id] = None
            with suppress(MedSSLError):  # deleted since, or known by its id elsewhere only
                waiting.append(read_card(project.model(model_id).folder))
    return tuple(line)
