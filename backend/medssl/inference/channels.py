"""Rules that say which DICOM series of a study is which channel of a model, for people to see and change.

{"T1":    [{"description": "t1", "contrast": false}],
 "T1Gd":  [{"description": "t1", "contrast": true}, {"description": "t1.*(gd|post)"}],
 "FLAIR": [{"description": "flair|dark.?fluid"}]}
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, RootModel, ValidationError

from medssl.errors import ModelError, UsageError
from medssl.faults import first_fault
from medssl.imaging.dicom_slices import SeriesHeader
from medssl.storage import storage_error, write_text

CHANNELS_FILE = "channels.json"  # beside a model's card
_WORD = (r"(?<![a-z0-9])", r"(?![a-z0-9])")  # around what must stand alone, as the T1 of 'ax_T1 tse'
_PLAN = "plan.json"  # as `medssl.learning.model.PLAN`, whose module takes seconds to import


def _checked(pattern: str) -> str:
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"'{pattern}' is no regular expression: {error}.") from error
    return pattern


Pattern = Annotated[str, Field(max_length=500), AfterValidator(_checked)]


class SeriesCondition(BaseModel):
    """What a series must be like; all that is given must hold.

    Patterns are regular expressions, found anywhere in the text, without regard to case.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    description: Pattern | None = Field(default=None, description="Found in the series description.")
    not_description: Pattern | None = Field(default=None, description="Not found in it.")
    protocol: Pattern | None = Field(default=None, description="Found in the protocol's name.")
    sequence: Pattern | None = Field(
        default=None, description="Found in scanning sequence, its variant and its name, as 'SE IR tir2d1'."
    )
    image_type: Pattern | None = Field(
        default=None, description="Found in the image type, as 'ORIGINAL PRIMARY M NORM'."
    )
    modality: str | None = Field(default=None, description="DICOM's, such as MR.")
    contrast: bool | None = Field(default=None, description="Whether a contrast agent is named.")

    def describe(self) -> str:
        """Say it in words."""
        patterns = (
            ("description", "has", self.description),
            ("description", "lacks", self.not_description),
            ("protocol", "has", self.protocol),
            ("sequence", "has", self.sequence),
            ("image type", "has", self.image_type),
        )
        told = [
            f"{what} {verb} {_in_words(pattern)}" for what, verb, pattern in patterns if pattern is not None
        ]
        if self.modality is not None:
            told.append(f"modality {self.modality.upper()}")
        if self.contrast is not None:
            told.append("with contrast agent" if self.contrast else "without contrast agent")
        return ", ".join(told) or "any series"

    def holds_for(self, series: SeriesHeader) -> bool:
        """Whether a series is like this."""
        texts = (
            (self.description, series.description),
            (self.protocol, series.protocol),
            (self.sequence, series.sequence),
            (self.image_type, " ".join(series.image_type)),
        )
        return (
            all(pattern is None or _found(pattern, text) for pattern, text in texts)
            and (self.not_description is None or not _found(self.not_description, series.description))
            and (self.modality is None or self.modality.upper() == series.modality.upper())
            and (self.contrast is None or self.contrast == series.contrast)
        )


class ChannelRules(RootModel[dict[str, tuple[SeriesCondition, ...]]]):
    """For each channel the conditions on its series; the first condition that some series meets counts."""

    model_config = ConfigDict(frozen=True)

    @classmethod
    def by_names(cls, channels: Sequence[str]) -> ChannelRules:
        """The rules when there are none: a channel's name is in the description, or else in the protocol."""
        return cls(
            {
                name: (SeriesCondition(description=word), SeriesCondition(protocol=word))
                for name in channels
                for word in [f"{_WORD[0]}{re.escape(name)}{_WORD[1]}"]
            }
        )

    def check(self, channels: Sequence[str]) -> None:
        """Raise `UsageError` unless there are rules for exactly the model's channels."""
        missing = [name for name in channels if not self.root.get(name)]
        unknown = [name for name in self.root if name not in channels]
        if missing or unknown:
            what = "; ".join(
                f"{kind}: {', '.join(names)}"
                for kind, names in (("no rule for", missing), ("not a channel of the model", unknown))
                if names
            )
            raise UsageError(
                f"The channel rules do not fit the model ({what}).",
                f"Give one or more conditions for each of {', '.join(channels)}.",
            )

    def candidates(self, channel: str, series: Sequence[SeriesHeader]) -> list[int]:
        """Return which of the series meet the first condition of a channel that any of them meets."""
        for condition in self.root[channel]:
            found = [index for index, each in enumerate(series) if condition.holds_for(each)]
            if found:
                return found
        return []


