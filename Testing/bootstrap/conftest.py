"""Checkouts of a very small engine, with and without an environment."""

from __future__ import annotations

from pathlib import Path

import pytest
from bootstrap_checkout import Checkout, make_checkout


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A fresh checkout without an environment."""
    return make_checkout(tmp_path / "a checkout")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout whose environment is ready. Tests leave it so."""
    made = make_checkout(tmp_path_factory.mktemp("installed") / "a checkout")
    result = made.run("install", "--torch", "cpu")
    assert result.returncode == 0, result.stderr
    return made
