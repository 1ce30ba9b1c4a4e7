"""Events can be read while they are written, by many, each time only what is new."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from medssl.events import Log, Monitor
from medssl.jobs.event_log import EventLog
from medssl.jobs.files import EVENTS_FILE, JobFiles


def _texts(found: list[tuple[int, object]]) -> list[tuple[int, str]]:
    return [(number, event.text) for number, event in found if isinstance(event, Log)]


def _line(text: str) -> bytes:
    return Log(time=1.0, text=text).model_dump_json().encode() + b"\n"


def test_a_job_without_events_has_none_yet(tmp_path: Path) -> None:
    assert EventLog(tmp_path / "nothing").after(0) == []
    assert EventLog(tmp_path).after(7) == []


def test_what_a_running_job_writes_is_there_at_once_and_once(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    with JobFiles(tmp_path, Monitor()) as files:
        files.log("one")
        assert _texts(log.after(0)) == [(1, "one")]
        assert log.after(1) == []
        files.log("two")
        files.log("three")
        assert _texts(log.after(1)) == [(2, "two"), (3, "three")]
    assert _texts(EventLog(tmp_path).after(2)) == [(3, "three")]
    assert _texts(log.after(0, most=2)) == [(1, "one"), (2, "two")]
    assert log.after(99) == []


def test_a_line_cut_short_by_a_kill_keeps_its_number_and_is_left_out(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    (tmp_path / EVENTS_FILE).write_bytes(_line("one") + _line("lost")[:20])
    assert _texts(log.after(0)) == [(1, "one")]
    with JobFiles(tmp_path, Monitor()) as files:
        files.log("after resuming")
    assert _texts(log.after(0)) == _texts(EventLog(tmp_path).after(0)) == [(1, "one"), (3, "after resuming")]


def test_a_file_that_was_replaced_is_read_from_its_start(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    (tmp_path / EVENTS_FILE).write_bytes(_line("one") + _line("two"))
    assert len(log.after(0)) == 2
    (tmp_path / EVENTS_FILE).write_bytes(_line("other"))
    assert _texts(log.after(0)) == [(1, "other")]


@settings(max_examples=40)
@given(
    texts=st.lists(st.text(max_size=30), max_size=12),
    cuts=st.lists(st.integers(1, 120), max_size=20),
    behind=st.integers(0, 14),
)
def test_in_whatever_pieces_a_file_grows_readers_see_every_event_once(
    texts: list[str], cuts: list[int], behind: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("job")
    content = b"".join(map(_line, texts))
    log, seen = EventLog(folder), list[tuple[int, str]]()
    with (folder / EVENTS_FILE).open("ab", buffering=0) as file:
        for cut in (*cuts, len(content)):
            file.write(content[:cut])
            content = content[cut:]
            seen += _texts(log.after(len(seen)))
    assert seen == list(enumerate(texts, start=1))
    assert _texts(log.after(behind)) == seen[behind:]
