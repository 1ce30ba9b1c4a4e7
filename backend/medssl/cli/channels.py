"""`medssl model channels`: which DICOM series of a study is which channel of a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medssl.cli.options import HERE, JsonOption, ModelArgument, ProjectOption, examples
from medssl.cli.session import answer, say, table, watched
from medssl.cli.workplace import is_there, workplace
from medssl.errors import UsageError

if TYPE_CHECKING:
    from medssl.inference.channel_trial import TriedSeries
    from medssl.inference.channels import ModelChannels
    from medssl.learning.card import TrainingScans

EXAMPLES = examples(
    "medssl model channels",
    "medssl model channels --save rules.json",
    "medssl model channels --set rules.json --try ~/dicom",
)

SaveOption = Annotated[
    Path | None,
    typer.Option("--save", metavar="FILE", help="Write the rules into a new file, to be edited."),
]
SetOption = Annotated[
    Path | None,
    typer.Option("--set", metavar="FILE", help="Let the rules of a file count for the model from now on."),
]
ResetOption = Annotated[
    bool, typer.Option("--reset", help="Go back to the usual rules, by the channels' names.")
]
TryOption = Annotated[
    Path | None,
    typer.Option(
        "--try",
        metavar="FOLDER",
        help="Show what each DICOM series of a folder would be taken for; nothing is segmented.",
    ),
]


def channels(
    model: ModelArgument = "latest",
    save: SaveOption = None,
    new: SetOption = None,
    reset: ResetOption = False,
    folder: TryOption = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Show or change which DICOM series of a study is which channel of a model."""
    from medssl.inference.channels import read_channel_rules, save_channel_rules

    if new is not None and reset:
        raise UsageError("Rules are either set or reset.", "Give --set or --reset, not both.")
    with workplace(project) as place:
        model = place.project.model(model).id
        found = place.channels(model)
        if new is not None:
            found = place.set_channels(model, read_channel_rules(new))
        elif reset:
            found = place.set_channels(model, None)
        scans = None if folder is None else place.card(model).scans
    if save is not None:
        save_channel_rules(save, found.rules)
    if folder is not None:
        _try(folder, found, scans, as_json)
        return
    content = found.model_dump(mode="json", exclude_none=True)
    answer(f"{_rules(found)}\n\n{_about(model, found, save)}", content, as_json)


def _rules(found: ModelChannels) -> str:
    rows = []
    for name in found.channels:
        told = [condition.describe() for condition in found.rules.root[name]]
        rows += [(name, told[0]), *(("", f"or else: {other}") for other in told[1:])]
    return table(("channel", "series of a study"), rows)


def _about(model: str, found: ModelChannels, saved: Path | None) -> str:
    whose = (
        "These are rules of its own." if found.own else "These are the usual rules, by the channels' names."
    )
    how = "medssl model channels --save FILE writes them into a file; edit it, and give it back with --set."
    if saved is not None:
        how = f"They are in {saved}; edit it, and give it back with --set."
    return f"{whose} They count for every run with the model {model}.\n{how}"


def _try(folder: Path, found: ModelChannels, scans: TrainingScans | None, as_json: bool) -> None:
    from medssl.inference.channel_trial import try_channels

    if is_there(folder):
        raise UsageError(
            f"{folder} is a folder of the engine's computer, and series are only tried on this one.",
            "Give a folder of this computer.",
        )
    with watched(as_json) as (_, monitor):

        def heard(done: int, total: int) -> None:
            monitor.check()
            if done:
                monitor.progress("Looking at the files", done, total)

        tried = try_channels(folder, found, scans, heard)
    if as_json:
        for each in tried:
            answer("", _content(each), as_json)
        return
    rows = [_row(each) for each in tried]
    head = ("study", "series", "kind", "description", "protocol", "sequence", "agent", "taken for")
    say(table(head, rows))
    for reason in dict.fromkeys(each.reason for each in tried if each.reason):
        numbers = ", ".join(str(each.header.number) for each in tried if each.reason == reason)
        say(f"  series {numbers}: {reason}")


def _row(tried: TriedSeries) -> tuple[str, ...]:
    header = tried.header
    return (
        tried.study.removeprefix("study-"),
        str(header.number),
        header.modality,
        header.description,
        header.protocol,
        header.sequence,
        "yes" if header.contrast else "no",
        tried.channel or "-",
    )


def _content(tried: TriedSeries) -> dict[str, object]:
    header = tried.header
    return {
        "study": tried.study,
        "series": header.number,
        "modality": header.modality,
        "description": header.description,
        "protocol": header.protocol,
        "sequence": header.sequence,
        "image_type": " ".join(header.image_type),
        "contrast": header.contrast,
        "channel": tried.channel or None,
        "reason": tried.reason,
    }
