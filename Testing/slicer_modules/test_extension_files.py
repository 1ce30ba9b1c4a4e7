"""The frame of the extension: lists agree with files, the engine comes along, the index takes its entry."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6 import QtGui

ROOT = Path(__file__).parents[2]
MODULES = ("MedSSLSegment", "MedSSLPretrain")
TOP = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
# Keys of slicer-extension-catalog-entry-schema-v1.0.2.json in Slicer's sources, which allows no others.
ENTRY_KEYS = {
    "$schema": str,
    "build_dependencies": list,
    "build_subdirectory": str,
    "category": str,
    "dicom_support_rule": str,
    "enabled": bool,
    "scm_revision": str,
    "scm_type": str,
    "scm_url": str,
    "tier": int,
}


def listed(module: str, variable: str) -> list[str]:
    """The files of a list in a module's CMakeLists.txt."""
    text = (ROOT / module / "CMakeLists.txt").read_text(encoding="utf-8")
    found = re.search(rf"set\({variable}\n(.*?)\n  \)", text, re.DOTALL)
    assert found is not None, f"{module}/CMakeLists.txt sets no {variable}"
    return [line.strip().replace("${MODULE_NAME}", module) for line in found.group(1).splitlines()]


def present(module: str, python: bool) -> list[str]:
    files = [
        path for path in (ROOT / module).rglob("*") if path.is_file() and "__pycache__" not in path.parts
    ]
    names = [
        path.relative_to(ROOT / module).as_posix()
        for path in files
        if path.name != "CMakeLists.txt" and (path.suffix == ".py") == python
    ]
    return sorted(names)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_lists_every_script_and_resource_and_no_other(module: str) -> None:
    scripts, resources = listed(module, "MODULE_PYTHON_SCRIPTS"), listed(module, "MODULE_PYTHON_RESOURCES")
    for names, python in ((scripts, True), (resources, False)):
        there = present(module, python)
        missing = [name for name in there if name not in names]
        assert not missing, f"add to {module}/CMakeLists.txt:\n" + "\n".join(f"  {name}" for name in missing)
        assert [name for name in names if name not in there] == []
        assert len(names) == len(set(names))


@pytest.mark.parametrize("module", MODULES)
def test_the_scripts_are_those_of_a_slicer_module(module: str) -> None:
    text = (ROOT / module / "CMakeLists.txt").read_text(encoding="utf-8")
    assert f"set(MODULE_NAME {module})" in text
    assert "slicer_add_python_unittest(SCRIPT ${MODULE_NAME}.py)" in text
    assert f"add_subdirectory({module})" in TOP


def test_the_images_of_the_extension_are_in_the_repository() -> None:
    for variable, least in (("EXTENSION_ICONURL", 1), ("EXTENSION_SCREENSHOTURLS", 2)):
        line = re.search(rf'^set\({variable} "([^"\n]+)"\)$', TOP, re.MULTILINE)
        assert line is not None, f"{variable} is not one quoted line"
        addresses = line.group(1).split()
        assert len(addresses) >= least
        for address in addresses:
            branch, _, path = address.partition("/SlicerMedSSL/")[2].partition("/")
            assert branch == "main"
            assert (ROOT / path).suffix in (".png", ".jpg")
            assert (ROOT / path).is_file(), path


def test_the_entry_for_the_index_has_the_keys_of_its_schema() -> None:
    entry = json.loads((ROOT / "Resources/ExtensionsIndex/MedSSL.json").read_text(encoding="utf-8"))
    assert {key: type(value) for key, value in entry.items()}.items() <= ENTRY_KEYS.items()
    assert {"$schema", "category", "scm_url"} <= set(entry)
    assert entry["scm_url"] == re.search(r'EXTENSION_HOMEPAGE "([^"]+)"', TOP).group(1)
    assert "slicer" in entry["scm_url"].rsplit("/", 1)[1].lower()
    assert f'set(EXTENSION_CATEGORY "{entry["category"]}")' in TOP
    assert f'set(EXTENSION_DEPENDS "{" ".join(entry["build_dependencies"])}")' in TOP
    assert "project(MedSSL)" in TOP


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of scripted modules as CMake's lists and install commands fill it."""
    folder = tmp_path_factory.mktemp("qt-scripted-modules")
    for module in MODULES:
        for variable in ("MODULE_PYTHON_SCRIPTS", "MODULE_PYTHON_RESOURCES"):
            for name in listed(module, variable):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / module / name, folder / name)
    pattern = r"install\(DIRECTORY (\S+)\s+DESTINATION \$\{Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR\}/(\S+)"
    for source, destination in re.findall(pattern, TOP):
        target = folder / destination / ("" if source.endswith("/") else Path(source).name)
        excluded = shutil.ignore_patterns("__pycache__", "*.egg-info", ".*", "build")
        shutil.copytree(ROOT / source, target, ignore=excluded)
    return folder


def test_an_installed_extension_finds_its_engine_and_what_that_needs(installed: Path) -> None:
    script = (
        "from MedSSLLib import backend\n"
        "folder = backend.backend_folder()\n"
        "client = backend.client_package()\n"
        "from medssl import templates\n"
        "print(folder, client.__file__, len(templates.list_templates()), sep='\\n')\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script],
        cwd=installed,
        env={"PYTHONPATH": os.pathsep.join([str(installed), str(installed / "MedSSLBackend")]), "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    folder, client, schemas = ended.stdout.split("\n")[:3]
    assert Path(folder) == installed / "MedSSLBackend"
    assert Path(client).is_relative_to(installed)
    assert int(schemas) == len(list((ROOT / "Resources" / "LabelSchemas").glob("*.json")))
    assert (installed / "MedSSLBackend" / "constraints" / "cpu.txt").is_file()


ICONS = ["Resources/Icons/MedSSL.png", *(f"{module}/Resources/Icons/{module}.png" for module in MODULES)]


@pytest.mark.parametrize("name", ICONS)
def test_an_icon_can_be_seen_on_light_and_dark_ground(name: str) -> None:
    image = QtGui.QImage(str(ROOT / name))
    assert (image.width(), image.height(), image.hasAlphaChannel()) == (128, 128, True)
    assert image.pixelColor(0, 0).alpha() == 0
    shades = [image.pixelColor(x, y).lightness() for x in range(16, 112, 4) for y in range(16, 112, 4)]
    assert max(shades) - min(shades) > 120, "its own shapes stand out"
    edge = image.pixelColor(64, 8).lightness()
    assert 40 < edge < 190, "its ground is neither Slicer's light nor its dark one"
