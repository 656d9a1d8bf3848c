"""From rounds to tables: Dice by round and by equal effort, and which strategy wins, if any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks._rounds import Rounds
from benchmarks._store import Record
from benchmarks._tables import Grid, Paired, Scores, over_rows, paired_of
from pccs.suggest import STRATEGIES

BASE = "random"
WORSE = 0.005
"""Dice by which no data set may be worse for a strategy to win."""
_POINTS = 9


def grid_by(found: Mapping[Rounds, Record], part: str, how: str) -> Grid:
    """Data set and strategy → scores, a value an image.

    ``how="round"``: mean over the rounds; ``"first"``: after the first, chosen before any model.
    ``"effort"``: mean over efforts that every stored cell of the data set has been through, interpolated
    between rounds: what counts for the person.
    """
    cells: dict[tuple[str, str], list[Rounds]] = {}
    for cell in found:
        cells.setdefault((cell.row, cell.arm), []).append(cell)
    grid: dict[tuple[str, str], Scores] = {}
    for (row, arm), members in cells.items():
        efforts = common_efforts([r for c, r in found.items() if c.row == row])
        listed = sorted(members, key=lambda c: c.seed)
        values = [_values(found[c], part, how, efforts) for c in listed]
        units = {found[c]["units"][part] for c in listed}
        grid[row, arm] = Scores(tuple(c.seed for c in listed), "/".join(sorted(units)), np.stack(values))
    return grid


def common_efforts(records: Sequence[Record]) -> NDArray[np.float64]:
    """Seconds of annotating, evenly spread over what all ``records`` have been through."""
    first = max(r["rounds"][0]["seconds"] for r in records)
    last = min(r["rounds"][-1]["seconds"] for r in records)
    spread: NDArray[np.float64] = np.linspace(min(first, last), last, _POINTS)
    return spread


def _values(record: Record, part: str, how: str, efforts: NDArray[np.float64]) -> NDArray[np.float64]:
    """One value an image."""
    curve = np.array([r["dice"][part] for r in record["rounds"]])  # rounds, images
    if how == "first":
        curve = curve[:1]
    elif how == "effort":
        seconds = [r["seconds"] for r in record["rounds"]]
        curve = np.stack([np.interp(efforts, seconds, image) for image in curve.T], axis=1)
    means: NDArray[np.float64] = curve.mean(axis=0)
    return means


def rounds_table(
    found: Mapping[Rounds, Record], sets: Sequence[str], arms: Sequence[str], part: str
) -> tuple[list[str], list[list[object]]]:
    """Columns and lines: Dice after every round, and the minutes it took, means over seeds."""
    rounds = max(len(r["rounds"]) for r in found.values())
    lines: list[list[object]] = []
    for row in sets:
        for arm in arms:
            records = [r for c, r in found.items() if (c.row, c.arm) == (row, arm)]
            if records:
                dice = np.mean([[np.mean(r["dice"][part]) for r in rec["rounds"]] for rec in records], axis=0)
                minutes = np.mean([rec["rounds"][-1]["seconds"] for rec in records]) / 60
                strokes = np.mean([rec["rounds"][-1]["strokes"] for rec in records])
                lines.append([row, arm, len(records), *map(float, dice), f"{minutes:.1f}", f"{strokes:.0f}"])
    head = ["data", "strategy", "seeds", *(f"round {k + 1}" for k in range(rounds)), "minutes", "strokes"]
    return head, lines


def judged(
    found: Mapping[Rounds, Record], sets: Sequence[str], arm: str, part: str, how: str = "effort"
) -> list[Paired]:
    """``arm`` minus the baseline, a comparison a data set that has both."""
    grid = grid_by(found, part, how)
    pairs = (paired_of(grid, row, arm, BASE) for row in sets)
    return [pair for pair in pairs if pair is not None]


def wins(pairs: Sequence[Paired]) -> bool:
    """Better than the baseline over all data sets beyond chance, and clearly worse on none."""
    return bool(pairs) and over_rows(pairs).low > 0 and all(p.mean > -WORSE for p in pairs)


def winner(found: Mapping[Rounds, Record], sets: Sequence[str], arms: Sequence[str], how: str) -> str:
    """The strategy to take: the best of those that win on the development images, or the baseline."""
    pairs = {arm: judged(found, sets, arm, "dev", how) for arm in arms if arm != BASE}
    won = {arm: over_rows(p).mean for arm, p in pairs.items() if wins(p)}
    return max(won, key=lambda arm: won[arm], default=BASE)


def verdict(found: Mapping[Rounds, Record], sets: Sequence[str], arms: Sequence[str]) -> str:
    """What is to be the default before there is a model, and after, in words."""
    cold = [arm for arm in arms if ">" not in arm and not STRATEGIES[arm].needs_model]
    before, after = winner(found, sets, cold, "first"), winner(found, sets, arms, "effort")
    return (
        f"Default by the rule (development images; 95 % interval of the mean difference from {BASE} "
        f"above 0, no data set more than {WORSE} below; else {BASE}): "
        f"before a model {before}, after {after}"
    )
