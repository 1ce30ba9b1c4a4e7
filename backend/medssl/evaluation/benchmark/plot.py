"""The picture of a benchmark: Dice over the number of annotated cases, a line for each arm."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from medssl.errors import UsageError
from medssl.evaluation.benchmark.comparison import Cell
from medssl.evaluation.benchmark.runs import Arm
from medssl.storage import write_bytes
from medssl.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours, which people with any colour vision tell apart, and a marker of its own for each.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = "os^Dv<P"
_INK, _FINE, _RULE = "#1f2328", "#59636e", "#d8dee4"
_APART = 0.06  # part of the distance between two numbers of cases by which arms stand side by side


def write_plot(path: Path, cells: Sequence[Cell]) -> None:
    """Draw an SVG file: means over seeds as lines, standard deviations as bars, every seed as a small circle.

    Args:
        path: ends in `.svg`.
        cells: at least one; each dataset and measure gets a panel.

    Raises:
        UsageError: matplotlib is not installed.
        StorageError: the file could not be written.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError(
            "The plot of a benchmark needs matplotlib, which is not installed.",
            "Install it: pip install 'medssl[plots]'.",
        ) from error
    panels = _panels(cells)
    arms = list(dict.fromkeys(cell.arm for cell in cells))
    # Letters stay letters, and the same results make the same file.
    with rc_context({"font.size": 10, "svg.fonttype": "none", "svg.hashsalt": "medssl"}):
        figure = Figure(figsize=(1.2 + 5.2 * len(panels), 4.4), layout="constrained", facecolor="white")
        for index, panel in enumerate(panels):
            _draw(figure.add_subplot(1, len(panels), index + 1), panel, arms)
        figure.legend(
            *figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False
        )
        content = io.BytesIO()
        figure.savefig(content, format="svg", metadata={"Date": None})
    write_bytes(path, content.getvalue())


def _panels(cells: Sequence[Cell]) -> list[list[Cell]]:
    panels: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        panels.setdefault((cell.dataset, cell.measure.model_dump_json()), []).append(cell)
    return list(panels.values())


def _draw(axes: Axes, cells: Sequence[Cell], arms: Sequence[Arm]) -> None:
    counts = sorted({cell.annotated for cell in cells})
    for number, arm in enumerate(arms):
        found = [cell for cell in cells if cell.arm == arm and cell.dice is not None]
        colour, marker = _COLOURS[number % len(_COLOURS)], _MARKERS[number % len(_MARKERS)]
        # Numbers of cases stand at equal distances: from 1 to 2 is as far as from 4 to 8.
        places = [counts.index(c.annotated) + _APART * (number - (len(arms) - 1) / 2) for c in found]
        means = [c.dice.mean for c in found if c.dice is not None]
        spreads = [c.dice.std or 0.0 for c in found if c.dice is not None]
        axes.errorbar(
            places, means, spreads, label=arm.title, color=colour, marker=marker, markersize=6,
            linewidth=1.8, capsize=3,
        )  # fmt: skip
        for place, cell in zip(places, found, strict=True):
            values = cell.dice_of_seeds
            axes.plot([place] * len(values), values, "o", color=colour, mfc="white", markersize=4, zorder=3)
    first = cells[0]
    seeds = max(len(cell.seeds) for cell in cells)
    axes.set_title(first.dataset, loc="left", color=_INK, fontweight="bold")
    axes.set_title(
        f"{first.measure.budget} each, {counted(seeds, 'seed')}",
        loc="right",
        color=_FINE,
        fontsize=9,
    )
    axes.set_xticks(range(len(counts)), [str(count) for count in counts])
    axes.set_xlim(-0.4, len(counts) - 0.6)
    axes.set_xlabel("annotated cases", color=_INK)
    axes.set_ylabel(f"Dice of {counted(first.measure.held_out, 'unseen case')}", color=_INK)
    axes.grid(axis="y", color=_RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_FINE, length=0)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(_RULE)
