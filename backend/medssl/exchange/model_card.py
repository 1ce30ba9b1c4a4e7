"""A model's card for people: one page of Markdown that travels with the model."""

from __future__ import annotations

from collections.abc import Sequence

from medssl.inference.channels import ChannelRules
from medssl.learning.methods import METHODS
from medssl.learning.model import ModelCard
from medssl.learning.plan import Plan
from medssl.words import counted

_NOT_STATED = "Not stated; ask whoever trained it."
INTENDED_USE = "Research on scans like those it was trained on. Not a medical device."
LIMITS = (
    "Nothing is known about scans of other kinds, scanners, field strengths, ages or diseases than those it "
    "was trained on. A person answers for every segmentation."
)


def describe_model(card: ModelCard, plan: Plan, rules: ChannelRules | None = None) -> str:
    """Write the card: data, segments, how it sees scans, validation, training, licence, use and limits.

    Args:
        card: what is known of the model.
        plan: how it sees scans.
        rules: by which it tells the DICOM series of a study apart, where it has any.
    """
    method = METHODS[card.method].title if card.method in METHODS else card.method
    sections = [
        f"# {_plain(card.name)}",
        f"Made by MedSSL {card.medssl_version} on {card.created}. Id: {card.id}.",
        "## Use",
        f"**Intended use.** {_plain(card.intended_use) or INTENDED_USE}",
        f"**Limits.** {_plain(card.limits) or LIMITS}",
        f"**Licence.** {_plain(card.licence) or _NOT_STATED}",
        "## Segments",
        _table(("value", "name", "code"), _segments(plan)),
        "## Scans",
        f"Channels: {', '.join(_plain(name) for name in plan.channel_names)}. "
        f"Voxels of {_mm(plan.spacing_mm)} (superior-inferior, anterior-posterior, left-right), "
        f"windows of {' x '.join(map(str, plan.patch_size))} voxels.",
        *([f"It learned from scans like these: {_plain(card.scans.describe())}."] if card.scans else []),
        *([_series(plan, rules)] if rules else []),
        "## Validation",
        _validation(card),
        "## Training",
        f"{method}, {card.annotated_cases} annotated and {counted(card.unannotated_cases, 'other case')}, "
        f"{counted(card.steps, 'step')} in {card.seconds:.0f} s, seed {card.seed}"
        + (f", begun with the model {card.started_from}." if card.started_from else "."),
    ]
    return "\n\n".join(sections) + "\n"


def _segments(plan: Plan) -> list[tuple[str, str, str]]:
    rows = []
    for segment in plan.label_schema.segments:
        code = segment.terminology.type if segment.terminology else None
        told = "" if code is None else f"{code.scheme} {code.value} ({code.meaning})"
        rows.append((str(segment.value), segment.name, told))
    return rows


def _series(plan: Plan, rules: ChannelRules) -> str:
    rows = [
        (channel, "; or ".join(condition.describe() for condition in rules.root[channel]))
        for channel in plan.channel_names
    ]
    return _table(("channel", "DICOM series of a study"), rows)


def _validation(card: ModelCard) -> str:
    if card.validation_dice is None:
        return "There was no validation case, so its quality is not known."
    rows = [(name, f"{dice:.3f}") for name, dice in card.validation_dice.items()]
    return _table(("segment", "mean Dice"), rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_plain(cell) for cell in line) + " |" for line in lines)


def _mm(spacing_mm: Sequence[float]) -> str:
    return " x ".join(f"{side:.3g}" for side in spacing_mm) + " mm"


def _plain(text: str) -> str:
    """One line without what a table or HTML would take for its own."""
    return " ".join(text.split()).replace("|", "/").replace("<", "&lt;")
