"""`medssl project`: make a project and look at it."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import ValidationError

from medssl.cli.options import HERE, JsonOption, ProjectOption, examples
from medssl.cli.session import answer, opened, run_request, table
from medssl.cli.workplace import full_path, new_workplace, workplace
from medssl.errors import LabelError, UsageError
from medssl.exchange.formats import DatasetFormat
from medssl.faults import first_fault
from medssl.labels import LabelSchema

if TYPE_CHECKING:
    from medssl.cli.workplace import Workplace
    from medssl.project import CaseState

app = typer.Typer(
    help="Make a project and look at it.",
    no_args_is_help=True,
    epilog=examples(
        'medssl project new kidneys --segments "1=Kidney,2=Tumor"',
        "medssl project new brains --template brain-tumor --channels T1,T2",
        "medssl project info --project kidneys",
        "medssl project export ~/for-nnunet --format nnunet",
    ),
)

SegmentsOption = Annotated[
    str,
    typer.Option(
        "--segments",
        metavar="TEXT",
        help="Values and names, such as '1=Liver,2=Tumor'.",
        show_default=False,
    ),
]
FileOption = Annotated[
    Path | None,
    typer.Option(
        "--schema", metavar="FILE", help="A label schema as JSON, as 'project schema --json' shows it."
    ),
]


TemplateOption = Annotated[
    str,
    typer.Option(
        "--template",
        metavar="NAME",
        help="A template's name; 'project templates' lists them.",
        show_default=False,
    ),
]


@app.command("new")
def new(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A folder that is empty or does not exist.")
    ],
    segments: SegmentsOption = "",
    schema: FileOption = None,
    template: TemplateOption = "",
    dataset: Annotated[
        Path | None,
        typer.Option(
            "--dataset",
            metavar="FOLDER",
            help="Take segments and channels from the dataset.json of a Decathlon or nnU-Net dataset.",
        ),
    ] = None,
    channels: Annotated[
        str,
        typer.Option(
            metavar="NAMES", help="What the images of a case are, such as 'T1,T2' when each has two."
        ),
    ] = "image",
    name: Annotated[
        str, typer.Option(metavar="TEXT", help="For people; the folder's name when left out.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Make a new project: a folder for cases, annotations, proposals and models.

    It needs segments: from --segments, --schema, --template or --dataset.
    """
    _check_one_source("--segments, --schema, --template and --dataset", segments, schema, template, dataset)
    if dataset is not None:
        from medssl.exchange.datasets import read_dataset

        found = read_dataset(dataset)
        labels, names = found.schema, found.channel_names
    else:
        labels = _schema(segments, schema, template)
        names = tuple(part.strip() for part in channels.split(","))
    with new_workplace(folder, labels, names, name) as place:
        _show(place, as_json)


@app.command("templates")
def show_templates(as_json: JsonOption = False) -> None:
    """List the label schemas that a new project can begin with."""
    from medssl.templates import list_templates

    found = list_templates()
    rows = [(t.name, ", ".join(t.label_schema.names)) for t in found]
    answer(table(("name", "segments"), rows), [t.model_dump(mode="json") for t in found], as_json)


@app.command("export")
def export(
    output: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A folder that is empty or does not exist.")
    ],
    file_format: Annotated[
        DatasetFormat, typer.Option("--format", help="Whose layout of folders and files.")
    ] = "nnunet",
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> int:
    """Write the cases and annotations as a data set for other programs."""
    from medssl.jobs import ExportProjectRequest

    return run_request(project, ExportProjectRequest(output=full_path(output), format=file_format), as_json)


@app.command("info")
def info(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Show what is in a project."""
    with workplace(project) as place:
        _show(place, as_json)


@app.command("schema")
def show_or_change_schema(
    project: ProjectOption = HERE,
    segments: SegmentsOption = "",
    schema: FileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the label schema (the segments with values, names, colours and codes), or change it.

    The list that is given takes the place of the old one: name every segment. What
    was drawn keeps its value; names and colours may change, segments may be added,
    and those that nobody drew may be left out. With --segments, colours and codes
    go with the names, and stay with the value of one that is called otherwise.
    """
    with opened(project) as found:
        if segments or schema is not None:
            _check_one_source("--segments and --schema", segments, schema)
            found.set_schema(_schema(segments, schema, "", found.schema))
        labels = found.schema
        rows = [
            (
                str(s.value),
                s.name,
                "#{:02x}{:02x}{:02x}".format(*s.colour),
                s.terminology.type.meaning if s.terminology else "",
            )
            for s in labels.segments
        ]
        answer(table(("value", "name", "colour", "code"), rows), labels.model_dump(mode="json"), as_json)


def _show(place: Workplace, as_json: bool) -> None:
    project = place.project
    states: tuple[CaseState, ...] = ("annotated", "proposed", "rejected", "new")
    counts = {state: project.count_cases(state=state) for state in states}
    content = {
        "folder": str(project.folder),
        "name": project.name,
        "channels": list(project.channel_names),
        "segments": {str(s.value): s.name for s in project.schema.segments},
        "cases": counts,
        "models": len(project.models()),
        "jobs": len(place.jobs()),
    }
    segments = ", ".join(f"{s.value} {s.name}" for s in project.schema.segments)
    lines = [
        f"Project  {project.name} ({project.folder})",
        f"Channels {', '.join(project.channel_names)}",
        f"Segments {segments}",
        "Cases    " + ", ".join(f"{count} {state}" for state, count in counts.items()),
        f"Models   {content['models']}",
    ]
    answer("\n".join(lines), content, as_json)


def _check_one_source(options: str, *sources: object) -> None:
    if sum(map(bool, sources)) != 1:
        raise UsageError("The segments have to be given in one way.", f"Give exactly one of {options}.")


def _schema(text: str, file: Path | None, template: str, before: LabelSchema | None = None) -> LabelSchema:
    """Read the schema that was given; a segment that was there keeps colour and code, by name or renamed."""
    if template:
        from medssl.templates import find_template

        return find_template(template).label_schema
    try:
        if file is not None:
            return LabelSchema.model_validate_json(file.read_bytes().removeprefix(codecs.BOM_UTF8))
        schema = LabelSchema.of_names(_names(text))
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.", "Check the path.") from error
    except ValidationError as error:
        raise LabelError(
            f"{file or text} is not a label schema: {first_fault(error)}.", "Correct it and try again."
        ) from error
    if before is None:
        return schema
    renamed = {s.value: s for s in before.segments if schema.find(s.name) is None}
    kept = tuple(
        old.model_copy(update={"name": s.name, "value": s.value})
        if (old := before.find(s.name) or renamed.get(s.value))
        else s
        for s in schema.segments
    )
    return before.model_copy(update={"segments": kept})


def _names(text: str) -> dict[int, str]:
    names: dict[int, str] = {}
    for part in text.split(","):
        value, separator, name = part.partition("=")
        if not separator or not re.fullmatch(r"[0-9]{1,9}", value.strip()) or not name.strip():
            raise UsageError(f"'{part}' is not a value and a name.", "Write segments as '1=Liver,2=Tumor'.")
        if not 1 <= int(value) <= 254:
            raise UsageError(
                f"The value {int(value)} cannot be that of a segment.",
                "Use 1 to 254; 0 is background, and 255 is 'not annotated'.",
            )
        if int(value) in names:
            raise UsageError(f"The value {int(value)} is given twice.", "Give every segment its own value.")
        names[int(value)] = name.strip()
    return names
