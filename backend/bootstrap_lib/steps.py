"""The checks and tests of the whole repository, one after the other, with their seconds."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from medssl.host import usable_cores

from .environment import Environment
from .process import run


@dataclass(frozen=True)
class _Step:
    name: str
    arguments: tuple[str, ...]
    folder: Path


def run_tests(environment: Environment) -> int:
    """Run every step, also after one that failed; 0 when all went well, 1 when not, 130 when interrupted."""
    backend = environment.backend
    root = backend.parent
    cores = str(usable_cores())
    pytest = ("pytest", "-n", cores)
    panels = "../Testing/slicer_modules"
    steps = (
        _Step("ruff check", ("ruff", "check", "."), root),
        _Step("ruff format", ("ruff", "format", "--check", "."), root),
        _Step("mypy", ("mypy", "--num-workers", cores), backend),
        _Step("engine", (*pytest, f"--ignore={panels}"), backend),
        # In processes of their own: what gives Qt its PythonQt style trips over torch.
        _Step("panels", (*pytest, panels), backend),
    )
    results = []
    for step in steps:
        print(f"== {step.name}", flush=True)
        start = time.perf_counter()
        code = run([environment.python, "-m", *step.arguments], step.folder)
        if code == 130:
            return code
        results.append((step.name, code, time.perf_counter() - start))
    print("== summary")
    for name, code, seconds in results:
        print(f"{name:<12} {seconds:6.1f} s  {'ok' if code == 0 else f'FAILED (exit code {code})'}")
    return 0 if all(code == 0 for _, code, _ in results) else 1
