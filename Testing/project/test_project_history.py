"""A project against a model of it: in whatever order people act, states agree and files never change."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from medssl.errors import ProjectError
from medssl.imaging.volume import Grid, Volume
from medssl.imaging.writing import write_volume
from medssl.labels import LabelSchema
from medssl.project import Project

_GRID = Grid((2, 2, 2), (1.0, 1.0, 1.0))


class History(RuleBasedStateMachine):
    """One case, and what it should be like."""

    def __init__(self) -> None:
        super().__init__()
        self._temporary = tempfile.TemporaryDirectory()
        folder = Path(self._temporary.name)
        write_volume(folder / "scan.nrrd", Volume(np.zeros(_GRID.shape, dtype=np.int16), _GRID))
        self.project = Project.create(folder / "project", LabelSchema.of_names({1: "A", 2: "B"}))
        self.project.add_case("case", [folder / "scan.nrrd"])
        self.proposal: int | None = None  # label value that the newest proposal is filled with
        self.proposals = 0
        self.decisions: list[tuple[str, int | None, int | None]] = []  # kind, proposal's number, value
        self.versions = 0
        self.hashes: dict[Path, str] = {}

    def teardown(self) -> None:
        self.project.close()
        self._temporary.cleanup()

    def _filled(self, value: int) -> np.ndarray:
        return np.full(_GRID.shape, value, dtype=np.uint8)

    def _decided(self) -> bool:
        return any(number == self.proposals for _, number, _ in self.decisions)

    @rule(value=st.integers(0, 2))
    def draw(self, value: int) -> None:
        self.project.save_annotation("case", self._filled(value))
        self.decisions.append(("drawn", None, value))
        self.versions += 1

    @rule(value=st.integers(0, 2))
    def propose(self, value: int) -> None:
        uncertainty = np.zeros(_GRID.shape, dtype=np.float32)
        self.project.add_pseudo_label(
            "case", self._filled(value), uncertainty, score=0.5, model_id="m", worst_slice=0
        )
        self.proposal = value
        self.proposals += 1

    @precondition(lambda self: self.proposal is not None)
    @rule(kind=st.sampled_from(["accepted", "corrected", "rejected"]), value=st.integers(0, 2))
    def decide(self, kind: str, value: int) -> None:
        acts = {
            "accepted": lambda: self.project.accept("case"),
            "corrected": lambda: self.project.correct("case", self._filled(value)),
            "rejected": lambda: self.project.reject("case"),
        }
        if self._decided():
            with pytest.raises(ProjectError, match="already"):
                acts[kind]()
            return
        acts[kind]()
        kept = {"accepted": self.proposal, "corrected": value, "rejected": None}[kind]
        self.decisions.append((kind, self.proposals, kept))
        self.versions += kind != "rejected"

    @rule()
    def undo(self) -> None:
        for index in reversed(range(len(self.decisions))):
            kind, number, _ = self.decisions[index]
            if kind != "rejected" or number == self.proposals:
                del self.decisions[index]
                self.project.undo("case")
                return
        with pytest.raises(ProjectError, match="nothing to undo"):
            self.project.undo("case")

    @rule()
    def open_again(self) -> None:
        self.project.close()
        self.project = Project.open(self.project.folder)

    @invariant()
    def states_agree(self) -> None:
        case = self.project.case("case")
        kept = [value for kind, _, value in self.decisions if kind != "rejected"]
        if kept:
            assert case.state == "annotated"
            assert case.annotation is not None
            assert set(np.unique(self.project.read_annotation(case.annotation))) == {kept[-1]}
        elif self.proposal is None:
            assert case.state == "new"
        else:
            assert case.state == ("rejected" if self._decided() else "proposed")
        assert len(self.project.annotations("case")) == self.versions

    @invariant()
    def no_file_ever_changes_or_goes(self) -> None:
        for kind in ("labels", "predictions"):
            for path in (self.project.folder / kind).rglob("*.nrrd"):
                self.hashes.setdefault(path, hashlib.sha256(path.read_bytes()).hexdigest())
        for path, content in self.hashes.items():
            assert hashlib.sha256(path.read_bytes()).hexdigest() == content


TestHistory = History.TestCase
TestHistory.settings = settings(max_examples=6, stateful_step_count=15, deadline=None)
