"""Which series of a study is which channel of a model, while a person edits it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional

from slicer.i18n import tr as _

from MedSSLLib.problems import Problem

if TYPE_CHECKING:
    from medssl.client import ModelChannels

    from MedSSLLib.session import Session

TEXTS = ("description", "not_description", "protocol", "sequence", "image_type", "modality")


@dataclass(frozen=True)
class Line:
    """One condition on the series of a channel; a channel's later ones are alternatives.

    Attributes:
        channel: its name.
        texts: what `TEXTS` must hold, in their order; empty where anything will do.
        contrast: whether a contrast agent must be named; None where both will do.
    """

    channel: str
    texts: tuple[str, ...] = ("",) * len(TEXTS)
    contrast: Optional[bool] = None


def lines_of(found: ModelChannels) -> tuple[Line, ...]:
    """The conditions of all channels, in the order in which they are tried."""
    return tuple(
        Line(channel, tuple(str(each.get(name) or "") for name in TEXTS), each.get("contrast"))
        for channel in found.channels
        for each in found.rules.get(channel, ())
    )


def rules_of(lines: Sequence[Line], channels: Sequence[str]) -> dict[str, Any]:
    """Write lines as the engine's rules.

    Raises:
        Problem: a channel has no line that asks for anything, or a text is no regular expression.
    """
    rules: dict[str, list[dict[str, Any]]] = {channel: [] for channel in channels}
    for line in lines:
        condition: dict[str, Any] = {name: text for name, text in zip(TEXTS, line.texts) if text}
        for text in condition.values():
            _check(text)
        if line.contrast is not None:
            condition["contrast"] = line.contrast
        if condition:
            rules[line.channel].append(condition)
    empty = [channel for channel, conditions in rules.items() if not conditions]
    if empty:
        raise Problem(
            _("Nothing says which series is the channel {channel}.").format(channel=empty[0]),
            _("Fill in at least one field of its line."),
        )
    return rules


def _check(text: str) -> None:
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise Problem(
            _("'{text}' cannot be looked for: {reason}.").format(text=text, reason=error),
            _("Put a \\ before a sign that stands for itself, such as ( or *."),
        ) from error


class ChannelRulesLogic:
    """Asks for the rules of a model, and changes them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def needed(self) -> bool:
        """Whether scans have several channels, so that series must be told apart."""
        project = self._session.project
        return project is not None and len(project.channel_names) > 1

    def ask(self, model: str, done: Callable[[ModelChannels], Any]) -> None:
        """Ask for the rules of a model."""
        project = self._session.project
        if project is not None:
            key = project.key
            self._session.ask(lambda client: client.channel_rules(key, model), done)

    def save(
        self,
        model: str,
        rules: Optional[Mapping[str, Any]],
        done: Callable[[ModelChannels], Any],
        failed: Callable[[Exception], Any],
    ) -> None:
        """Let rules count for a model from now on; None stands for the usual ones."""
        project = self._session.project
        if project is not None:
            key = project.key
            self._session.ask(lambda client: client.set_channel_rules(key, model, rules), done, failed)
