"""Rules that say which DICOM series of a study is which channel of a model: a small file that people change.

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

from medssl.errors import UsageError
from medssl.imaging.dicom_files import SeriesHeader
from medssl.storage import write_text

CHANNELS_FILE = "channels.json"  # beside a model's card


def _checked(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"'{pattern}' is no regular expression: {error}.") from error
    return pattern


Pattern = Annotated[str, AfterValidator(_checked)]


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
                for word in [rf"(?<![a-z0-9]){re.escape(name)}(?![a-z0-9])"]
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


def inherit_channel_rules(old: Path, new: Path, channels: Sequence[str]) -> None:
    """Give a model the rules of the one that it began with, where they are for its channels."""
    rules = channel_rules_of(old)
    if rules is not None and set(rules.root) == set(channels):
        write_channel_rules(new, rules)


def write_channel_rules(model: Path, rules: ChannelRules) -> None:
    """Write rules into a model's folder."""
    write_text(model / CHANNELS_FILE, rules.model_dump_json(indent=2, exclude_none=True) + "\n")


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
        return ChannelRules.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeError) as error:
        raise UsageError(f"The channel rules {path} cannot be read.", "Check the path.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = "".join(f"{part}: " for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ").rstrip(".")
        raise UsageError(
            f"The channel rules {path} are wrong: {where}{message}.",
            'They look like {"T1": [{"description": "t1", "contrast": false}]}.',
        ) from error


def _found(pattern: str, text: str) -> bool:
    return re.search(pattern, text, re.IGNORECASE) is not None
