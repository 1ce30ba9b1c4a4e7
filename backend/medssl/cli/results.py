"""How the result of each kind of job is told to a person or a program."""

from __future__ import annotations

from medssl.cli.display import duration, write_json
from medssl.cli.session import say, table
from medssl.jobs import (
    BenchmarkResult,
    BenchmarkRow,
    EvaluateResult,
    ExportModelResult,
    ExportProjectResult,
    ImportModelResult,
    ImportResult,
    JobResult,
    PredictResult,
    PretrainResult,
    ProposeResult,
    Result,
    TrainResult,
)
from medssl.words import accepted_note, counted, seen_note

_MOST_SHOWN = 15  # lines of a list; the rest is in the file or behind another command


def show_result(job: JobResult, as_json: bool) -> int:
    """Tell what a job gave back; returns the exit code, 1 where some of it could not be done."""
    if as_json:
        write_json({"kind": "result", **job.model_dump(mode="json")})
    else:
        say(describe(job.result))
        which = f" (job {job.job_id})" if job.job_id else ""
        say(f"Done in {duration(job.seconds)}{which}.")
    return 1 if job.result.left_undone else 0


def describe(result: Result) -> str:
    """A result in a few lines for a person."""
    match result:
        case ImportResult():
            return _import(result)
        case TrainResult():
            return _train(result)
        case PretrainResult():
            return _pretrain(result)
        case ProposeResult():
            return _propose(result)
        case PredictResult():
            return _predict(result)
        case EvaluateResult():
            return _evaluate(result)
        case BenchmarkResult():
            return _benchmark(result)
        case ExportModelResult():
            return f"Model {result.model_id} exported: {result.output}"
        case ImportModelResult():
            found = ", ".join(result.segments)
            can = f"It segments {found}." if result.can_segment else "It is pretrained: train with --from."
            return f"Model {result.model_id} ({result.name}) imported. {can}"
        case ExportProjectResult():
            others = f", {result.unannotated} without annotation in imagesTs" if result.unannotated else ""
            return f"{counted(result.annotated, 'annotated case')} exported{others}: {result.output}"


def number(value: float | None, digits: int = 3) -> str:
    """A number, or a dash where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"


def _import(result: ImportResult) -> str:
    told = [f"{counted(result.cases, 'case')} added, {result.annotated} of them with an annotation."]
    if result.already_there:
        told.append(f"{counted(result.already_there, 'was', 'were')} there already.")
    if result.found_again:
        told.append(f"The files of {counted(result.found_again, 'case')} were gone and are found again.")
    if result.passed_over:
        told.append(f"{counted(result.passed_over, 'was', 'were')} passed over: no scan.")
    if result.refused:
        told.append(f"{result.refused} could not be added; the job's log says why.")
    if lack := result.labels_refused:
        told.append(f"The labels of {counted(lack, 'case')} could not be; the job's log says why.")
    return " ".join(told)


def _train(result: TrainResult) -> str:
    lines = [f"Model {result.model_id}: {counted(result.steps, 'step')} in {duration(result.seconds)}."]
    if result.validation_dice is None:
        lines.append("There is no annotated validation case, so its quality is not known.")
    else:
        scores = ", ".join(f"{name} {dice:.3f}" for name, dice in result.validation_dice.items())
        lines.append(f"Validation Dice: {scores}.")
    return "\n".join(lines)


def _pretrain(result: PretrainResult) -> str:
    took = f"{counted(result.steps, 'step')} in {duration(result.seconds)}"
    return (
        f"Model {result.model_id}: pretrained on {counted(result.scans, 'scan')}, {took}.\n"
        f"Begin with it: medssl train --from {result.model_id}"
    )


def _propose(result: ProposeResult) -> str:
    rows = [(p.case, number(p.score)) for p in result.proposals[:_MOST_SHOWN]]
    lines = [
        f"{counted(len(result.proposals), 'proposal')} by the model {result.model_id}, most uncertain first:"
    ]
    lines.append(table(("case", "uncertainty"), rows))
    if len(result.proposals) > _MOST_SHOWN:
        lines.append(f"... and {len(result.proposals) - _MOST_SHOWN} more: medssl review list")
    return "\n".join(lines + _failures(result.failed))


def _predict(result: PredictResult) -> str:
    lines = [
        f"{counted(result.done, 'scan')} segmented, {counted(result.skipped, 'was', 'were')} done before."
    ]
    lines += _failures(result.failed)
    lines += _listed(f"{len(result.unfit)} left out, not being scans for this model:", result.unfit)
    lines += [
        f"Segmentations: {result.output}",
        f"Table:         {result.table}",
        f"Report:        {result.report}",
    ]
    return "\n".join(lines)


def _evaluate(result: EvaluateResult) -> str:
    rows = [
        (
            s.name,
            number(s.dice),
            number(s.dice_spread),
            number(s.jaccard),
            number(s.hd95_mm, 2),
            number(s.asd_mm, 2),
            str(s.missed),
        )
        for s in result.segments
    ]
    # Cases that were missed have no distance: without their number, the distances flatter.
    head = ("segment", "Dice", "±", "Jaccard", "HD95 mm", "ASD mm", "missed")
    lines = [f"{counted(result.cases, 'case')} scored:", table(head, rows)]
    if result.accepted:
        lines.append(accepted_note(result.accepted))
    if result.seen:
        lines.append(seen_note(result.seen))
    lines += _listed(f"{len(result.left_out)} left out:", result.left_out, "report")
    lines += _listed(f"{len(result.failed)} could not be scored:", result.failed, "report")
    lines += [f"Table:  {result.table}", f"Report: {result.report}"]
    return "\n".join(lines)


def _benchmark(result: BenchmarkResult) -> str:
    rows = [
        (
            str(row.annotated),
            row.method,
            str(row.seeds),
            f"{row.steps:.0f}",
            number(row.dice),
            number(row.dice_spread),
            _difference(row),
        )
        for row in result.rows
    ]
    head = ("annotated", "method", "seeds", "steps", "Dice", "±", "above the baseline")
    lines = [table(head, rows), f"Table: {result.table}"]
    return "\n".join(lines if result.plot is None else [*lines, f"Plot:  {result.plot}"])


def _difference(row: BenchmarkRow) -> str:
    if row.difference is None:
        return "-"
    interval = "" if row.low is None else f" ({number(row.low)} to {number(row.high)})"
    return f"{row.difference:+.3f}{interval}"


def _failures(failed: dict[str, str]) -> list[str]:
    return _listed(f"{len(failed)} could not be segmented:", failed)


def _listed(head: str, reasons: dict[str, str], all_of_them: str = "table") -> list[str]:
    if not reasons:
        return []
    lines = [f"  {name}: {reason}" for name, reason in list(reasons.items())[:_MOST_SHOWN]]
    left = len(reasons) - _MOST_SHOWN
    return [head, *lines, *([f"  ... and {left} more, in the {all_of_them}"] if left > 0 else [])]
