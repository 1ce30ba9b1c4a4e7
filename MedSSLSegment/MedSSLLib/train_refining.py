"""How `refine` goes on: as the training that made the newest model, if the engine still offers that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional

from slicer.i18n import tr as _

from MedSSLLib.jobs_track import Track
from MedSSLLib.learning_choices import Choice, efforts, method_title

if TYPE_CHECKING:
    from medssl.client import Model, Options

USUAL_EFFORT = "balanced"
USUAL_DEVICE = "auto"


@dataclass(frozen=True)
class Refinement:
    """What 'Refine' starts.

    Attributes:
        model: id of the model to go on from.
        sentence: what a person should know of it, such as 'Supervised, Quick (60 s)'.
    """

    model: str
    method: str
    effort: str
    device: str
    sentence: str


def refinement_of(
    last: Model, tracks: Sequence[Track], options: Options, devices: Sequence[Choice]
) -> Refinement:
    """Say how to go on from a model.

    Args:
        last: the model.
        tracks: the jobs of its project, the newest first.
        options: what the engine offers.
        devices: where it can compute.
    """
    made = _training_of(last, tracks)
    settings: Mapping[str, Any] = {} if made is None else (made.job.request or {}).get("settings") or {}
    method = next((each for each in (made and made.method, last.method) if each in options.methods), None)
    device = settings.get("device")
    effort = _effort_of(settings, options)
    title = next(each.title for each in efforts(options.efforts, refine=True) if each.key == effort)
    return Refinement(
        model=last.id,
        method=method or options.method,
        effort=effort,
        device=str(device) if device in {each.key for each in devices} else USUAL_DEVICE,
        sentence=_("{method}, {effort}").format(method=method_title(method or options.method), effort=title),
    )


def _training_of(model: Model, tracks: Sequence[Track]) -> Optional[Track]:
    """The job that made a model; the newest training when none of those that are listed did."""
    trainings = [track for track in tracks if track.job.kind == "train"]
    made = (track for track in trainings if (track.job.result or {}).get("model_id") == model.id)
    return next(made, next(iter(trainings), None))


def _effort_of(settings: Mapping[str, Any], options: Options) -> str:
    """The effort whose settings a job had, from the start or refining; a time of one's own has none."""
    for effort in options.efforts:
        for offered in (effort.train, effort.refine):
            if settings.get("seconds") is not None and settings["seconds"] == offered.get("seconds"):
                return effort.name
    return USUAL_EFFORT
