"""What can be chosen, in words: methods, pretext tasks, efforts, places to compute, formats."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from MedSSLLib.jobs_track import duration, moment

if TYPE_CHECKING:
    from medssl.client import Device, Effort, Model


@dataclass(frozen=True)
class Choice:
    """One line of a list: what it stands for, its title, and a sentence about it."""

    key: str
    title: str
    sentence: str = ""


# The order is that of the lists; what the engine does not have is left out.
_METHODS = (
    Choice(
        "automatic",
        "Automatic",
        "Learns from annotated scans and from its own guesses on the others; the best start for most.",
    ),
    Choice(
        "dual_task",
        "Dual-task consistency",
        "Learns outlines and distances to them, and asks that both agree on scans that nobody annotated.",
    ),
    Choice(
        "local_contrastive",
        "Contrastive self-training",
        "Learns that the same tissue looks alike in all scans, with the model's own guesses as a guide.",
    ),
    Choice("supervised", "Supervised", "Learns from the annotated scans alone."),
)
_PRETEXTS = (
    Choice(
        "pgl",
        "Prior-guided local self-supervision",
        "Recognize every place of a scan again in another view of it.",
    ),
    Choice(
        "cpc",
        "Contrastive predictive coding",
        "From one half of a scan, tell what the other half holds among parts of other scans.",
    ),
    Choice(
        "rotation",
        "Rotation",
        "Tell by how much a scan was turned; soon learned.",
    ),
    Choice("jigsaw", "Jigsaw puzzle", "Put the shuffled blocks of a scan back where they belong."),
    Choice("relative_location", "Relative location", "Tell on which side of a block another one lay."),
    Choice("exemplar", "Exemplar", "Recognize a scan's block again however it is turned, stretched or lit."),
)
_FORMATS = {
    "seg.nrrd": "3D Slicer segmentation (.seg.nrrd)",
    "nii.gz": "NIfTI (.nii.gz)",
    "dicom-seg": "DICOM segmentation",
}
_EFFORTS = {"quick": "Quick", "balanced": "Balanced", "thorough": "Thorough"}


def methods(names: Iterable[str]) -> tuple[Choice, ...]:
    """The training methods that the engine has, for people."""
    return _known(_METHODS, names)


def pretexts(names: Iterable[str]) -> tuple[Choice, ...]:
    """The pretext tasks that the engine has, for people."""
    return _known(_PRETEXTS, names)


def method_title(name: str) -> str:
    """What a method or a pretext task is called."""
    found = (choice for choice in (*_METHODS, *_PRETEXTS) if choice.key == name)
    title = next((choice.title for choice in found), name.replace("_", " ").capitalize())
    return str(_(title))


def efforts(offered: Iterable[Effort], refine: bool) -> tuple[Choice, ...]:
    """How long to learn, with the time that each word stands for."""
    return tuple(_effort(each.name, each.refine if refine else each.train) for each in offered)


def pretraining_efforts(offered: Iterable[Effort]) -> tuple[Choice, ...]:
    """How long to pretrain."""
    return tuple(_effort(effort.name, effort.pretrain) for effort in offered)


def devices(found: Device | None) -> tuple[Choice, ...]:
    """Where the engine can compute."""
    choices = [Choice("auto", str(_("Automatic")))]
    if found is not None and found.gpus:
        choices.append(Choice("cuda", found.gpus[0].name))
    choices.append(Choice("cpu", str(_("Processor"))))
    return tuple(choices)


def formats(names: Iterable[str]) -> tuple[Choice, ...]:
    """What segmentations can be written as, the usual one first."""
    return tuple(Choice(name, str(_(_FORMATS.get(name, name)))) for name in names)


def starts(models: Sequence[Model]) -> tuple[Choice, ...]:
    """What a training can begin with: nothing, the last model, or a pretrained encoder."""
    choices = [Choice("", str(_("Nothing")))]
    last = next((model for model in models if model.can_segment and not model.problem), None)
    if last is not None:
        choices.append(Choice(last.id, str(_("The last model: {name}")).format(name=title_of(last))))
    choices += [
        Choice(model.id, str(_("Pretrained: {name}")).format(name=title_of(model)))
        for model in models
        if not model.can_segment and not model.problem
    ]
    return tuple(choices)


def _effort(name: str, settings: Mapping[str, Any]) -> Choice:
    title = str(_(_EFFORTS.get(name, name.capitalize())))
    seconds = settings.get("seconds")
    return Choice(name, f"{title} ({duration(float(seconds))})" if seconds else title)


def title_of(model: Model) -> str:
    """Name a model so that two of one method are told apart."""
    return f"{model.name}, {moment(model.created)}"


def _known(choices: Sequence[Choice], names: Iterable[str]) -> tuple[Choice, ...]:
    offered = set(names)
    return tuple(
        Choice(each.key, str(_(each.title)), str(_(each.sentence))) for each in choices if each.key in offered
    )
