"""How long a project with 10,000 cases takes to list, filter, sort, page and count them.

The goal is that each takes less than 100 ms. Run it with

    python Testing/benchmarks/project_listing.py

It makes a project in a temporary folder (10 MB), whose rows are written straight into the database: what is
measured is reading them. The goal is judged by processor time, because waiting for other programs says
nothing about the project; the time on the clock is shown beside it. Exits with 1 when a listing misses it.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from medssl.labels import LabelSchema
from medssl.project import DATABASE_NAME, Project, tables
from medssl.project.database import Database
from medssl.project.store import now, search_name, sort_name
from sqlalchemy import insert

_GOAL_MS = 100.0
_REPEATS = 7


def _fill(folder: Path, count: int) -> None:
    """Write cases of every state: each tenth drawn twice, the others with two proposals, a third rejected."""
    chance = random.Random(0)
    rows: dict[type[tables.Table], list[dict[str, object]]] = {
        kind: []
        for kind in (tables.Case, tables.Channel, tables.Annotation, tables.PseudoLabel, tables.Decision)
    }
    for case_id in chance.sample(range(1, count + 1), count):
        name = f"Hospital {case_id % 7}, subject {case_id}"
        rows[tables.Case].append(_case(case_id, name, chance))
        path = f"images/{name}/0-image.nii.gz"
        rows[tables.Channel].append({"case_id": case_id, "position": 0, "path": path})
        for version in (1, 2):
            row_id = 2 * case_id + version
            labels = {"id": row_id, "case_id": case_id, "label_values": [0, 1], "current": version == 2}
            if case_id % 10 == 0:
                path = f"labels/{name}/v{version:04d}.seg.nrrd"
                rows[tables.Annotation].append({**labels, "version": version, "path": path, "created": now()})
                rows[tables.Decision].append(_decision(case_id, "drawn", annotation_id=row_id))
            else:
                rows[tables.PseudoLabel].append({**labels, **_proposal(name, version, chance.random())})
                if case_id % 3 == 0:
                    rows[tables.Decision].append(_decision(case_id, "rejected", pseudo_label_id=row_id))
    database = Database(folder / DATABASE_NAME)
    with database.writing() as session:
        for kind, of_kind in rows.items():
            session.execute(insert(kind), of_kind)
    database.close()


def _case(case_id: int, name: str, chance: random.Random) -> dict[str, object]:
    return {
        "id": case_id,
        "name": name,
        "search_name": search_name(name),
        "sort_name": sort_name(name),
        "folder": name,
        "role": chance.choices(("training", "validation", "excluded"), (90, 5, 5))[0],
        "added": now(),
    }


def _proposal(name: str, version: int, score: float) -> dict[str, object]:
    return {
        "model_id": f"model {version}",
        "path": f"predictions/{name}/p{version:04d}.seg.nrrd",
        "uncertainty_path": f"predictions/{name}/p{version:04d}-uncertainty.nrrd",
        "score": score,
        "worst_slice": 7,
        "worst_region": [0, 0, 0, 1, 1, 1],
        "created": now(),
    }


def _decision(
    case_id: int, kind: str, annotation_id: int | None = None, pseudo_label_id: int | None = None
) -> dict[str, object]:
    return {
        "case_id": case_id,
        "kind": kind,
        "annotation_id": annotation_id,
        "pseudo_label_id": pseudo_label_id,
        "author": "somebody",
        "seconds": 30.0,
        "decided": now(),
        "undone": None,
    }


def _listings(project: Project, count: int) -> dict[str, Callable[[], object]]:
    middle = count // 2
    return {
        "all cases, by name": lambda: project.cases(),
        "all cases, by uncertainty, the worst first": lambda: project.cases(
            sort="uncertainty", descending=True
        ),
        "all cases, by state": lambda: project.cases(sort="state"),
        "state 'proposed'": lambda: project.cases(state="proposed"),
        "role 'validation'": lambda: project.cases(role="validation"),
        "text 'subject 99'": lambda: project.cases(text="subject 99"),
        "page of 50 by name, from the middle": lambda: project.cases(offset=middle, limit=50),
        "page of 50 by uncertainty, the first": lambda: project.cases(
            sort="uncertainty", descending=True, limit=50
        ),
        "page of 50 by uncertainty, from the middle": lambda: project.cases(
            sort="uncertainty", descending=True, offset=middle, limit=50
        ),
        "page of 50 'proposed' by uncertainty, with text": lambda: project.cases(
            state="proposed", text="hospital 3", sort="uncertainty", limit=50
        ),
        "count of 'proposed'": lambda: project.count_cases(state="proposed"),
        "review queue": lambda: project.review_queue(),
        "one case by name": lambda: project.case(f"Hospital {middle % 7}, subject {middle}"),
    }


def _measure(listing: Callable[[], object]) -> tuple[float, float]:
    """Return the median processor time and time on the clock of a call, in ms."""
    processor, clock = [], []
    for _ in range(_REPEATS):
        start = time.process_time(), time.perf_counter()
        listing()
        processor.append(1000 * (time.process_time() - start[0]))
        clock.append(1000 * (time.perf_counter() - start[1]))
    return statistics.median(processor), statistics.median(clock)


def main() -> int:
    """Measure, print a table, and say by the exit code whether the goal was reached."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--cases", type=int, default=10_000, help="how many cases (10000)")
    count = options.parse_args().cases
    slowest = 0.0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "project"
        Project.create(folder, LabelSchema.of_names({1: "Structure"})).close()
        _fill(folder, count)
        with Project.open(folder) as project:
            title = f"{project.count_cases()} cases; median of {_REPEATS} calls, in ms"
            print(f"{title:50}{'processor':>9}{'clock':>9}")
            for what, listing in _listings(project, count).items():
                processor_ms, clock_ms = _measure(listing)
                slowest = max(slowest, processor_ms)
                print(f"{what:50}{processor_ms:9.1f}{clock_ms:9.1f}")
    reached = slowest < _GOAL_MS
    print(f"Goal of {_GOAL_MS:.0f} ms {'reached' if reached else 'missed'}.")
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
