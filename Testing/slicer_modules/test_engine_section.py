"""The section Engine, by its buttons, with a real engine in a process of its own."""

from __future__ import annotations

from panels import OpenPanel


def test_the_panel_finds_the_engine_that_runs_and_says_what_it_computes_on(panel: OpenPanel) -> None:
    panel.ready()
    panel.wait_until(lambda: panel.find("engineLabel").text.startswith("Ready on "))
    assert panel.find("startEngineButton").text == "Stop"
    assert not panel.message
