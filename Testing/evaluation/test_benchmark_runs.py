"""A benchmark trains, scores unseen cases, and goes on where it was stopped."""

from __future__ import annotations

import itertools
import json
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from filelock import FileLock
from medssl.errors import Cancelled, DataError, UsageError
from medssl.evaluation.benchmark.benchmark import RUNS, run_benchmark
from medssl.evaluation.benchmark.measuring import divide, measure_run
from medssl.evaluation.benchmark.runs import Arm, Run, planned, read_results
from medssl.evaluation.benchmark.settings import BenchmarkSettings, Measure, Start
from medssl.events import Monitor
from medssl.exchange.datasets import Dataset, DatasetCase, read_dataset
from medssl.imaging.multichannel import read_channels
from medssl.imaging.volume import Volume
from medssl.inference.predictor import Prediction, Predictor
from medssl.labels import LabelSchema, Segment
from medssl.learning.card import read_card
from medssl.learning.model import load_model
from medssl.project import Project
from watching import Watcher


@pytest.fixture
def settings(small_dataset: Path) -> BenchmarkSettings:
    """One run; the made-up dataset has six labelled cases and two for testing, which have labels as well."""
    return BenchmarkSettings(
        dataset=small_dataset,
        measure=Measure(held_out=2, steps=4, proposals=3, threads=1, device="cpu"),
        annotated=(1,),
        methods=("supervised",),
        seeds=(0,),
    )


@pytest.mark.parametrize(
    ("held_out", "spread", "names"),
    [
        (2, False, "e f"),
        (2, True, "c f"),
        (3, True, "b d f"),
        (4, True, "b c e f"),
        (6, True, "a b c d e f"),
        (9, True, "a b c d e f"),
        (9, False, "a b c d e f"),
    ],
)
def test_held_out_cases_are_the_last_ones_or_from_all_over(held_out: int, spread: bool, names: str) -> None:
    labelled = [DatasetCase(name, (), labels=Path(name)) for name in "abcdef"]
    schema = LabelSchema(segments=(Segment(name="Liver", value=1, colour=(255, 0, 0)),))
    dataset = Dataset("Made up", Path(), ("MR",), schema, (*labelled, DatasetCase("g", (), labels=None)))

    train, test = divide(dataset, Measure(held_out=held_out, spread=spread, steps=2))

    assert [case.name for case in test] == names.split()
    assert [case.name for case in train] == [name for name in "abcdef" if name not in names]


def test_every_run_is_done_once_and_new_ones_are_added(settings: BenchmarkSettings, tmp_path: Path) -> None:
    first = run_benchmark(settings, tmp_path, Monitor())
    (path,) = (tmp_path / RUNS).glob("*.json")
    written = path.stat().st_mtime_ns
    more = settings.model_copy(update={"starts": (Start(), Start(task="relative_location", share=0.5))})
    watcher = Watcher()

    second = run_benchmark(more, tmp_path, watcher)

    assert (first.runs, second.runs) == (1, 2)
    assert path.stat().st_mtime_ns == written
    assert [text.split(":")[0] for text in watcher.told] == [
        "2 of 2, supervised from relative_location 50 %, 1 case, seed 0"
    ]
    scratch, pretrained = second.cells
    assert (scratch.steps, scratch.pretraining_steps) == (4, 0)
    assert (pretrained.steps, pretrained.pretraining_steps) == (2, 2)  # the same budget for both
    assert pretrained.difference is not None
    assert pretrained.difference.cases == 2
    result = next(iter(read_results(tmp_path / RUNS).values()))
    train, test = divide(read_dataset(settings.dataset), settings.measure)
    assert [case.name for case in result.cases] == [case.name for case in test]
    assert [case.name for case in result.proposals] == [case.name for case in train[1:4]]
    assert {path.name for path in tmp_path.iterdir()} >= {"cases.csv", "summary.json", "summary.md"}
    assert not (tmp_path / "working").exists()


