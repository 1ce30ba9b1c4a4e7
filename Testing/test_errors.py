from __future__ import annotations

import pickle

import pytest
from medssl import errors
from medssl.errors import Cancelled, GridError, ImageError, MedSSLError, UsageError


def _all_errors() -> list[type[MedSSLError]]:
    found = [value for value in vars(errors).values() if isinstance(value, type)]
    return [kind for kind in found if issubclass(kind, MedSSLError)]


def test_an_error_says_what_and_then_the_remedy() -> None:
    error = ImageError("scan.nii is empty.", "Export it again.")
    assert str(error) == "scan.nii is empty. Export it again."
    assert str(ImageError("scan.nii is empty.")) == "scan.nii is empty."


@pytest.mark.parametrize("kind", _all_errors())
def test_both_sentences_and_the_kind_survive_a_process_boundary(kind: type[MedSSLError]) -> None:
    sent = pickle.loads(pickle.dumps(kind("What.", "Remedy.")))
    assert type(sent) is kind
    assert (sent.what, sent.remedy) == ("What.", "Remedy.")


def test_every_kind_has_its_own_code_or_that_of_its_parent() -> None:
    codes = [kind.code for kind in _all_errors()]
    assert len(set(codes)) == len(codes)


def test_the_exit_codes_are_those_of_the_command_line() -> None:
    assert MedSSLError("x").exit_code == 1
    assert UsageError("x").exit_code == 2
    assert Cancelled().exit_code == 130
    assert str(Cancelled()) == "Cancelled."


def test_a_wrong_grid_is_caught_as_a_wrong_image() -> None:
    with pytest.raises(ImageError):
        raise GridError("labels.nrrd does not lie on scan.nrrd.")
