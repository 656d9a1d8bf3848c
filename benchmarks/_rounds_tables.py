"""From rounds to tables: Dice by round and by equal effort, and which strategy wins, if any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks._rounds import Rounds
from benchmarks._store import Record
from benchmarks._tables import Grid, Paired, Scores, over_rows, paired_of

BASE = "random"
WORSE = 0.005
"""Dice by which no data set may be worse for a strategy to win."""
_POINTS = 9


def grid_by(found: Mapping[Rounds, Record], part: str, how: str) -> Grid:
    """Data set and strategy → scores, a value an image.

    ``how="round"``: mean over the rounds. ``how="effort"``: mean over efforts that every stored cell of
    the data set has been through, interpolated between rounds: what counts for the person.
    """
    cells: dict[tuple[str, str], list[Rounds]] = {}
    for cell in found:
        cells.setdefault((cell.row, cell.arm), []).append(cell)
    grid: dict[tuple[str, str], Scores] = {}
    for (row, arm), members in cells.items():
        efforts = common_efforts([r for c, r in found.items() if c.row == row])
        listed = sorted(members, key=lambda c: c.seed)
        values = [_values(found[c], part, efforts if how == "effort" else None) for c in listed]
        units = {found[c]["units"][part] for c in listed}
        grid[row, arm] = Scores(tuple(c.seed for c in listed), "/".join(sorted(units)), np.stack(values))
    return grid


def common_efforts(records: Sequence[Record]) -> NDArray[np.float64]:
    """Seconds of annotating, evenly spread over what all ``records`` have been through."""
    first = max(r["rounds"][0]["seconds"] for r in records)
    last = min(r["rounds"][-1]["seconds"] for r in records)
    spread: NDArray[np.float64] = np.linspace(min(first, last), last, _POINTS)
    return spread


def _values(record: Record, part: str, efforts: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """One value an image."""
    curve = np.array([r["dice"][part] for r in record["rounds"]])  # rounds, images
    if efforts is not None:
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


def judged(found: Mapping[Rounds, Record], sets: Sequence[str], arm: str, part: str) -> list[Paired]:
    """``arm`` minus the baseline at equal effort, a comparison a data set that has both."""
    grid = grid_by(found, part, "effort")
    pairs = (paired_of(grid, row, arm, BASE) for row in sets)
    return [pair for pair in pairs if pair is not None]


def wins(pairs: Sequence[Paired]) -> bool:
    """Better than the baseline over all data sets beyond chance, and clearly worse on none."""
    return bool(pairs) and over_rows(pairs).low > 0 and all(p.mean > -WORSE for p in pairs)


def verdict(found: Mapping[Rounds, Record], sets: Sequence[str], arms: Sequence[str]) -> str:
    """Which strategy is to be the default, chosen on the development images, in words."""
    judgements = {arm: judged(found, sets, arm, "dev") for arm in arms if arm != BASE}
    winners = {arm: over_rows(pairs).mean for arm, pairs in judgements.items() if wins(pairs)}
    rule = (
        "at equal effort on the development images (95 % interval of the mean above 0, "
        f"no data set more than {WORSE} below)"
    )
    if not winners:
        return f"No strategy beats {BASE} {rule}: {BASE} is the default to take."
    best = max(winners, key=lambda arm: winners[arm])
    return f"{best} beats {BASE} by {winners[best]:+.3f} Dice {rule}: the default to take."
