"""A copy of the bootstrap beside an engine so small that pip installs it in a second, without downloads."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

BACKEND = Path(__file__).parents[2] / "backend"

PYPROJECT = """\
[build-system]
requires = []
build-backend = "tiny_build"
backend-path = ["."]

[project]
name = "medssl"
version = "0.1"
"""

# A build backend in the tree (PEP 517 and 660), because every other one would have to be downloaded.
TINY_BUILD = """\
import pathlib, zipfile

def _wheel(folder, files):
    info = "medssl-0.1.dist-info"
    files = {**files,
        f"{info}/METADATA": "Metadata-Version: 2.1\\nName: medssl\\nVersion: 0.1\\nProvides-Extra: test\\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        f"{info}/entry_points.txt": "[console_scripts]\\nmedssl = medssl.cli:main\\n",
        f"{info}/RECORD": ""}
    name = "medssl-0.1-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder) / name, "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    return name

def build_editable(folder, config_settings=None, metadata_directory=None):
    return _wheel(folder, {"medssl.pth": str(pathlib.Path.cwd())})

build_wheel = build_editable
"""

CLI = """\
import json, os, sys

def main():
    print(json.dumps({"arguments": sys.argv[1:], "prefix": sys.prefix, "home": os.environ.get("PYTHONHOME")}))
    return 7 if "fail" in sys.argv else 0
"""


@dataclass(frozen=True)
class Checkout:
    """A repository folder with the real bootstrap and the small engine."""

    root: Path

    @property
    def environment(self) -> Path:
        return self.root / ".venv"

    @property
    def stamp(self) -> Path:
        return self.environment / "medssl-environment.json"

    def start(self, *arguments: str | Path, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, self.root / "backend" / "bootstrap.py", *arguments],
            env={**_no_downloads(), **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments, **variables)
        output, errors = process.communicate(timeout=100)
        return subprocess.CompletedProcess(arguments, process.returncode, output, errors)


def _no_downloads() -> dict[str, str]:
    """The variables of this process, with pip cut off from every server and setting of this computer."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    return {**kept, "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}


def make_checkout(root: Path, constraints: str = "") -> Checkout:
    backend = root / "backend"
    (backend / "constraints").mkdir(parents=True)
    (backend / "constraints" / "cpu.txt").write_text(constraints)
    shutil.copy(BACKEND / "bootstrap.py", backend)
    shutil.copytree(
        BACKEND / "bootstrap_lib", backend / "bootstrap_lib", ignore=shutil.ignore_patterns("__pycache__")
    )
    (backend / "medssl").mkdir()
    for name in ("host.py", "occupancy.py"):
        shutil.copy(BACKEND / "medssl" / name, backend / "medssl")
    (backend / "medssl" / "__init__.py").write_text("")
    (backend / "medssl" / "cli.py").write_text(CLI)
    (backend / "pyproject.toml").write_text(PYPROJECT)
    (backend / "tiny_build.py").write_text(TINY_BUILD)
    return Checkout(root)


def make_wheel(folder: Path, version: str, code: str = "") -> None:
    """Put a torch that is nothing but these lines of code, and a part that nobody imports, into a folder."""
    folder.mkdir(exist_ok=True)
    info = f"torch-{version}.dist-info"
    with zipfile.ZipFile(folder / f"torch-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("torch.py", code)
        wheel.writestr("torch_part.py", "")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
