"""Cases as training sees them: prepared once, then in memory."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from medssl.errors import ImageError
from medssl.events import Monitor
from medssl.imaging.reading import read_grid, read_volume
from medssl.learning.cache import TensorCache, key_of
from medssl.learning.distance import REACH, level_set
from medssl.learning.plan import Plan
from medssl.learning.preprocessing import prepare, prepare_labels
from medssl.machine import Machine
from medssl.project import Annotation, Case, Project, read_drawn
from medssl.words import counted

_PREPARATION = 2  # raised when preprocessing changes what it makes, so that old cache entries are not used
_MEMORY_SHARE = 3  # cases may fill 1 / 3 of the memory that is free: training needs the rest
_RESUMED_SHARE = 2  # those that an interrupted job had may fill half: what is free is never quite the same


@dataclass(frozen=True, eq=False)
class TrainingCase:
    """One prepared case; all tensors on the plan's grid and one device, at first the CPU.

    Attributes:
        name: the case's.
        image: `(C, D, H, W)` float32 (float16 when memory is short), see `preprocessing.prepare`.
        labels: `(D, H, W)` uint8 class indices, 255 where not annotated; None for an unannotated case.
        level_set: `(F, D, H, W)`, of the image's type, up to `distance.REACH` either way, NaN where unknown,
            see `distance.level_set`; None without labels or when not asked for.
    """

    name: str
    image: Tensor
    labels: Tensor | None
    level_set: Tensor | None = None


def load_cases(
    project: Project,
    cases: Sequence[Case],
    plan: Plan,
    monitor: Monitor,
    *,
    with_level_set: bool,
    memory_bytes: int | None = None,
) -> list[TrainingCase]:
    """Prepare cases for training, or take them from the project's cache.

    All annotated cases are loaded. Of the unannotated, as many as fit in memory, in an order that is
    shuffled but always the same. One that cannot be read is left out, and `monitor` told; an annotated one is
    an error, because somebody's work would be ignored.

    Args:
        project: where annotations are read and prepared tensors are cached.
        cases: which; those with an annotation get labels.
        plan: how to prepare them.
        monitor: told of progress, asked whether to stop.
        with_level_set: make the level sets of annotated cases as well.
        memory_bytes: how much the cases may take; `memory_for_cases` when None.

    Returns:
        In the order of `cases`.

    Raises:
        ImageError: an annotated case cannot be read, or no longer fits its annotation.
        Cancelled: the person asked to stop.
    """
    limit = memory_for_cases() if memory_bytes is None else memory_bytes
    loader = _Loader(plan, with_level_set, TensorCache(project.folder / "cache" / "prepared", monitor))
    order = _order(cases)
    loaded: dict[int, TrainingCase] = {}
    used = 0
    for done, index in enumerate(order):
        monitor.check()
        monitor.progress("Preparing scans", done, len(cases))
        case = cases[index]
        if case.annotation is None and used >= limit:
            monitor.log(
                f"The memory of this computer holds {done} of {counted(len(cases), 'case')}; "
                f"{counted(len(cases) - done, 'unannotated one is', 'unannotated ones are')} not used.",
                "warning",
            )
            break
        try:
            loaded[index] = loader.load(case)
        except ImageError as error:
            leave_out(case, error, monitor)
            continue
        used += bytes_of(loaded[index])
    monitor.progress("Preparing scans", len(cases), len(cases))
    precise = 2 * used <= limit
    return [_in_full(loaded[index]) if precise else loaded[index] for index in sorted(loaded)]


def memory_for_cases(*, resumed: bool = False) -> int:
    """Bytes that prepared cases may take now; somewhat more for those that an interrupted job had."""
    return Machine.look().memory_free_bytes // (_RESUMED_SHARE if resumed else _MEMORY_SHARE)


@contextmanager
def reading(case: Case) -> Iterator[None]:
    """Name the case where the operating system refuses to read its files: as an `ImageError`."""
    try:
        yield
    except OSError as error:
        raise ImageError(
            f"The scan of the case {case.name} cannot be read: {error.filename}: {error.strerror}.",
            "Put the file back, add the scan again from where it lies now, with the name of the case, or "
            "exclude the case.",
        ) from error


def leave_out(case: Case, error: ImageError, monitor: Monitor) -> None:
    """Tell that a case which cannot be read is not used; of an annotated one, raise `error`."""
    if case.annotation is not None:
        raise error
    monitor.log(f"The case {case.name} is left out. {error}", "warning")


def _order(cases: Sequence[Case]) -> list[int]:
    """Annotated cases first, and the others shuffled, so that memory holds some of all kinds of them."""
    order = list(range(len(cases)))
    random.Random(0).shuffle(order)
    order.sort(key=lambda index: cases[index].annotation is None)
    return order


@dataclass(frozen=True)
class _Loader:
    plan: Plan
    with_level_set: bool
    cache: TensorCache

    def load(self, case: Case) -> TrainingCase:
        """Load one case, in 16-bit floats."""
        with reading(case):
            image = self.cache.get(f"{case.folder}.image", self._image_key(case), lambda: self._image(case))
            labels = None if case.annotation is None else self._labels(case, case.annotation)
        distances = None
        if labels is not None and self.with_level_set:
            count = self.plan.network.classes - 1
            made = level_set(labels.numpy(), count, self.plan.spacing_mm, self.plan.level_set_mm, REACH)
            distances = torch.from_numpy(made).half()
        return TrainingCase(case.name, image, labels, distances)

    def _image(self, case: Case) -> Tensor:
        return prepare([read_volume(path) for path in case.channels], self.plan).image.half()

    def _labels(self, case: Case, annotation: Annotation) -> Tensor:
        def make() -> Tensor:
            return prepare_labels(read_drawn(case), read_grid(case.channels[0]), self.plan)

        key = key_of(f"{self._image_key(case)} {self.plan.label_schema.values}", [annotation.path])
        return self.cache.get(f"{case.folder}.labels", key, make)

    def _image_key(self, case: Case) -> str:
        seen = self.plan.model_dump_json(include={"spacing_mm", "normalisation"})
        return key_of(f"{_PREPARATION} {seen}", case.channels)


def _in_full(case: TrainingCase) -> TrainingCase:
    distances = case.level_set.float() if case.level_set is not None else None
    return replace(case, image=case.image.float(), level_set=distances)


def bytes_of(case: TrainingCase) -> int:
    """How much memory the tensors of a case take."""
    return sum(x.nbytes for x in (case.image, case.labels, case.level_set) if x is not None)
