"""The imports of the engine go one way, and what needs no torch does not import it."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import medssl

_PACKAGE = Path(medssl.__file__).parent

# From the ground up. A part may import from its own layer and from those above it in this list.
_LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"", "errands", "errors", "faults", "words"}),  # '' is `medssl/__init__.py` itself
    frozenset(
        {
            "access",
            "endpoint",
            "events",
            "host",
            "labels",
            "occupancy",
            "pace",
            "processes",
            "storage",
            "templates",
        }
    ),
    frozenset({"machine"}),
    frozenset({"imaging"}),
    frozenset({"phantom", "project"}),
    frozenset({"learning"}),
    frozenset({"inference"}),
    frozenset({"evaluation", "exchange", "reports"}),
    frozenset({"jobs"}),
    frozenset({"__main__", "cli", "demo", "doctor", "service", "client"}),
)
_NEEDS_TORCH = "learning"  # and what lies above it


def _part(module: str) -> str:
    """The part a module belongs to: 'imaging' for `medssl.imaging.reading`."""
    return module.split(".")[1] if "." in module else ""


def _layer(part: str) -> int:
    found = [index for index, parts in enumerate(_LAYERS) if part in parts]
    assert len(found) == 1, f"medssl.{part} belongs to no layer: give it one in {__file__}"
    return found[0]


def _parts() -> list[str]:
    """The parts that there are, '' for the package itself."""
    files = [path.stem for path in _PACKAGE.glob("*.py")]
    folders = [path.parent.name for path in _PACKAGE.glob("*/__init__.py")]
    return sorted("" if name == "__init__" else name for name in files + folders)


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    """Every module of ours that a file imports, anywhere in it, with the line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relative to itself"
            module = node.module or ""
            # `from medssl import learning` names a part; `from medssl import __version__` does not.
            names = [
                f"{module}.{alias.name}"
                if module == "medssl" and (_PACKAGE / alias.name).is_dir()
                else module
                for alias in node.names
            ]
        else:
            continue
        yield from ((node.lineno, name) for name in names if name.split(".")[0] == "medssl")


def test_imports_go_one_way() -> None:
    wrong = []
    for path in sorted(_PACKAGE.rglob("*.py")):
        relative = path.relative_to(_PACKAGE)
        part = relative.parts[0].removesuffix(".py")
        own = _layer("" if part == "__init__" else part)
        for line, module in _imports(path):
            if _layer(_part(module)) > own:
                wrong.append(f"medssl/{relative.as_posix()}:{line} imports {module}")
    assert wrong == []


def test_every_part_has_one_layer() -> None:
    for part in _parts():
        _layer(part)


def test_the_core_and_the_project_work_without_torch() -> None:
    parts = [part for part in _parts() if part and _layer(part) < _layer(_NEEDS_TORCH)]
    assert {"imaging", "labels", "project"} <= set(parts)
    blocked = "import sys\nfor name in ('torch', 'monai'): sys.modules[name] = None\n"
    imports = "\n".join(f"import medssl.{part}" for part in parts)
    ended = subprocess.run([sys.executable, "-c", blocked + imports], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def test_the_package_itself_imports_nothing_heavy() -> None:
    script = "import sys; import medssl; print(*{name.split('.')[0] for name in sys.modules})"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    heavy = {"torch", "monai", "numpy", "SimpleITK", "sqlalchemy", "pydantic"}
    assert not heavy & set(told.stdout.split())


def test_the_service_starts_without_what_learns_draws_or_reads_dicom() -> None:
    script = "import sys; import medssl.service.app; print(*{name.split('.')[0] for name in sys.modules})"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(told.stdout.split())
    assert "fastapi" in loaded
    assert not {"torch", "monai", "scipy", "matplotlib", "PIL", "pydicom", "highdicom", "requests"} & loaded
