"""Sentences with a number in them read as people say them, also for one."""

from __future__ import annotations

import re
from pathlib import Path

import medssl
import pytest
from medssl.cli.results import describe
from medssl.jobs import (
    ExportProjectResult,
    ImportResult,
    PredictResult,
    PretrainResult,
    Proposal,
    ProposeResult,
    Result,
    TrainResult,
)
from medssl.words import counted, none_of

_HERE = Path("out")
_ONE = re.compile(r"\b1 (?!of\b|with\b|could\b|were\b|was\b)\w+s\b")
# A value and a noun for many, without the words that make it one of several or a lower bound.
_BY_HAND = re.compile(
    r"(?<!of )\{(?:len\([\w.]+\)|\w+\.(?:steps|cases|scans|unannotated_cases|skipped|done|proposals))\} "
    r"(?:scans|cases|steps|proposals|files|models|segments|channels|images|slices)\b"
)


def test_one_thing_is_told_as_one() -> None:
    assert [counted(n, "scan") for n in (0, 1, 2)] == ["0 scans", "1 scan", "2 scans"]
    assert [counted(n, "entry", "entries") for n in (1, 3)] == ["1 entry", "3 entries"]
    assert [none_of(n, "scan") for n in (1, 3)] == ["Not one scan", "None of the 3 scans"]


@pytest.mark.parametrize(
    "result",
    [
        ImportResult(cases=1, annotated=1, already_there=1, refused=1),
        TrainResult(model_id="m", steps=1, seconds=1.0),
        PretrainResult(model_id="m", scans=1, steps=1, seconds=1.0),
        ProposeResult(model_id="m", proposals=(Proposal(case="a", score=0.1, volumes_ml={}),)),
        PredictResult(
            model_id="m", done=1, skipped=1, failed={"a": "Empty."}, output=_HERE, table=_HERE, report=_HERE
        ),
        ExportProjectResult(output=_HERE, annotated=1, unannotated=1),
    ],
    ids=lambda result: result.kind,
)
def test_what_a_job_made_of_a_single_thing_is_told_as_one(result: Result) -> None:
    told = describe(result)
    assert "1" in told
    assert not _ONE.search(told), told
    assert "1 were" not in told


def test_nobody_counts_by_hand() -> None:
    package = Path(medssl.__file__).parent
    found = [
        f"{path.relative_to(package)}: {line.strip()}"
        for path in sorted(package.rglob("*.py"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if _BY_HAND.search(line) and "counted(" not in line
    ]
    assert found == []
