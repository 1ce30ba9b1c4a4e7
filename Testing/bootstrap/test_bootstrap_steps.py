"""The checks and tests of the repository, with tools that only end as they are told to."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from bootstrap_lib.environment import Environment
from bootstrap_lib.steps import run_tests

TOOL = """\
import sys
called = " ".join([{name!r}, *sys.argv[1:]])
print("called", called)
sys.exit(next((code for words, code in {codes!r}.items() if words in called), 0))
"""
STEPS = ["ruff check", "ruff format", "mypy", "engine", "panels"]


class ThisPython(Environment):
    """An environment whose Python is the one of this test; it finds its tools in the folders of the steps."""

    @property
    def python(self) -> Path:
        return Path(sys.executable)


@pytest.mark.parametrize(
    ("codes", "answer", "failed"),
    [
        ({}, 0, []),
        ({"ruff check": 3, " ../Testing": 1}, 1, ["ruff check", "panels"]),
        ({"mypy": 130}, 130, None),
    ],
    ids=["all well", "the first and the last fail", "interrupted"],
)
def test_every_step_runs_after_one_that_failed_but_not_after_an_interruption(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    codes: dict[str, int],
    answer: int,
    failed: list[str] | None,
) -> None:
    backend = tmp_path / "backend"
    backend.mkdir()
    for folder, name in ((tmp_path, "ruff"), (backend, "mypy"), (backend, "pytest")):
        (folder / f"{name}.py").write_text(TOOL.format(name=name, codes=codes), encoding="utf-8")

    assert run_tests(ThisPython(tmp_path / "environment", backend)) == answer

    printed = capfd.readouterr().out
    called = [line for line in printed.splitlines() if line.startswith("called")]
    if failed is None:
        assert [line.split()[1] for line in called] == ["ruff", "ruff", "mypy"]
        assert "summary" not in printed
        return
    assert [line.split()[1] for line in called] == ["ruff", "ruff", "mypy", "pytest", "pytest"]
    told = dict(zip(STEPS, printed.partition("== summary\n")[2].splitlines(), strict=True))
    assert all(line.startswith(name) for name, line in told.items())
    assert [name for name, line in told.items() if "FAILED" in line] == failed
    assert [name for name, line in told.items() if line.endswith(" ok")] == [
        name for name in STEPS if name not in failed
    ]