def test_a_run_that_was_stopped_ends_as_one_that_was_not(settings: BenchmarkSettings, tmp_path: Path) -> None:
    starts = (Start(task="relative_location", share=0.25),)
    settings = settings.model_copy(
        update={"starts": starts, "methods": ("dual_task",), "annotated": (2,), "seeds": (5,)}
    )
    with pytest.raises(Cancelled):
        run_benchmark(settings, tmp_path / "a", Watcher(stop_at=1, stage=": Training"))
    assert list((tmp_path / "a" / "working").rglob("checkpoint*"))
    watcher = Watcher()

    run_benchmark(settings, tmp_path / "a", watcher)
    dataset = read_dataset(settings.dataset)
    (run,) = planned(settings, dataset.name)
    whole = measure_run(dataset, run, tmp_path / "b", Monitor())

    stages = {event.stage.split(": ")[1] for event in watcher.reported}
    assert stages == {"Training", "Scoring"}  # the pretraining was finished
    (resumed,) = read_results(tmp_path / "a" / RUNS).values()
    assert resumed.steps == whole.steps == 3
    for mine, other in zip(resumed.cases, whole.cases, strict=True):
        assert mine.dice == pytest.approx(other.dice, abs=1e-3)
        assert mine.uncertainty == pytest.approx(other.uncertainty, abs=1e-3)
    with Project.open(tmp_path / "b" / "project") as project:
        cards = [read_card(project.model(model.id).folder) for model in project.models()]
        assert (project.count_cases(), project.count_cases(state="annotated")) == (6, 2)
    assert {card.method for card in cards} == {"dual_task", "relative_location"}
    assert [card.seed for card in cards] == [5, 5]
    assert {card.annotated_cases for card in cards if card.method == "dual_task"} == {2}


