"""What must hold for every file of the repository."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CONSTRAINTS = ROOT / "backend" / "constraints" / "cpu.txt"
MOST_LINES = 400
MOST_BYTES = 1_000_000
TEXT = {".py", ".md", ".toml", ".txt", ".json", ".ui", ".html", ".css", ".js", ".yml", ".j2", ""}

# Paths that exist on one computer only. Written in two parts, so that this file does not hold them itself.
_PLACES = ("/" + "work/", "/" + "root/", "/" + r"home/\w+/", r"[A-Z]:\\+" + "Users")
ONE_COMPUTER = re.compile("|".join(_PLACES))


if not (ROOT / ".git").exists():
    pytest.skip("only a git checkout knows which files are the repository's", allow_module_level=True)
_LISTED = subprocess.run(
    ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
).stdout
TRACKED = [ROOT / name for name in _LISTED.split("\0") if name and (ROOT / name).is_file()]
CODE = [path for path in TRACKED if path.suffix == ".py"]
TEXTS = [path for path in TRACKED if path.suffix in TEXT and path.name != "LICENSE.txt"]


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_no_source_file_is_longer_than_a_person_reads_in_one_go() -> None:
    lengths = {path.relative_to(ROOT): len(_read(path).splitlines()) for path in CODE}
    assert {str(path): count for path, count in lengths.items() if count > MOST_LINES} == {}


def test_no_file_is_large() -> None:
    assert [str(path.relative_to(ROOT)) for path in TRACKED if path.stat().st_size > MOST_BYTES] == []


def test_no_file_names_a_path_of_one_computer() -> None:
    found = {
        str(path.relative_to(ROOT)): match.group()
        for path in TEXTS
        if (match := ONE_COMPUTER.search(_read(path)))
    }
    assert found == {}


def test_packages_come_from_no_address_of_ones_own() -> None:
    """Only PyTorch's public index is named, and only where torch is chosen."""
    addresses = re.compile(
        r"(?:index-url|find-links|registry)[=\s\"']+((?:https?|file)://\S+)|//\S*/simple\b"
    )
    found = [str(path.relative_to(ROOT)) for path in TEXTS if addresses.search(_read(path))]
    assert [name for name in found if name != "Testing/test_repository.py"] == []


def test_every_suppressed_check_carries_its_reason() -> None:
    bare = re.compile(r"# (?:noqa(?:: ?[A-Z0-9, ]+)?|type: ?ignore(?:\[[\w, -]+\])?)\s*$", re.MULTILINE)
    assert [str(path.relative_to(ROOT)) for path in CODE if bare.search(_read(path))] == []


def test_test_files_have_names_of_their_own() -> None:
    """Without packages in Testing, pytest tells test files apart by name only."""
    names = Counter(path.name for path in CODE if path.is_relative_to(ROOT / "Testing"))
    assert [name for name, count in names.items() if count > 1 and name != "conftest.py"] == []


def test_every_file_names_the_same_pythons() -> None:
    """Some must be checked before anything is installed, so that the range cannot stand in one place."""
    declared = re.search(
        r'requires-python = ">=3\.(\d+),<3\.(\d+)"', _read(ROOT / "backend" / "pyproject.toml")
    )
    assert declared is not None
    oldest, too_new = map(int, declared.groups())
    words = re.compile(r"Pythons? (?:between )?3\.(\d+) (?:to|and) 3\.(\d+)\b")
    bounds = re.compile(r"\(3, (\d+)\)(?: <= version <|,) \(3, (\d+)\)")
    told = {
        (path.name, int(first), int(last)) for path in TEXTS for first, last in words.findall(_read(path))
    }
    checked = {
        (path.name, int(first), int(end)) for path in CODE for first, end in bounds.findall(_read(path))
    }
    assert {(first, last + 1) for _, first, last in told} == {(oldest, too_new)}, told
    assert {(first, end) for _, first, end in checked} == {(oldest, too_new)}, checked
    assert {name for name, _, _ in checked} == {"bootstrap.py", "doctor.py", "pythons.py"}


def test_every_pinned_package_is_pinned_for_every_python() -> None:
    """A version that only fits newer Pythons has one for Python 3.10 beside it."""
    pins: dict[str, list[str]] = {}
    for line in _read(CONSTRAINTS).splitlines():
        if line and not line.startswith("#"):
            name, _, rest = line.partition("==")
            pins.setdefault(name, []).append(rest.partition(";")[2].strip())
    for name, markers in pins.items():
        if any("3.11" in marker for marker in markers):
            assert sorted(markers) == ['python_version < "3.11"', 'python_version >= "3.11"'], name


def test_everything_the_engine_asks_for_is_pinned() -> None:
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 cannot read TOML")
    project = tomllib.loads(_read(ROOT / "backend" / "pyproject.toml"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    names = {re.split(r"[<>=;\[ ]", line)[0].lower() for line in wanted}
    pinned = set(re.findall(r"^([\w-]+)==", _read(CONSTRAINTS), re.MULTILINE))
    assert names - pinned == set()
