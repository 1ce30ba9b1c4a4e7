from __future__ import annotations

import json
import math
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from medssl.errors import Cancelled
from medssl.events import EVENT, Event, Log, Metric, Monitor, Progress, State
from pydantic import ValidationError

_NUMBERS = st.floats(allow_nan=False)
_EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(Progress, time=_NUMBERS, stage=st.text(), done=_NUMBERS, total=_NUMBERS, left_s=st.none()),
    st.builds(Metric, time=_NUMBERS, name=st.text(), value=_NUMBERS, step=st.integers(0, 10**9)),
    st.builds(Log, time=_NUMBERS, text=st.text(), level=st.sampled_from(["info", "warning", "error"])),
    st.builds(State, time=_NUMBERS, state=st.sampled_from(["queued", "failed"]), error=st.text()),
)


@settings(max_examples=100)
@given(_EVENTS)
def test_an_event_is_one_line_of_json_and_comes_back_the_same(event: Event) -> None:
    line = EVENT.dump_json(event)
    assert b"\n" not in line
    assert EVENT.validate_json(line) == event


def test_a_loss_that_is_not_a_number_comes_back_as_such() -> None:
    loss = Metric(name="loss", value=math.nan, step=3)
    for line in (EVENT.dump_json(loss), loss.model_dump_json()):
        json.loads(line, parse_constant=pytest.fail)  # a browser would refuse a bare NaN
        back = EVENT.validate_json(line)
        assert isinstance(back, Metric)
        assert math.isnan(back.value)


def test_an_event_knows_when_it_happened() -> None:
    before = time.time()
    assert before <= Log(text="now").time <= time.time()


def test_an_event_is_not_changed_after_it_happened() -> None:
    with pytest.raises(ValidationError):
        Log(text="a").text = "b"  # type: ignore[misc] - the test is that this fails


def test_a_monitor_hands_every_event_to_its_sink_in_order() -> None:
    seen: list[Event] = []
    monitor = Monitor(seen.append)
    monitor.progress("read", 1, 2, left_s=3.0)
    monitor.metric("loss", 0.5, 7)
    monitor.log("careful", "warning")
    assert [event.kind for event in seen] == ["progress", "metric", "log"]
    first = seen[0]
    assert isinstance(first, Progress)
    assert (first.stage, first.done, first.total, first.left_s) == ("read", 1, 2, 3.0)


def test_a_monitor_without_a_sink_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    Monitor().log("nobody listens")
    assert capfd.readouterr() == ("", "")


def test_a_cancel_from_another_thread_stops_the_operation_at_its_next_check() -> None:
    monitor = Monitor()
    monitor.check()
    thread = threading.Thread(target=monitor.cancel)
    thread.start()
    thread.join()
    assert monitor.cancelled
    with pytest.raises(Cancelled):
        monitor.check()
