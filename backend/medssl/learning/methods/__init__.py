"""The training methods, by name. A new method is a file, its test, a line here and its name in `settings`."""

from medssl.learning.methods.automatic import Automatic
from medssl.learning.methods.base import Method, Step
from medssl.learning.methods.dual_task import DualTask
from medssl.learning.methods.dual_task_published import DualTaskPublished
from medssl.learning.methods.local_contrastive import LocalContrastive
from medssl.learning.methods.supervised import Supervised

METHODS: dict[str, type[Method]] = {
    method.name: method for method in (Automatic, Supervised, DualTask, DualTaskPublished, LocalContrastive)
}

__all__ = ["METHODS", "Method", "Step"]
