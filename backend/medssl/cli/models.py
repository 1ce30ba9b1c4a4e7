"""`medssl model`: the models of a project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medssl.cli.channels import EXAMPLES as CHANNELS_EXAMPLES
from medssl.cli.channels import channels
from medssl.cli.display import duration, write_json
from medssl.cli.options import HERE, JsonOption, ModelArgument, ModelOption, ProjectOption, examples
from medssl.cli.session import answer, opened, run_request, say, table
from medssl.cli.workplace import full_path, workplace
from medssl.exchange.formats import ModelFormat
from medssl.words import counted

app = typer.Typer(
    help="The models of a project.",
    no_args_is_help=True,
    epilog=examples(
        "medssl model list",
        "medssl model show latest",
        "medssl model export kidneys.zip",
        "medssl model import kidneys.zip",
        "medssl model channels --try ~/dicom",
    ),
)


@app.command("list")
def list_models(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """List the models, newest first."""
    with opened(project) as found:
        models = found.models()
    if as_json:
        for m in models:
            write_json(
                {
                    "id": m.id,
                    "name": m.name,
                    "method": m.method,
                    "created": m.created.isoformat(),
                    "can_segment": m.can_segment,
                    "folder": str(m.folder),
                }
            )
        return
    rows = [
        (
            m.id,
            m.name,
            m.method,
            "segments" if m.can_segment else "pretrained",
            f"{m.created.astimezone():%Y-%m-%d %H:%M}",
        )
        for m in models
    ]
    say(table(("id", "name", "method", "state", "created"), rows) if rows else "No models yet.")


@app.command("show")
def show(model: ModelArgument = "latest", project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Show a model's card."""
    with workplace(project) as place:
        record = place.project.model(model)
        card = place.card(record.id)
    took = f"{counted(card.steps, 'step')} in {duration(card.seconds)}, seed {card.seed}"
    lines = [
        f"Model           {card.name} ({card.id})",
        f"Method          {card.method}",
        f"Made            {card.created} with MedSSL {card.medssl_version}",
    ]
    if record.can_segment:
        dice = "not known, there was no validation case"
        if card.validation_dice is not None:
            dice = ", ".join(f"{name} {value:.3f}" for name, value in card.validation_dice.items())
        lines += [
            f"Trained on      {card.annotated_cases} annotated and "
            f"{counted(card.unannotated_cases, 'other case')}",
            *([f"Their scans     {card.scans.describe()}"] if card.scans else []),
            f"Training        {took}",
            f"Started from    {card.started_from or 'nothing'}",
            f"Validation Dice {dice}",
        ]
    else:
        lines += [
            f"Pretrained on   {counted(card.unannotated_cases, 'scan')}, without annotations",
            f"Pretraining     {took}",
            f"Begin with it   medssl train --from {card.id}",
        ]
    lines.append(f"Folder          {record.folder}")
    content = {
        **card.model_dump(mode="json"),
        "can_segment": record.can_segment,
        "folder": str(record.folder),
    }
    answer("\n".join(lines), content, as_json)


@app.command("export")
def export(
    output: Annotated[
        Path, typer.Argument(metavar="PATH", help="The file, or the folder of a MONAI bundle; a new one.")
    ],
    model: ModelOption = "latest",
    file_format: Annotated[
        ModelFormat, typer.Option("--format", help="zip for MedSSL, a MONAI bundle, or ONNX.")
    ] = "zip",
    licence: Annotated[
        str, typer.Option("--license", help="Under which others may use it.", show_default=False)
    ] = "",
    intended_use: Annotated[str, typer.Option(help="What it is for.", show_default=False)] = "",
    limits: Annotated[str, typer.Option(help="What it is not for.", show_default=False)] = "",
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> int:
    """Write a model for others, with its card."""
    from medssl.jobs import ExportModelRequest

    request = ExportModelRequest(
        output=full_path(output),
        model=model,
        format=file_format,
        licence=licence,
        intended_use=intended_use,
        limits=limits,
    )
    return run_request(project, request, as_json)


@app.command("import")
def import_model(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="A zip, MONAI bundle or ONNX file that MedSSL exported.")
    ],
    name: Annotated[
        str, typer.Option(metavar="TEXT", help="For people; the one on its card when left out.")
    ] = "",
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> int:
    """Bring a model into the project; it is checked first, and nothing in it is run."""
    from medssl.jobs import ImportModelRequest

    return run_request(project, ImportModelRequest(path=full_path(path), name=name), as_json)


app.command("channels", epilog=CHANNELS_EXAMPLES)(channels)


@app.command("compare")
def compare(
    models: Annotated[
        list[str], typer.Argument(metavar="IDS", help="Ids of models, or 'latest'.", show_default=False)
    ],
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Lay the cards of models side by side; a star marks what differs."""
    from medssl.learning.card import compare_cards

    with workplace(project) as place:
        lines = compare_cards([place.card(model) for model in models])
    rows = [("*" if line.differs else "", line.name, *line.values) for line in lines]
    head = ("", "", *models)
    answer(table(head, rows), [line.model_dump(mode="json") for line in lines], as_json)


@app.command("delete")
def delete(
    model: Annotated[str, typer.Argument(metavar="ID", help="A model's id.")],
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Delete a model and its files; what it proposed stays."""
    with opened(project) as found:
        found.delete_model(model)
    answer(f"Model {model} deleted.", {"deleted": model}, as_json)
