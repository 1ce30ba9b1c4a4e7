"""The parts of a report that several kinds of job fill in the same way."""

from __future__ import annotations

import platform
from collections.abc import Sequence

import medssl
from medssl.learning.methods import METHODS
from medssl.learning.model import ModelCard
from medssl.project import Project
from medssl.reports.model import Fact, HistoryEntry


def model_facts(card: ModelCard) -> tuple[Fact, ...]:
    """What a reader wants to know about the model first."""
    facts = [
        Fact("Model", f"{card.name} ({card.id})"),
        Fact("Method", METHODS[card.method].title if card.method in METHODS else card.method),
        Fact("Trained on", f"{card.annotated_cases} annotated and {card.unannotated_cases} other cases"),
    ]
    if card.validation_dice is not None:
        scores = ", ".join(f"{name} {dice:.3f}" for name, dice in card.validation_dice.items())
        facts.append(Fact("Validation Dice", scores))
    return tuple(facts)


def settings_facts(card: ModelCard | None, device: str) -> tuple[Fact, ...]:
    """Everything needed to do it again."""
    facts = [
        Fact("MedSSL", medssl.__version__),
        Fact("Computed on", f"{device}, {platform.system()} {platform.machine()}"),
    ]
    if card is not None:
        facts.append(Fact("Training", f"{card.steps} steps in {card.seconds:.0f} s, seed {card.seed}"))
        facts.append(Fact("Trained with", f"MedSSL {card.medssl_version} on {card.created}"))
        if card.started_from is not None:
            facts.append(Fact("Started from", card.started_from))
    return tuple(facts)


def history(project: Project) -> tuple[HistoryEntry, ...]:
    """What people decided about the cases of a project, oldest first."""
    entries = [
        HistoryEntry(
            time=annotation.created,
            case=summary.name,
            action=annotation.kind,
            author=annotation.author,
            seconds=annotation.seconds,
            model=annotation.model_id or "",
        )
        for summary in project.cases()
        if summary.annotation_version is not None
        for annotation in project.annotations(summary.id)
        if not annotation.withdrawn
    ]
    return tuple(sorted(entries, key=lambda entry: entry.time))


def without_validation(project: Project, names: Sequence[str]) -> tuple[str, ...]:
    """The sentence that a reader must not miss when nothing was held back."""
    if names or project.count_cases(role="validation", state="annotated"):
        return ()
    return ("No annotated case has the role 'validation', so that nothing here says how good the model is.",)
