"""What the table must show: never behind another arm, better than labels alone, no row made worse."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

from benchmarks._harness import Report, Target
from benchmarks._tables import Grid, Paired, over_rows, paired_of

BASE, OURS = "supervised", "pccs"
GAIN = 0.02
"""What the unlabelled images must add in the mean over rows."""
LOSS = -0.005
"""What they may cost in any row."""


def judge(report: Report, grid: Grid, rows: Sequence[str], names: Mapping[str, str]) -> list[str]:
    """Put figures and targets for the arm called ``pccs`` into ``report``; nothing where there is none.

    A row misses ``not_behind`` when another arm's mean over seeds is ahead by more than one standard error
    of the paired difference over seeds. With one seed there is no standard error, and nothing is met.

    Returns
    -------
    Sentences about what is missed.
    """
    arms = {name: arm for arm, name in names.items()}
    ours = arms.pop(OURS, None)
    if ours is None:
        return []
    missed: list[str] = []
    gains: list[Paired] = []
    for row, (name, arm) in itertools.product(rows, arms.items()):
        found = paired_of(grid, row, ours, arm)
        if found is None:
            continue
        margin = found.mean + found.error
        _target(report, f"{row}_not_behind_{name}", margin, 0.0)
        if not margin >= 0:
            why = "known for one seed only" if math.isnan(margin) else f"{found.mean:+.3f}"
            missed.append(f"{row}: {OURS} against {name} is {why}")
        if name == BASE:
            gains.append(found)
            _target(report, f"{row}_gain", found.mean, LOSS)
            if found.mean < LOSS:
                missed.append(f"{row}: the unlabelled images cost {-found.mean:.3f}")
    if gains:
        mean = over_rows(gains).mean
        _target(report, "mean_gain", mean, GAIN)
        if mean < GAIN:
            missed.append(f"mean over {len(gains)} rows: {OURS} adds {mean:+.3f}, not {GAIN:+.3f}")
    return missed


def _target(report: Report, key: str, figure: float, target: float) -> None:
    report.figures[key] = figure
    report.targets[key] = Target(target, ">=")
