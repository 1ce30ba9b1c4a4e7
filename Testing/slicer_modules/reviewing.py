"""A queue of three proposals in the section Review, and who decides about them."""

from __future__ import annotations

from typing import Any

from medssl.client import Project
from panels import OpenPanel

NAMES = ("small_3", "small_2", "small_4")


def open_queue(panel: OpenPanel, project: Project) -> OpenPanel:
    """Open a project with proposals for `NAMES`, and have the first case of the queue on the screen."""
    panel.ready()
    panel.session.set_project(project)
    panel.widget.panel.open("review")
    panel.wait_until(lambda: panel.find("queueTable").rowCount == len(NAMES))
    panel.click("nextButton")
    wait_for(panel, NAMES[0])
    return panel


def wait_for(panel: OpenPanel, case: str) -> None:
    """Wait until a case is on the screen and can be decided about."""
    panel.wait_until(lambda: case in panel.find("caseLabel").text and panel.find("acceptButton").enabled, 30)


def review(panel: OpenPanel) -> Any:
    return panel.widget.panel.views["review"].logic
