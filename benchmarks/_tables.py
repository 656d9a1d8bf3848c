"""From finished cells to tables: means over seeds, paired comparisons, verdicts.

Everything here is arithmetic on ``Scores``: Dice by seed and unit. Intervals come from a bootstrap that
draws the seeds and, within, the units anew, the same for both arms of a comparison: what two arms share
(a hard image, a lucky draw of labels) cancels out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks._cells import Cell
from benchmarks._store import Record

REPEATS = 4000
_SEED = 0


@dataclass(frozen=True)
class Scores:
    """One arm on one row: ``values`` float ``(seeds, units)``, and which seeds they are of."""

    seeds: tuple[int, ...]
    units: str
    """Digest of the names of the units: only scores on the same units are compared."""
    values: NDArray[np.float64]

    @property
    def by_seed(self) -> NDArray[np.float64]:
        """Mean over units, for each seed."""
        means: NDArray[np.float64] = self.values.mean(axis=1)
        return means

    @property
    def mean(self) -> float:
        """Mean over units and seeds."""
        return float(self.values.mean())

    @property
    def sd(self) -> float:
        """Standard deviation over seeds, nan for one."""
        return float(self.by_seed.std(ddof=1)) if len(self.seeds) > 1 else math.nan


Grid = Mapping[tuple[str, str], Scores]
"""Row and arm → scores."""


@dataclass(frozen=True)
class Paired:
    """An arm minus another, on the seeds and units both have."""

    mean: float
    low: float
    high: float
    """Bootstrap interval of 95 %."""
    error: float
    """Standard error over seeds of the mean difference; nan for one seed."""
    samples: NDArray[np.float64]
    """The bootstrap means."""


def grid_of(found: Mapping[Cell, Record], *, rule: str = "present", kept: bool = False) -> Grid:
    """Scores of every row and arm; with ``kept`` of the model the program chose, where it chose one."""
    cells: dict[tuple[str, str], list[Cell]] = {}
    for cell in found:
        if not kept or found[cell].get("kept"):
            cells.setdefault((cell.row, cell.arm), []).append(cell)
    return {key: _scores(sorted(c, key=lambda c: c.seed), found, rule, kept) for key, c in cells.items()}


def _scores(cells: Sequence[Cell], found: Mapping[Cell, Record], rule: str, kept: bool) -> Scores:
    records = [found[cell] for cell in cells]
    digests = {record["units"] for record in records}
    if len(digests) > 1:
        raise ValueError(f"the stored cells of {cells[0].row} were measured on different images")
    values = np.array([record["kept" if kept else "dice"] for record in records])
    absent = records[0]["absent"] if rule == "present" else []
    counted = np.setdiff1d(np.arange(values.shape[1]), np.array(absent, int))
    return Scores(tuple(c.seed for c in cells), digests.pop(), values[:, counted])


def compare(one: Scores, other: Scores) -> Paired:
    """``one`` minus ``other``.

    Raises
    ------
    ValueError
        If they share no seed, or were measured on different units.
    """
    seeds = [s for s in one.seeds if s in other.seeds]
    if one.units != other.units or not seeds:
        raise ValueError("only scores on the same images with the same seeds can be compared")
    pick = [[s.seeds.index(seed) for seed in seeds] for s in (one, other)]
    difference = one.values[pick[0]] - other.values[pick[1]]
    samples = bootstrap(difference)
    low, high = np.percentile(samples, [2.5, 97.5])
    by_seed = difference.mean(axis=1)
    error = float(by_seed.std(ddof=1) / math.sqrt(len(seeds))) if len(seeds) > 1 else math.nan
    return Paired(float(difference.mean()), float(low), float(high), error, samples)


def bootstrap(values: NDArray[np.float64], repeats: int = REPEATS) -> NDArray[np.float64]:
    """Means of ``values (seeds, units)`` with seeds and units drawn anew, ``(repeats,)``."""
    rng = np.random.default_rng(_SEED)
    seeds, units = values.shape
    weights_s = rng.multinomial(seeds, [1 / seeds] * seeds, repeats) / seeds
    weights_u = rng.multinomial(units, [1 / units] * units, repeats) / units
    means: NDArray[np.float64] = np.einsum("rs,su,ru->r", weights_s, values, weights_u)
    return means


def over_rows(paired: Iterable[Paired]) -> Paired:
    """The mean over rows of a comparison, rows counting alike."""
    listed = list(paired)
    samples = np.mean([p.samples for p in listed], axis=0)
    low, high = np.percentile(samples, [2.5, 97.5])
    error = math.sqrt(sum(p.error**2 for p in listed)) / len(listed)
    return Paired(float(np.mean([p.mean for p in listed])), float(low), float(high), error, samples)


def mean_table(grid: Grid, rows: Sequence[str], arms: Sequence[str]) -> list[list[object]]:
    """A line per row: mean ± sd over seeds of every arm; the last is the mean over complete rows."""
    most = max(len(scores.seeds) for scores in grid.values())
    lines: list[list[object]] = [[row, *(_shown(grid.get((row, arm)), most) for arm in arms)] for row in rows]
    whole = [row for row in rows if all((row, arm) in grid for arm in arms)]
    if len(whole) > 1:
        means = [f"{np.mean([grid[row, arm].mean for row in whole]):.3f}" for arm in arms]
        lines.append([f"mean of {len(whole)} rows", *means])
    return lines


def paired_table(grid: Grid, rows: Sequence[str], arms: Sequence[str], base: str) -> list[list[object]]:
    """A line per row: every arm minus ``base`` with its interval; the last is the mean over rows."""
    others = [arm for arm in arms if arm != base]
    found = {row: [paired_of(grid, row, arm, base) for arm in others] for row in rows}
    lines: list[list[object]] = [[row, *map(shown_interval, pairs)] for row, pairs in found.items()]
    whole = [[p for p in pairs if p] for pairs in found.values() if all(pairs)]
    if len(whole) > 1:
        means = [shown_interval(over_rows(pairs)) for pairs in zip(*whole, strict=True)]
        lines.append([f"mean of {len(whole)} rows", *means])
    return lines


def paired_of(grid: Grid, row: str, arm: str, base: str) -> Paired | None:
    """The comparison, ``None`` when a side is missing or no seed is shared."""
    one, other = grid.get((row, arm)), grid.get((row, base))
    if one is None or other is None or not set(one.seeds) & set(other.seeds):
        return None
    return compare(one, other)


def shown_interval(found: Paired | None) -> str:
    """A difference with its interval."""
    return "" if found is None else f"{found.mean:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"


def _shown(scores: Scores | None, most: int) -> str:
    if scores is None:
        return ""
    spread = "" if math.isnan(scores.sd) else f" ± {scores.sd:.3f}"
    seeds = len(scores.seeds)
    return f"{scores.mean:.3f}{spread}" + (f" ({seeds} of {most} seeds)" if seeds < most else "")
