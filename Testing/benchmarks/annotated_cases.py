"""What a method makes of one or two annotated cases of real scans, and how well its doubt ranks its errors.

    python Testing/benchmarks/annotated_cases.py DATASET --out RESULTS.jsonl --held-out 40 \
        --annotated 1 2 --methods supervised dual_task --seeds 0 1 2 --core-seconds 600

The first k cases of the dataset are annotated, the last `--held-out` cases are scored, the labels of those
between are never trained on (they are used to judge the ranking of the proposals). Weights are the final
ones. A budget is processor seconds, so that a busy machine changes nothing, or steps. A run that is in the
results file already is not done again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from medssl.evaluation.metrics import score_case
from medssl.evaluation.ranking import spearman
from medssl.evaluation.summary import mean_dice
from medssl.events import Monitor
from medssl.exchange.datasets import Dataset, DatasetCase, read_dataset
from medssl.imaging.labels import read_labels
from medssl.imaging.reading import read_volume
from medssl.inference.predictor import Predictor
from medssl.labels import LabelSchema
from medssl.learning.model import Model, load_model
from medssl.learning.settings import TrainingSettings
from medssl.learning.training import train_project
from medssl.project import Project


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    dataset = read_dataset(options.dataset)
    for run in _runs(options):
        if run not in [result["run"] for result in _results(options.out)]:
            result = {"run": run, **_measure(dataset, run, options)}
            with options.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(result) + "\n")
            print(json.dumps(result), flush=True)
    print(_table(_results(options.out)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--held-out", type=int, required=True)
    parser.add_argument("--annotated", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--methods", nargs="+", default=["supervised", "dual_task"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--largest-component", action="store_true", help="keep the largest piece of each segment"
    )
    parser.add_argument("--proposals", type=int, help="judge the ranking of so many proposals; default all")
    parser.add_argument("--threads", type=int, default=1)
    budget = parser.add_mutually_exclusive_group(required=True)
    budget.add_argument("--core-seconds", type=float)
    budget.add_argument("--steps", type=int)
    return parser.parse_args()


def _runs(options: argparse.Namespace) -> Iterator[dict[str, object]]:
    for seed in options.seeds:
        for count in options.annotated:
            for method in options.methods:
                yield {
                    "dataset": read_dataset(options.dataset).name,
                    "annotated": count,
                    "method": method,
                    "seed": seed,
                    "core_seconds": options.core_seconds,
                    "steps": options.steps,
                }


def _results(path: Path) -> list[dict[str, dict[str, object]]]:
    return (
        [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
    )


def _measure(dataset: Dataset, run: dict[str, object], options: argparse.Namespace) -> dict[str, object]:
    """Train once and score the held-out cases and the proposals for the unannotated ones."""
    annotated = int(str(run["annotated"]))
    labelled = [case for case in dataset.cases if case.labels is not None]
    train, test = labelled[: -options.held_out], labelled[-options.held_out :]
    schema = _schema(dataset, options.largest_component)
    settings = TrainingSettings.model_validate(
        {"method": run["method"], "seconds": run["core_seconds"], "steps": run["steps"], "seed": run["seed"]}
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        Project.create(Path(folder) / "project", schema, dataset.channel_names) as project,
    ):
        for index, case in enumerate(train):
            added = project.add_case(case.name, case.channels)
            if index < annotated and case.labels is not None:
                project.save_annotation(added, case.labels)
        job = Path(folder) / "job"
        job.mkdir()
        began = time.process_time()
        model_id = train_project(project, settings, job, Monitor(), clock=time.process_time)
        spent = time.process_time() - began
        model = load_model(project.model(model_id).folder)
    scored = [_score(model, case, schema) for case in test]
    proposed = [_score(model, case, schema) for case in train[annotated:][: options.proposals]]
    return {
        "dice": statistics.fmean(case["dice"] for case in scored),
        "dice_of": {
            name: statistics.fmean(case["dice_of"][i] for case in scored)
            for i, name in enumerate(schema.names)
        },
        "whole": statistics.fmean(case["whole"] for case in scored),
        "rank": -(spearman([case["score"] for case in proposed], [case["dice"] for case in proposed]) or 0.0),
        "rank_held_out": -(
            spearman([case["score"] for case in scored], [case["dice"] for case in scored]) or 0.0
        ),
        "proposals_dice": statistics.fmean(case["dice"] for case in proposed),
        "steps_taken": model.card.steps,
        "core_seconds_in_all": round(spent, 1),
        "cases": {case["name"]: round(case["dice"], 4) for case in scored},
    }


def _schema(dataset: Dataset, largest: bool) -> LabelSchema:
    segments = tuple(s.model_copy(update={"largest_component": largest}) for s in dataset.schema.segments)
    return dataset.schema.model_copy(update={"segments": segments})


def _score(model: Model, case: DatasetCase, schema: LabelSchema) -> dict[str, object]:
    assert case.labels is not None
    channels = [read_volume(path) for path in case.channels]
    truth = read_labels(case.labels).volume.array
    found = Predictor(model, "cpu").predict(channels)
    scores = score_case(found.values, truth, channels[0].grid, schema, distances=False)
    both = int(((found.values > 0) & (truth > 0)).sum())
    return {
        "name": case.name,
        "dice": mean_dice(scores) or 0.0,
        "dice_of": [score.dice or 0.0 for score in scores],
        "whole": 2 * both / max(1, int((found.values > 0).sum() + (truth > 0).sum())),
        "score": found.score,
    }


def _table(results: Sequence[dict[str, dict[str, object]]]) -> str:
    """Return a Markdown table: mean and spread (standard deviation) over seeds."""
    groups: dict[tuple[object, ...], list[dict[str, dict[str, object]]]] = {}
    for result in results:
        run = result["run"]
        key = (run["dataset"], run["annotated"], run["core_seconds"], run["steps"], run["method"])
        groups.setdefault(key, []).append(result)
    lines = [
        "| data | annotated | budget | method | seeds | steps | Dice, mean of segments | whole | ranking |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for (data, count, seconds, steps, method), found in sorted(groups.items(), key=str):
        budget = f"{seconds:.0f} s of a core" if seconds is not None else f"{steps} steps"
        taken = statistics.fmean(float(str(result["steps_taken"])) for result in found)
        columns = (
            _spread([float(str(result[name])) for result in found]) for name in ("dice", "whole", "rank")
        )
        lines.append(
            f"| {data} | {count} | {budget} | {method} | {len(found)} | {taken:.0f} | {' | '.join(columns)} |"
        )
    return "\n".join(lines)


def _spread(values: Sequence[float]) -> str:
    mean = statistics.fmean(values)
    return f"{mean:.3f} ± {statistics.stdev(values):.3f}" if len(values) > 1 else f"{mean:.3f}"


if __name__ == "__main__":
    main()
