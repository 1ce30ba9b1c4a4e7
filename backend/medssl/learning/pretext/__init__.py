"""The pretext tasks, by name. A new task is a file, its test, a line here and its name in `settings`."""

from typing import Any

from medssl.learning.pretext.base import Outcome, Pretext
from medssl.learning.pretext.cpc import ContrastivePrediction
from medssl.learning.pretext.exemplar import Exemplar
from medssl.learning.pretext.jigsaw import Jigsaw
from medssl.learning.pretext.pgl import PriorGuidedLocal
from medssl.learning.pretext.relative_location import RelativeLocation
from medssl.learning.pretext.rotation import Rotation
from medssl.learning.pretext.scans import Scans

# Each task makes and takes batches of its own kind, which only the task itself looks into.
PRETEXTS: dict[str, type[Pretext[Any]]] = {
    task.name: task
    for task in (PriorGuidedLocal, ContrastivePrediction, Rotation, Jigsaw, RelativeLocation, Exemplar)
}

__all__ = ["PRETEXTS", "Outcome", "Pretext", "Scans"]
