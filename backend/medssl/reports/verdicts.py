"""What a report says of each scan: how uncertain it is among others, and which of its volumes stand out."""

from __future__ import annotations

from dataclasses import dataclass

from medssl.reports.model import SHOWN_DIGITS, Flag, Report, ReportRow
from medssl.reports.volumes import Unusual, VolumeSpread

_HALF = 0.5  # of what the model found; more than that wrong is no segmentation, whatever others have


@dataclass(frozen=True)
class Verdict:
    """What is said of a scan.

    Attributes:
        flag: what to do about it, where that can be said.
        volumes: of each segment in the report's order, whether its volume is unusual among all scans.
    """

    flag: Flag | None
    volumes: tuple[Unusual | None, ...]

    @property
    def is_unusual(self) -> bool:
        """Whether any volume stands out."""
        return any(self.volumes)


def judge(report: Report) -> list[Verdict]:
    """Judge every scan of a report.

    One of an unusual volume never looks clear, however sure the model is; nor does one that the model expects
    to have more than half wrong, however uncertain the others are.
    """
    measured = [row.volumes_ml for row in report.rows if row.volumes_ml]
    spreads = [
        VolumeSpread.of([volume for volumes in measured if (volume := volumes[n]) is not None])
        for n in range(len(report.segments))
    ]
    verdicts = []
    for row in report.rows:
        volumes = row.volumes_ml or (None,) * len(spreads)
        unusual = tuple(
            None if volume is None or spread is None else spread.judge(volume)
            for volume, spread in zip(volumes, spreads, strict=True)
        )
        flag = report.flag(row)
        if (any(unusual) and flag == "clear") or (_mostly_wrong(row) and flag != "check"):
            flag = "look"
        verdicts.append(Verdict(flag, unusual))
    return verdicts


def _mostly_wrong(row: ReportRow) -> bool:
    return row.uncertainty is not None and round(row.uncertainty, SHOWN_DIGITS) > _HALF
