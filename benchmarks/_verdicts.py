"""What the table must show: never behind another arm, better than labels alone, no row made worse."""

from __future__ import annotations

import math
from collections.abc import Sequence

from benchmarks._harness import Report, Target
from benchmarks._tables import Grid, over_rows, paired_of

BASE, OURS = "supervised", "pccs"
GAIN = 0.02
"""What the unlabelled images must add in the mean over rows."""
LOSS = -0.005
"""What they may cost in any row."""


def judge(report: Report, grid: Grid, rows: Sequence[str], arms: Sequence[str]) -> list[str]:
    """Put figures and targets for ``pccs`` into ``report``.

    A row misses ``not_behind`` when another arm's mean over seeds is ahead by more than one standard error
    of the paired difference over seeds. With one seed there is no standard error, and nothing is met.

    Returns
    -------
    Sentences about what is missed.
    """
    missed: list[str] = []
    for row in rows:
        for arm in (a for a in arms if a != OURS):
            found = paired_of(grid, row, OURS, arm)
            if found is None:
                continue
            margin = found.mean + found.error
            _target(report, f"{row}_not_behind_{arm}", margin, 0.0)
            if not margin >= 0:
                why = "one seed: no standard error" if math.isnan(margin) else f"{found.mean:+.3f}"
                missed.append(f"{row}: {OURS} against {arm} is {why}")
            if arm == BASE:
                _target(report, f"{row}_gain", found.mean, LOSS)
                if found.mean < LOSS:
                    missed.append(f"{row}: the unlabelled images cost {-found.mean:.3f}")
    pairs = [found for row in rows if (found := paired_of(grid, row, OURS, BASE))]
    if pairs:
        mean = over_rows(pairs).mean
        _target(report, "mean_gain", mean, GAIN)
        if mean < GAIN:
            missed.append(f"mean over {len(pairs)} rows: {OURS} adds {mean:+.3f}, not {GAIN:+.3f}")
    return missed


def _target(report: Report, key: str, figure: float, target: float) -> None:
    report.figures[key] = figure
    report.targets[key] = Target(target, ">=")
