"""The parts of a report that several kinds of job fill in the same way."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from importlib.metadata import version
from itertools import count
from pathlib import Path

import medssl
from medssl.errors import StorageError
from medssl.exchange.model_card import INTENDED_USE, LIMITS
from medssl.learning.device import choose_device
from medssl.learning.methods import METHODS
from medssl.learning.model import ModelCard
from medssl.learning.plan import Plan
from medssl.learning.settings import DeviceName
from medssl.project import Project
from medssl.reports.data import SIGN, write_data
from medssl.reports.model import Fact, HistoryEntry, Report, ReportRow, Scale
from medssl.reports.page import write_report
from medssl.storage import is_held, storage_error
from medssl.words import counted, listed

REPORT_FILE = "report.html"
DATA_FILE = "report.json"
SCORES_FILE = "scores.csv"
# How the files of an earlier run begin: only those may be replaced.
_SIGNS = {".html": '<meta name="generator" content="MedSSL">', ".csv": "case,segment,dice,", ".json": SIGN}
_SIGN_WITHIN = 4096  # bytes


def model_facts(card: ModelCard) -> tuple[Fact, ...]:
    """What a reader wants to know about the model first."""
    facts = [
        Fact("Model", f"{card.name} ({card.id})"),
        Fact("Method", METHODS[card.method].title if card.method in METHODS else card.method),
        Fact(
            "Trained on",
            f"{card.annotated_cases} annotated and {counted(card.unannotated_cases, 'other case')}",
        ),
    ]
    if card.validation_dice is not None:
        scores = ", ".join(f"{name} {dice:.3f}" for name, dice in card.validation_dice.items())
        facts.append(Fact("Validation Dice", scores))
    return tuple(facts)


def card_facts(card: ModelCard, plan: Plan) -> tuple[Fact, ...]:
    """The model's card: what it is for, what it learned from, under which licence it is."""
    spacing = " x ".join(f"{side:.3g}" for side in plan.spacing_mm)
    facts = [
        Fact("Intended use", card.intended_use or INTENDED_USE),
        Fact("Limits", card.limits or LIMITS),
        Fact("Licence", card.licence or "not stated"),
        Fact("Segments", ", ".join(plan.label_schema.names)),
        Fact("Channels", ", ".join(plan.channel_names)),
        Fact("Sees scans at", f"{spacing} mm (superior-inferior x anterior-posterior x left-right)"),
    ]
    if card.scans is not None:
        facts.append(Fact("Learned from scans like", card.scans.describe()))
    if card.imported_from is not None:
        facts.append(Fact("Imported from", card.imported_from))
    return tuple(facts)


def settings_facts(card: ModelCard | None, device: DeviceName) -> tuple[Fact, ...]:
    """Everything needed to do it again."""
    facts = [
        Fact("MedSSL", f"{medssl.__version__} (torch {version('torch')}, MONAI {version('monai')})"),
    ]
    if card is not None:
        facts.append(
            Fact("Computed on", f"{choose_device(device)}, {platform.system()} {platform.machine()}")
        )
        facts.append(
            Fact("Training", f"{counted(card.steps, 'step')} in {card.seconds:.0f} s, seed {card.seed}")
        )
        facts.append(Fact("Trained with", f"MedSSL {card.medssl_version} on {card.created[:10]}"))
        if card.started_from is not None:
            facts.append(Fact("Started from", card.started_from))
    return tuple(facts)


def scale_for(project: Project, model_id: str, rows: Sequence[ReportRow]) -> Scale | None:
    """What the scans of a report are compared with: the model's proposals in the project, or each other."""
    proposed = [
        case.score for case in project.cases() if case.model_id == model_id and case.score is not None
    ]
    scale = Scale.of(
        proposed, f"the {counted(len(proposed), 'case')} that this model proposed a segmentation for"
    )
    if scale is not None:
        return scale
    scores = [row.uncertainty for row in rows if row.uncertainty is not None]
    return Scale.of(scores, f"the {counted(len(scores), 'scan')} of this report")


def names_of(paths: Sequence[Path]) -> str:
    """Name files or folders for a headline, without the folders around them: 'a, b and 3 more'."""
    return listed([path.name or str(path) for path in paths])


def history(project: Project) -> tuple[HistoryEntry, ...]:
    """What people decided about the cases of a project, oldest first."""
    entries = [
        HistoryEntry(
            time=annotation.created,
            case=summary.name,
            action=annotation.kind,
            author=annotation.author,
            seconds=annotation.seconds,
            model=annotation.model_id or "",
        )
        for summary in project.cases()
        if summary.annotation_version is not None
        for annotation in project.annotations(summary.id)
        if not annotation.withdrawn
    ]
    return tuple(sorted(entries, key=lambda entry: entry.time))


def publish_report(folder: Path, report: Report) -> Path:
    """Write the page and its data into a folder, and return the page's path.

    Raises:
        StorageError: they could not be written.
    """
    page = put(folder, REPORT_FILE, lambda path: write_report(path, report))
    put(folder, DATA_FILE, lambda path: write_data(path, report))
    return page


def put(folder: Path, name: str, write: Callable[[Path], None]) -> Path:
    """Write a report or a table of scores, and return where: at `name`, or `report-2.html`, ...

    The name of somebody else's file is passed over, and that of one that another program has open.

    Raises:
        StorageError: it could not be written.
    """
    stem, suffix = Path(name).stem, Path(name).suffix
    names = (name if number == 1 else f"{stem}-{number}{suffix}" for number in count(1))
    for path in map(folder.joinpath, names):
        if not _may_be_replaced(path):
            continue
        try:
            write(path)
        except StorageError as error:
            if not is_held(error, path):
                raise
        else:
            return path
    raise AssertionError("numbers do not end")


def _may_be_replaced(path: Path) -> bool:
    """Whether a path is free or holds what an earlier run wrote."""
    try:
        with path.open("rb") as file:
            return _SIGNS[path.suffix].encode() in file.read(_SIGN_WITHIN)
    except (FileNotFoundError, NotADirectoryError):
        return True  # where a file stands in place of the folder, writing will say so
    except IsADirectoryError:
        return False
    except OSError as error:
        raise storage_error(error, path) from error
