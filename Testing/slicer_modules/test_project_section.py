"""The section Project, by its buttons, with a real engine in a process of its own."""

from __future__ import annotations

from pathlib import Path

from panels import OpenPanel


def _fill_form(panel: OpenPanel, name: str, folder: Path) -> None:
    panel.click("newButton")
    panel.find("projectNameEdit").text = name
    panel.find("projectFolderEdit").currentPath = str(folder)


def _new_project(panel: OpenPanel, name: str, folder: Path, template: str = "Liver and lesions") -> None:
    panel.ready()
    _fill_form(panel, name, folder)
    panel.find("templateCombo").currentText = template
    panel.click("createButton")
    panel.wait_until(lambda: panel.session.project is not None)


def test_a_project_is_made_from_a_template_with_its_codes(panel: OpenPanel, tmp_path: Path) -> None:
    _new_project(panel, "Lebern für die Übung", tmp_path / "Lebern für die Übung", "Liver and lesion")
    project = panel.session.project
    assert project.name == "Lebern für die Übung"
    assert project.segments[0].terminology["type"]["meaning"] == "Liver"
    assert panel.find("projectFrame").visible
    assert "no scans yet" in panel.find("noCasesLabel").text
