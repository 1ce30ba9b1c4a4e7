"""`medssl case`: bring scans into the project and see how far each one is."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medssl.access import is_folder
from medssl.cli.display import write_json
from medssl.cli.options import (
    HERE,
    AuthorOption,
    CaseArgument,
    JsonOption,
    ProjectOption,
    TimeSpentOption,
    examples,
)
from medssl.cli.results import number
from medssl.cli.session import answer, opened, run_request, table
from medssl.cli.workplace import full_path, is_there
from medssl.errors import ImageError, UsageError
from medssl.project import CaseState, Role, SortKey
from medssl.words import counted

if TYPE_CHECKING:
    from medssl.project import Annotation, Case, CaseSummary

app = typer.Typer(
    help="Bring scans into the project and see how far each one is.",
    no_args_is_help=True,
    epilog=examples(
        "medssl case add ~/scans",
        "medssl case add t1.nii.gz t2.nii.gz --name patient-07",
        'medssl case annotate patient-07 patient-07.seg.nrrd --author "Dr. A"',
        "medssl case role patient-20 validation",
        "medssl case list --state new",
    ),
)


ScansArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="SCANS",
        help="The files of one case, one a channel; or a folder or a MITK task list of cases.",
    ),
]
AnnotatedOption = Annotated[
    int | None,
    typer.Option(min=0, metavar="N", help="Of a dataset: take the labels of so many cases only."),
]


@app.command("add")
def add(
    scans: ScansArgument,
    name: Annotated[
        str, typer.Option(metavar="TEXT", help="The case's name; the file's name when left out.")
    ] = "",
    copy: Annotated[
        bool, typer.Option("--copy", help="Copy the files into the project; otherwise it points at them.")
    ] = False,
    role: Annotated[
        Role,
        typer.Option(metavar="ROLE", help="What the new cases are for: training, validation or excluded."),
    ] = "training",
    annotated: AnnotatedOption = None,
    validation: Annotated[
        int, typer.Option(min=0, metavar="N", help="Of a dataset: so many last cases for validation.")
    ] = 0,
    leave_out: Annotated[
        int, typer.Option(min=0, metavar="N", help="Of a dataset: leave out so many last cases.")
    ] = 0,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> int:
    """Add a case, or every case of a folder.

    A dataset with a dataset.json, as of the Medical Segmentation Decathlon or
    nnU-Net, and a MITK task list (.json) bring their labels; of any other
    folder, every scan becomes a case, and label maps are passed over: name such a
    file by itself to add it all the same. With --name, a folder is one DICOM series.
    What cannot be a case is named and stops nothing; the exit code is then 1.
    """
    if len(scans) == 1 and _may_hold_cases(scans[0]) and not name:
        from medssl.jobs import ImportRequest

        request = ImportRequest(
            folder=full_path(scans[0]),
            role=role,
            annotated=annotated,
            validation=validation,
            leave_out=leave_out,
            copy_files=copy,
        )
        return run_request(project, request, as_json)
    if annotated is not None or validation or leave_out:
        raise UsageError(
            f"{scans[0]} is no dataset.",
            "--annotated, --validation and --leave-out divide the cases of a folder with dataset.json, or of "
            "a task list.",
        )
    with opened(project) as found:
        from medssl.imaging.formats import stem_of

        case = found.add_case(name or stem_of(scans[0]), scans, copy=copy, role=role)
        lines = [f"Case {case.name} added.", *case.notes]
        answer("\n".join(lines), {**_content(case), "notes": case.notes}, as_json)
    return 0


@app.command("sample")
def sample(
    cases: Annotated[
        int, typer.Option(min=1, max=1000, metavar="N", help="How many scans, up to 1000.")
    ] = 12,
    annotated: Annotated[
        int, typer.Option(min=0, metavar="N", help="Number of scans with their true segmentation.")
    ] = 2,
    validation: Annotated[int, typer.Option(min=0, metavar="N", help="Number of scans for validation.")] = 2,
    seed: Annotated[
        int, typer.Option(min=0, max=20_000, metavar="N", help="Another number gives other scans.")
    ] = 0,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> int:
    """Make scans by a formula and add them, to try things out without any data.

    The project is one with the template made-up-kidney.
    """
    from pydantic import ValidationError

    from medssl.jobs import SampleRequest

    try:
        request = SampleRequest(cases=cases, annotated=annotated, validation=validation, seed=seed)
    except ValidationError as error:
        raise UsageError(
            f"{annotated} annotated and {validation} for validation are more than {counted(cases, 'scan')}.",
            "Ask for more scans, or for fewer of those.",
        ) from error
    return run_request(project, request, as_json)


@app.command("list")
def list_cases(
    state: Annotated[CaseState | None, typer.Option(help="Only cases in this state.")] = None,
    role: Annotated[Role | None, typer.Option(help="Only cases of this role.")] = None,
    text: Annotated[str, typer.Option(metavar="TEXT", help="Only cases whose name contains this.")] = "",
    sort: Annotated[SortKey, typer.Option(help="What to sort by.")] = "name",
    descending: Annotated[bool, typer.Option("--descending", help="Last first.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="Show so many at most.")] = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """List the cases.

    A case is new, proposed (a model's segmentation waits for a decision),
    rejected or annotated.
    """
    with opened(project) as found:
        cases = found.cases(state=state, role=role, text=text, sort=sort, descending=descending, limit=limit)
        show_cases(cases, as_json)


@app.command("show")
def show(name: CaseArgument, project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Show everything about one case."""
    with opened(project) as found:
        case = found.case(name)
    proposal, annotation = case.pseudo_label, case.annotation
    lines = [f"Case       {case.name}", f"State      {case.state}", f"Role       {case.role}"]
    lines += [f"Scan       {path}" for path in case.channels]
    if annotation is not None:
        by = f" by {annotation.author}" if annotation.author else ""
        lines.append(f"Annotation version {annotation.version}, {annotation.kind}{by}: {annotation.path}")
    if proposal is not None:
        lines.append(f"Proposal   uncertainty {proposal.score:.3f}, worst slice {proposal.worst_slice}")
        lines.append(f"           by the model {proposal.model_id}: {proposal.path}")
    answer("\n".join(lines), _content(case), as_json)


@app.command("annotate")
def annotate(
    name: CaseArgument,
    labels: Annotated[
        Path,
        typer.Argument(metavar="LABELS", help="A label map: .seg.nrrd, .nii.gz, .nrrd, .mha or DICOM SEG."),
    ],
    author: AuthorOption = "",
    seconds: TimeSpentOption = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Save a label map as the case's next annotation; earlier versions stay.

    Segments are matched by name, or by value where the file has no names. Voxels
    with the value 255 are 'not annotated' and never train, so that a few slices
    of a scan are enough.
    """
    with opened(project) as found:
        show_annotation(name, found.save_annotation(name, labels, author=author, seconds=seconds), as_json)


@app.command("role")
def set_role(
    name: CaseArgument,
    role: Annotated[
        Role, typer.Argument(help="training, validation (only to judge models) or excluded.", metavar="ROLE")
    ],
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Say what a case is for: training, validation, or nothing (excluded)."""
    with opened(project) as found:
        found.set_role(name, role)
        case = found.case(name)
    answer(f"Case {case.name} has the role {case.role}.", _content(case), as_json)


@app.command("exclude")
def exclude(name: CaseArgument, project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Leave a case out of training and review; 'case role NAME training' takes it back."""
    set_role(name, "excluded", project, as_json)


@app.command("next")
def suggest(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Suggest which case to work on next, and say why."""
    with opened(project) as found:
        suggestion = found.suggest()
    case = suggestion.case
    text = suggestion.reason if case is None else f"Case {case.name}. {suggestion.reason}"
    content = {
        "case": None if case is None else case.name,
        "why": suggestion.why,
        "reason": suggestion.reason,
    }
    answer(text, content, as_json)


@app.command("restore")
def restore(
    name: CaseArgument,
    version: Annotated[int, typer.Argument(help="As 'case history' shows it.")],
    author: AuthorOption = "",
    seconds: TimeSpentOption = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Let an older version of a case's annotation count again, as a new version."""
    with opened(project) as found:
        restored = found.restore_annotation(name, version, author=author, seconds=seconds)
        show_annotation(name, restored, as_json)


@app.command("history")
def history(name: CaseArgument, project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Show every version of a case's annotation."""
    with opened(project) as found:
        versions = found.annotations(name)
    rows = [
        (
            str(v.version),
            f"{v.created.astimezone():%Y-%m-%d %H:%M}",
            v.kind + (", taken back" if v.withdrawn else ""),
            v.author or "-",
            number(v.seconds, 0),
            v.model_id or "-",
        )
        for v in versions
    ]
    text = table(("version", "time", "kind", "author", "seconds", "model"), rows)
    answer(text if rows else f"Case {name} has no annotation.", [_annotation(v) for v in versions], as_json)


def _may_hold_cases(path: Path) -> bool:
    """Whether a path is a folder or a list of cases; of one on the engine's computer, its name must tell."""
    from medssl.imaging.formats import suffix_of

    if is_there(path):
        return suffix_of(path) is None
    return path.suffix.lower() == ".json" or is_folder(path, ImageError)


def show_cases(cases: list[CaseSummary], as_json: bool) -> None:
    """List cases, as 'case list' and 'review list' do."""
    if as_json:
        for case in cases:
            write_json({**asdict(case), "added": case.added.isoformat()})
        return
    rows = [
        (
            c.name,
            c.state,
            c.role,
            number(c.score),
            "-" if c.annotation_version is None else str(c.annotation_version),
        )
        for c in cases
    ]
    answer(
        table(("case", "state", "role", "uncertainty", "version"), rows) if rows else "No cases.", None, False
    )


def show_annotation(name: str, annotation: Annotation, as_json: bool) -> None:
    """Tell which version of an annotation was made."""
    text = f"Case {name}: annotation version {annotation.version} ({annotation.kind})."
    answer("\n".join([text, *annotation.notes]), _annotation(annotation), as_json)


def _annotation(annotation: Annotation) -> dict[str, object]:
    return {**asdict(annotation), "path": str(annotation.path), "created": annotation.created.isoformat()}


def _content(case: Case) -> dict[str, object]:
    proposal = case.pseudo_label
    return {
        "id": case.id,
        "name": case.name,
        "state": case.state,
        "role": case.role,
        "channels": [str(path) for path in case.channels],
        "added": case.added.isoformat(),
        "annotation": None if case.annotation is None else _annotation(case.annotation),
        "proposal": None
        if proposal is None
        else {
            **asdict(proposal),
            "path": str(proposal.path),
            "uncertainty_path": str(proposal.uncertainty_path),
            "created": proposal.created.isoformat(),
        },
    }