class ModelChannels(BaseModel):
    """The channels of a model, and by which rules the series of a study become them."""

    model_config = ConfigDict(frozen=True)

    channels: tuple[str, ...] = Field(description="In the order in which the model takes them.")
    rules: ChannelRules
    own: bool = Field(description="False for the usual rules, by the channels' names.")


class _Plan(BaseModel):
    channel_names: Annotated[tuple[str, ...], Field(min_length=1)]


def model_channels(model: Path) -> ModelChannels:
    """Read what counts for the model in a folder.

    Raises:
        ModelError: it does not say which channels it has.
        UsageError: its rules are damaged.
    """
    names, own = _channels_of(model), channel_rules_of(model)
    return ModelChannels(channels=names, rules=own or ChannelRules.by_names(names), own=own is not None)


def set_channel_rules(model: Path, rules: ChannelRules | None) -> ModelChannels:
    """Give a model rules of its own, or the usual ones again, for all runs from now on.

    Raises:
        ModelError: it does not say which channels it has.
        UsageError: the rules are for other channels.
        StorageError: they cannot be written.
    """
    if rules is None:
        try:
            (model / CHANNELS_FILE).unlink(missing_ok=True)
        except OSError as error:
            raise storage_error(error, model / CHANNELS_FILE) from error
    else:
        rules.check(_channels_of(model))
        write_channel_rules(model, rules)
    return model_channels(model)


def inherit_channel_rules(old: Path, new: Path, channels: Sequence[str]) -> None:
    """Give a model the rules of the one that it began with, where they are for its channels."""
    rules = channel_rules_of(old)
    if rules is not None and set(rules.root) == set(channels):
        write_channel_rules(new, rules)


def write_channel_rules(model: Path, rules: ChannelRules) -> None:
    """Write rules into a model's folder."""
    write_text(model / CHANNELS_FILE, _as_text(rules))


def save_channel_rules(path: Path, rules: ChannelRules) -> None:
    """Write rules into a file that a person edits.

    Raises:
        UsageError: there is such a file already.
        StorageError: it cannot be written.
    """
    if path.exists():
        raise UsageError(f"{path} exists already.", "Name a new file, so that no rules are lost.")
    write_text(path, _as_text(rules))


def channel_rules_of(model: Path) -> ChannelRules | None:
    """The rules in a model's folder; None when it has none."""
    path = model / CHANNELS_FILE
    return read_channel_rules(path) if path.is_file() else None


def read_channel_rules(path: Path) -> ChannelRules:
    """Read rules from a JSON file.

    Raises:
        UsageError: there is no such file, or it holds no rules.
    """
    try:
        return ChannelRules.model_validate_json(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeError) as error:
        raise UsageError(f"The channel rules {path} cannot be read.", "Check the path.") from error
    except ValidationError as error:
        raise UsageError(
            f"The channel rules {path} are wrong: {first_fault(error)}.",
            'They look like {"T1": [{"description": "t1", "contrast": false}]}.',
        ) from error


def _in_words(pattern: str) -> str:
    inner = pattern.removeprefix(_WORD[0]).removesuffix(_WORD[1])
    if pattern == f"{_WORD[0]}{inner}{_WORD[1]}":
        word = re.sub(r"\\(.)", r"\1", inner)
        return f"the word '{word}'"
    return f"'{pattern}'"


def _as_text(rules: ChannelRules) -> str:
    return rules.model_dump_json(indent=2, exclude_none=True) + "\n"


def _channels_of(model: Path) -> tuple[str, ...]:
    path = model / _PLAN
    try:
        return _Plan.model_validate_json(path.read_text(encoding="utf-8-sig")).channel_names
    except ValidationError as error:
        raise ModelError(
            f"The plan {path} is damaged: {first_fault(error)}.",
            "Correct it, or copy it again from where MedSSL wrote it.",
        ) from error
    except (OSError, UnicodeError) as error:
        raise ModelError(
            f"The plan {path} cannot be read.", "Copy it again from where MedSSL wrote it."
        ) from error


def _found(pattern: str, text: str) -> bool:
    return re.search(pattern, text, re.IGNORECASE) is not None
