"""Results of an engine elsewhere replace, when they are fetched again, only what fetching wrote before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from medssl.client import Arrivals, Arrived, EngineError, fetch
from service_engine import Engine, write_scan

Bring = Callable[..., Arrived]


@pytest.fixture
def there(engine: Engine) -> Path:
    """A folder of results on the engine's computer."""
    folder = Path(engine.client.make_folder().path) / "results"
    write(folder / "a.seg.nrrd", "first")
    write(folder / "ward" / "b.seg.nrrd", "first")
    return folder


@pytest.fixture
def here(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Where the client keeps what it fetched."""
    return tmp_path / "state"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def bring(engine: Engine, state: Path) -> Bring:
    """Fetch as a program does that was started just now."""

    def fetch_now(there: Path, here: Path, job: str = "job-1") -> Arrived:
        return fetch(engine.client, str(there), here, Arrivals(state, job))

    return fetch_now


def test_what_was_sent_and_made_comes_back_though_the_engine_keeps_it_in_a_hidden_folder_of_the_home(
    engine: Engine, bring: Bring, there: Path, here: Path, tmp_path: Path
) -> None:
    scan = write_scan(tmp_path / "scan.nii.gz")
    sent = engine.client.upload(scan).path
    for path in (sent, str(there)):
        assert ".local" in Path(path).relative_to(engine.root).parts
    assert engine.client.download(sent, tmp_path / "back.nii.gz").read_bytes() == scan.read_bytes()
    assert bring(there, here) == Arrived(here, ())
    assert (here / "ward" / "b.seg.nrrd").read_text() == "first"
    write(there / ".half" / "c.seg.nrrd", "hidden among the results")
    for path in (there / ".half" / "c.seg.nrrd", engine.state / "service.json"):
        with pytest.raises(EngineError, match="is not a file that this service sends"):
            engine.client.download(path, tmp_path / "not this")


def test_results_of_a_job_that_went_on_replace_those_of_before(bring: Bring, there: Path, here: Path) -> None:
    assert bring(there, here) == Arrived(here, ())
    write(there / "a.seg.nrrd", "second, and longer")
    write(there / "c.seg.nrrd", "second")
    assert bring(there, here) == Arrived(here, ())
    assert (here / "a.seg.nrrd").read_text() == "second, and longer"
    assert (here / "c.seg.nrrd").read_text() == "second"
    assert sorted(path.name for path in here.iterdir()) == ["a.seg.nrrd", "c.seg.nrrd", "ward"]


def test_a_file_that_a_person_changed_is_left_and_named(bring: Bring, there: Path, here: Path) -> None:
    bring(there, here)
    write(here / "ward" / "b.seg.nrrd", "fixed")
    write(there / "ward" / "b.seg.nrrd", "second")
    assert bring(there, here).left == (here / "ward" / "b.seg.nrrd",)
    assert (here / "ward" / "b.seg.nrrd").read_text() == "fixed"


def test_results_of_another_job_go_beside_those_that_are_there(bring: Bring, there: Path, here: Path) -> None:
    bring(there, here)
    write(there / "a.seg.nrrd", "of another model")
    beside = here.with_name("out 2")
    for _time in range(2):
        assert bring(there, here, "job-2") == Arrived(beside, ())
    assert (here / "a.seg.nrrd").read_text() == "first"
    assert (beside / "a.seg.nrrd").read_text() == "of another model"


def test_a_single_file_replaces_only_the_one_that_a_person_chose_to_have_replaced(
    bring: Bring, there: Path, here: Path, state: Path
) -> None:
    target = here / "First.zip"
    write(target, "of last year")
    Arrivals(state, "job-1").agree(target)
    assert bring(there / "a.seg.nrrd", target) == Arrived(target, ())
    assert target.read_text() == "first"
    Arrivals(state, "job-2").agree(target)
    write(target, "of somebody else")
    assert bring(there / "a.seg.nrrd", target, "job-2").here == here / "First 2.zip"
    assert target.read_text() == "of somebody else"


def test_what_was_written_is_known_after_a_kill_in_the_middle(
    engine: Engine, bring: Bring, there: Path, here: Path, state: Path
) -> None:
    class KilledError(Exception):
        pass

    def tell(done: int, total: int) -> None:
        if done == 1:
            raise KilledError

    with pytest.raises(KilledError):
        fetch(engine.client, str(there), here, Arrivals(state, "job-1"), tell)
    (record,) = state.iterdir()
    record.write_bytes(record.read_bytes() + b'\n{"here": "/ou')
    write(there / "a.seg.nrrd", "second")
    assert bring(there, here) == Arrived(here, ())
    assert (here / "a.seg.nrrd").read_text() == "second"
