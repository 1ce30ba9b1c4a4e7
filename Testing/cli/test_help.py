"""The help: what a person reads who sees the command line for the first time."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from medssl.cli.app import app
from typer.main import get_command

Medssl = Callable[..., tuple[int, str, str]]
_ROOT: Any = get_command(app)


def _commands(command: Any = _ROOT, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from _commands(inner, (*path, name))


def _examples() -> list[str]:
    texts = [command.epilog for _, command in _commands() if command.epilog]
    return [line for text in texts for line in text.splitlines() if line.startswith("medssl ")]


def test_the_commands_are_listed_in_the_order_of_the_work(medssl: Medssl) -> None:
    code, out, _ = medssl("--help")

    listed = [line.split()[1] for line in out.splitlines() if line.startswith("│ ") and line[2] not in " -"]
    assert code == 0
    assert listed[:7] == ["demo", "project", "case", "train", "review", "predict", "evaluate"]


@pytest.mark.parametrize("path", [path for path, _ in _commands()], ids=" ".join)
def test_every_command_and_every_option_explains_itself(medssl: Medssl, path: tuple[str, ...]) -> None:
    code, out, err = medssl(*path, "--help")
    command = dict(_commands())[path]

    assert (code, err) == (0, "")
    assert (command.help or "").strip()
    assert [p.name for p in command.params if not p.help] == []
    assert all(len(line) <= 80 for line in out.splitlines())


@pytest.mark.parametrize("example", _examples())
def test_every_example_is_a_command_with_options_that_there_are(example: str) -> None:
    command, context, words = _ROOT, None, shlex.split(example.partition(";")[0])
    while True:
        context = command.make_context(words[0], words[1:], parent=context)
        if not hasattr(command, "commands"):
            break
        _, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        words = [command.name, *rest]

    assert command.callback is not None


def test_one_option_has_one_meaning_of_its_short_form() -> None:
    meanings: dict[str, set[str]] = {}
    for _, command in _commands():
        for parameter in command.params:
            for short in (name for name in parameter.opts if len(name) == 2):
                meanings.setdefault(short, set()).add(max(parameter.opts, key=len))

    assert all(len(names) == 1 for names in meanings.values()), meanings
