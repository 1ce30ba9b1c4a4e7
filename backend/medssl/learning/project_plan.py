"""From the cases of a project, and the model to begin with where there is one, to the plan of a training."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from medssl.errors import DataError, ImageError
from medssl.events import Monitor
from medssl.learning.cases import leave_out, reading
from medssl.learning.facts import ScanFacts, gather_facts
from medssl.learning.model import Weights
from medssl.learning.plan import Plan
from medssl.learning.planner import make_plan
from medssl.learning.training_scans import read_headers
from medssl.learning.transfer import differences_given_up, plan_after
from medssl.machine import Machine
from medssl.project import Case, Project, read_drawn
from medssl.words import counted

_PLANNED_CASES = 40  # facts are gathered from so many cases at most: medians do not need more


@dataclass(frozen=True)
class Planned:
    """A plan, and what was found out on the way.

    Attributes:
        plan: of the cases that can be read.
        unreadable: ids of unannotated cases that cannot; the monitor was told of them.
    """

    plan: Plan
    unreadable: frozenset[int] = frozenset()

    def readable(self, cases: Sequence[Case]) -> list[Case]:
        """The cases without those that cannot be read."""
        return [case for case in cases if case.id not in self.unreadable]


def plan_for(project: Project, cases: Sequence[Case], monitor: Monitor) -> Planned:
    """Look at cases of a project and plan for them; see `make_plan`.

    Raises:
        DataError: no case can be read.
        ImageError: an annotated case cannot be read.
        Cancelled: the person asked to stop.
    """
    looked = _look_at(project, cases, monitor)
    return Planned(_planned(project, looked.facts), looked.unreadable)


def plan_to_begin_with(
    project: Project, cases: Sequence[Case], started: Weights, monitor: Monitor
) -> Planned:
    """Plan for cases and a model whose way of seeing data is kept; tell what the cases alone would have.

    A model that segments what the project wants segmented keeps all of its plan, for which headers are
    enough; see `plan_after` for the others, and `plan_for` for the errors.
    """
    if _refines(started, project):
        plan = _renamed(started.plan, project)
        headers = read_headers(cases)
        if headers:
            seen_alike = {"normalisation": plan.normalisation}
            own = _planned(project, headers).model_copy(update=seen_alike)
            _tell_what_is_kept(started.plan, own, plan, monitor)
        return Planned(plan)
    looked = _look_at(project, cases, monitor)
    plan = plan_after(started.plan, _planned(project, looked.facts, started.plan.spacing_mm))
    _tell_what_is_kept(started.plan, _planned(project, looked.facts), plan, monitor)
    return Planned(plan, looked.unreadable)


@dataclass(frozen=True)
class _Looked:
    facts: Sequence[ScanFacts]
    unreadable: frozenset[int]


def _look_at(project: Project, cases: Sequence[Case], monitor: Monitor) -> _Looked:
    """Gather facts from some of the cases; an unannotated one that cannot be read is left out and told.

    The annotated ones come first, wherever they stand: they show what the structures are like.
    """
    facts: list[ScanFacts] = []
    unreadable = set[int]()
    wanted = min(_PLANNED_CASES, len(cases))
    for case in sorted(cases, key=lambda case: case.annotation is None):
        if len(facts) == wanted:
            break
        monitor.check()
        monitor.progress("Looking at the scans", len(facts), wanted)
        try:
            with reading(case):
                drawn = None if case.annotation is None else read_drawn(case)
                facts.append(gather_facts(case.name, case.channels, project.schema, drawn))
        except ImageError as error:
            leave_out(case, error, monitor)
            unreadable.add(case.id)
    monitor.progress("Looking at the scans", wanted, wanted)
    _check_any_is_left(project, cases, unreadable)
    return _Looked(facts, frozenset(unreadable))


def _check_any_is_left(project: Project, cases: Sequence[Case], unreadable: Collection[int]) -> None:
    if unreadable and len(unreadable) == len(cases):
        raise DataError(
            f"Of {counted(len(cases), 'case')} of the project {project.folder}, none can be read.",
            "Put their files back where they were, or add other cases.",
        )


def _planned(
    project: Project, facts: Sequence[ScanFacts], spacing_mm: tuple[float, float, float] | None = None
) -> Plan:
    return make_plan(facts, project.schema, project.channel_names, Machine.look(), spacing_mm=spacing_mm)


def _renamed(plan: Plan, project: Project) -> Plan:
    """A model's plan with what the project calls its segments and channels."""
    names = {"label_schema": project.schema, "channel_names": tuple(project.channel_names)}
    return plan.model_copy(update=names)


def _tell_what_is_kept(source: Plan, own: Plan, plan: Plan, monitor: Monitor) -> None:
    """Tell what the cases alone would have been given; see `differences_given_up`."""
    given_up = differences_given_up(source, own, plan)
    if given_up:
        monitor.log(f"{' '.join(given_up)} The training keeps what the model has.", "warning")


def _refines(started: Weights, project: Project) -> bool:
    """Whether the model segments what the project wants segmented already, and takes what it has."""
    return (
        bool(started.card.heads)
        and started.plan.label_schema.values == project.schema.values
        and len(started.plan.channel_names) == len(project.channel_names)
    )
