"""`medssl doctor`: is this computer fit for the work?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medssl.cli.options import HERE, JsonOption
from medssl.cli.session import answer


def doctor(
    folder: Annotated[Path, typer.Argument(help="Where the projects are, or will be.")] = HERE,
    as_json: JsonOption = False,
) -> int:
    """Check this computer, and say what to do about each point that fails."""
    from medssl.doctor import examine

    examination = examine(folder)
    marks = {"ok": "ok     ", "warning": "warning", "failed": "FAILED "}
    lines = []
    for point in examination.points:
        lines.append(f"{marks[point.grade]}  {point.name}: {point.found}")
        if point.remedy:
            lines.append(f"         {point.remedy}")
    answer("\n".join(lines), examination.model_dump(mode="json"), as_json)
    return 0 if examination.passed else 1