def test_a_pretraining_takes_its_share_of_the_processor_time_and_all_segments_are_scored_as_one(
    settings: BenchmarkSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = settings.measure.model_copy(update={"steps": None, "core_seconds": 1.0, "proposals": 0})
    start = Start(task="relative_location", share=0.5)
    run = Run(
        dataset="small", measure=measure, annotated=1, arm=Arm(method="supervised", start=start), seed=0
    )
    dataset = read_dataset(settings.dataset)
    ticks, predict = itertools.count(), Predictor.predict

    def all_of_the_first_segment(predictor: Predictor, channels: Sequence[Volume]) -> Prediction:
        found = predict(predictor, channels)
        return replace(found, values=np.full_like(found.values, predictor.schema.segments[0].value))

    monkeypatch.setattr(time, "process_time", lambda: next(ticks) / 100)
    monkeypatch.setattr(Predictor, "predict", all_of_the_first_segment)

    result = measure_run(dataset, run, tmp_path, Monitor())

    assert 0.7 <= result.seconds <= 1.1
    assert next(ticks) >= 90  # it was this clock that ran out
    assert min(result.pretraining_steps, result.steps) > 1
    for case in result.cases:
        (known,) = (each for each in dataset.cases if each.name == case.name)
        truth = sitk.GetArrayFromImage(sitk.ReadImage(str(known.labels)))
        assert case.whole == pytest.approx(2 * (truth > 0).sum() / ((truth > 0).sum() + truth.size))
        assert case.dice[0] == pytest.approx(2 * (truth == 1).sum() / ((truth == 1).sum() + truth.size))


def test_what_nobody_annotated_in_a_dataset_neither_trains_nor_counts(
    settings: BenchmarkSettings, partly_annotated_dataset: Path, tmp_path: Path
) -> None:
    settings = settings.model_copy(update={"dataset": partly_annotated_dataset})
    dataset = read_dataset(partly_annotated_dataset)
    (run,) = planned(settings, dataset.name)

    result = measure_run(dataset, run, tmp_path, Monitor())

    with Project.open(tmp_path / "project") as project:
        annotation = project.case("small_1").annotation
        assert annotation is not None
        assert np.unique(project.read_annotation(annotation)[:4]).tolist() == [255]
        predictor = Predictor(load_model(project.model().folder), "cpu")
    case = next(case for case in dataset.cases if case.name == result.cases[0].name)
    found = predictor.predict(read_channels(case.channels, 1)).values[4:] > 0
    truth = sitk.GetArrayFromImage(sitk.ReadImage(str(case.labels)))[4:] > 0
    assert result.cases[0].whole == pytest.approx(2 * (found & truth).sum() / (found.sum() + truth.sum()))


def test_a_run_that_another_process_does_is_waited_for(settings: BenchmarkSettings, tmp_path: Path) -> None:
    settings = settings.model_copy(update={"seeds": (0, 1)})
    first, second = planned(settings, "small")
    run_benchmark(settings, tmp_path / "other", Monitor())
    results = {path.stem: path.read_bytes() for path in (tmp_path / "other" / RUNS).glob("*.json")}
    folder = tmp_path / "shared"
    (folder / RUNS).mkdir(parents=True)
    (folder / "working").mkdir()
    watcher, found = Watcher(), []
    worker = threading.Thread(target=lambda: found.append(run_benchmark(settings, folder, watcher)))
    with FileLock(folder / "working" / f"{first.key}.lock"):
        worker.start()
        while second not in read_results(folder / RUNS):
            assert worker.is_alive()
            worker.join(0.05)
        (folder / RUNS / f"{first.key}.json").write_bytes(results[first.key])
    worker.join(60)

    assert found[0].runs == 2
    assert [text.split(":")[0] for text in watcher.told] == [f"2 of 2, {second.title}"]


def test_another_data_set_of_the_same_name_is_told_from_the_first(
    settings: BenchmarkSettings, tmp_path: Path
) -> None:
    moved, changed = tmp_path / "moved", tmp_path / "changed"
    shutil.copytree(settings.dataset, moved)
    shutil.copytree(settings.dataset, changed)
    labels = next(iter(sorted((changed / "labelsTr").iterdir())))
    labels.write_bytes(labels.read_bytes() + b"\0")  # what follows a compressed file is ignored
    out = tmp_path / "out"
    first = run_benchmark(settings, out, Monitor())

    again = run_benchmark(settings.model_copy(update={"dataset": moved}), out, Monitor())
    with pytest.raises(UsageError, match=r"other scans .*changed") as caught:
        run_benchmark(settings.model_copy(update={"dataset": changed}), out, Monitor())

    assert (first.runs, again.runs) == (1, 1)
    assert "another output folder" in str(caught.value.remedy)


def test_a_folder_of_somebody_else_is_left_alone(settings: BenchmarkSettings, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="something else"):
        run_benchmark(settings, tmp_path, Monitor())
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_folder_that_another_process_begins_at_this_moment_is_not_taken_for_somebody_elses(
    settings: BenchmarkSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = Path.iterdir

    def listed_a_moment_later(folder: Path) -> Iterator[Path]:
        if folder == tmp_path:
            (folder / RUNS).mkdir()
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", listed_a_moment_later)
    cancelled = Monitor()
    cancelled.cancel()
    with pytest.raises(Cancelled):  # before the first run, with the folder found good
        run_benchmark(settings, tmp_path, cancelled)


def test_results_that_cannot_be_understood_are_named(settings: BenchmarkSettings, tmp_path: Path) -> None:
    (tmp_path / RUNS).mkdir()
    (tmp_path / RUNS / "strange.json").write_text("{}")
    with pytest.raises(DataError, match=r"strange\.json"):
        run_benchmark(settings, tmp_path, Monitor())


def test_more_cases_than_there_are_cannot_be_compared(settings: BenchmarkSettings, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="8 labelled cases; 7 to annotate and 2 held out"):
        run_benchmark(settings.model_copy(update={"annotated": (7,)}), tmp_path, Monitor())


def test_a_dataset_may_keep_all_channels_of_a_case_in_one_file(
    settings: BenchmarkSettings, small_dataset: Path, tmp_path: Path
) -> None:
    dataset = tmp_path / "Task01"
    for path in small_dataset.rglob("*.nii.gz"):
        target = dataset / path.relative_to(small_dataset)
        target.parent.mkdir(parents=True, exist_ok=True)
        image = sitk.ReadImage(str(path))
        is_scan = target.parent.name.startswith("images")
        sitk.WriteImage(sitk.JoinSeries([image, image]) if is_scan else image, str(target))
    description = json.loads((small_dataset / "dataset.json").read_text(encoding="utf-8"))
    description["modality"] = {"0": "FLAIR", "1": "T1w"}
    description.pop("channel_names", None)
    (dataset / "dataset.json").write_text(json.dumps(description), encoding="utf-8")

    done = run_benchmark(settings.model_copy(update={"dataset": dataset}), tmp_path / "out", Monitor())

    assert done.runs == 1
    (result,) = read_results(tmp_path / "out" / RUNS).values()
    assert len(result.cases) == 2
