"""How many annotated images the unlabelled ones save: Dice against what a person had to annotate.

Complete masks and scribbles, for labels alone and for ``pccs``, measured as ``benchmarks.accuracy``
measures and stored in the same file, so that cells both need are run once. Annotation time is
simulated (``benchmarks/_scribbles.py`` states the assumed pace); compare ratios, not minutes.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks._cells import Cell, arm_settings
from benchmarks._curves import pyplot
from benchmarks._data import Row
from benchmarks._harness import Report, say, table
from benchmarks._store import Record
from benchmarks._tables import grid_of
from benchmarks.accuracy import (
    arms_of,
    available,
    cells_of,
    complete,
    parser_of,
    provenance,
    run_and_show,
    stored,
)
from pccs.errors import PccsError

COUNTS, QUICK_COUNTS = (3, 5, 10, 20), (2, 4)
KINDS = ("masks", "scribbles")
SETS = ("busi", "acdc", "dsb")


@dataclass(frozen=True)
class Line:
    """One arm with one kind of annotation: Dice at growing effort, means over seeds."""

    counts: tuple[int, ...]
    minutes: tuple[float, ...]
    """Simulated minutes of annotating."""
    dice: tuple[float, ...]
    sd: tuple[float, ...]


def effort_for(dice: float, line: Line, effort: Sequence[float]) -> float | None:
    """The effort at which ``line`` reaches ``dice``.

    Interpolated in the logarithm of the effort between the points on both sides of the first crossing;
    ``None`` when the line never gets there, the least effort when it begins above.
    """
    if line.dice[0] >= dice:
        return float(effort[0])
    for k in range(1, len(line.dice)):
        if line.dice[k] >= dice:
            share = (dice - line.dice[k - 1]) / (line.dice[k] - line.dice[k - 1])
            low, high = np.log(effort[k - 1]), np.log(effort[k])
            return float(np.exp(low + share * (high - low)))
    return None


def lines_of(found: Mapping[Cell, Record], data: str, rule: str) -> dict[tuple[str, str], Line]:
    """Arm and kind → its line, over the counts that are stored."""
    grid = grid_of(found, rule=rule)
    lines: dict[tuple[str, str], Line] = {}
    for arm in dict.fromkeys(cell.arm for cell in found):
        for kind in KINDS:
            rows = sorted(
                (Row.parse(row) for row, a in grid if a == arm and Row.parse(row).data == data),
                key=lambda row: row.count,
            )
            rows = [row for row in rows if row.scribbles == (kind == "scribbles")]
            if rows:
                scores = [grid[row.name, arm] for row in rows]
                lines[arm, kind] = Line(
                    tuple(row.count for row in rows),
                    tuple(_minutes(found, row.name, arm) for row in rows),
                    tuple(s.mean for s in scores),
                    tuple(s.sd for s in scores),
                )
    return lines


def _minutes(found: Mapping[Cell, Record], row: str, arm: str) -> float:
    seconds = [r["annotation"] for cell, r in found.items() if (cell.row, cell.arm) == (row, arm)]
    return float(np.mean(seconds)) / 60


def savings(line: Line, base: Line) -> list[tuple[int, float | None]]:
    """For each count of ``line``: how many annotated images ``base`` needs for the same Dice."""
    return [(n, effort_for(d, base, base.counts)) for n, d in zip(line.counts, line.dice, strict=True)]


Pair = tuple[Line, Line]
"""A line and the one it is compared with."""


def sentence(where: str, names: tuple[str, str], mean: Pair, by_seed: Sequence[Pair]) -> list[str]:
    """The answer in words, a sentence a count; in brackets what each seed by itself says."""
    words = []
    line, base = mean
    for k, (count, needed) in enumerate(savings(line, base)):
        start = (
            f"{where}: with {count} annotated images {names[0]} reaches Dice {line.dice[k]:.3f}; {names[1]}"
        )
        each = [savings(*pair)[k][1] for pair in by_seed if len(pair[0].counts) == len(line.counts)]
        if needed is None:
            said = f"does not get there with {base.counts[-1]}"
        elif base.dice[0] > line.dice[k]:
            said = f"is above that with {base.counts[0]} already"
        else:
            said = f"needs {needed:.1f}, {needed - count:+.1f} saved"
        seeds = ", ".join(f"more than {base.counts[-1]}" if e is None else f"{e:.1f}" for e in each)
        words.append(f"{start} {said}" + (f" (by seed: {seeds})" if len(each) > 1 else ""))
    return words


def minutes_table(
    data: str, lines: Mapping[tuple[str, str], Line], names: Mapping[str, str], base: str
) -> list[list[object]]:
    """For every count of masks with ``base``: the minutes in which each line reaches the same Dice."""
    goal = lines.get((base, "masks"))
    rows: list[list[object]] = []
    for n, dice in zip(goal.counts, goal.dice, strict=True) if goal else []:
        row: list[object] = [data, n, dice]
        for arm, kind in itertools.product(names, KINDS):
            line = lines.get((arm, kind))
            needed = effort_for(dice, line, line.minutes) if line else None
            row.append("" if line is None else "not reached" if needed is None else f"{needed:.1f}")
        rows.append(row)
    return rows


def show(options: argparse.Namespace, rows: Sequence[Row], names: Mapping[str, str], report: Report) -> bool:
    """Tables and answers; whether there was anything to show."""
    found = stored(options, cells_of(options, rows, list(names)))
    if not found:
        say(f"nothing is stored of these cells in {options.results}")
        return False
    sets = list(dict.fromkeys(row.data for row in rows))
    lines = {data: lines_of(found, data, options.rule) for data in sets}
    print(table(_HEAD, [row for data in sets for row in _points(data, lines[data], names, report)]))
    base = next(iter(names))
    columns = [f"{name}, {kind}" for name in names.values() for kind in KINDS]
    reached = [row for data in sets for row in minutes_table(data, lines[data], names, base)]
    print(f"\nminutes until the Dice of {names[base]} with masks is reached")
    print(table(["data", "masks", "Dice", *columns], reached))
    for data in sets:
        print("\n" + "\n".join(_answers(data, found, names, options)))
    print(f"\n{options.steps} steps, {len(found)} cells, minutes are simulated. {provenance(found)}")
    if options.curves:
        draw(options.curves, lines, names)
    return True


_HEAD = ("data", "annotation", "arm", "images", "minutes", "Dice", "sd")


def _points(
    data: str, lines: Mapping[tuple[str, str], Line], names: Mapping[str, str], report: Report
) -> list[list[object]]:
    rows: list[list[object]] = []
    for (arm, kind), line in lines.items():
        for n, minutes, dice, sd in zip(line.counts, line.minutes, line.dice, line.sd, strict=True):
            spread = "" if np.isnan(sd) else f"{sd:.3f}"
            rows.append([data, kind, names[arm], n, f"{minutes:.1f}", dice, spread])
            report.figures[f"{data}_{kind}_{names[arm]}_{n}"] = dice
    return rows


def _answers(
    data: str, found: Mapping[Cell, Record], names: Mapping[str, str], options: argparse.Namespace
) -> list[str]:
    """What is saved, for every kind of annotation and every arm but the first."""
    lines = lines_of(found, data, options.rule)
    alone = [
        lines_of({c: r for c, r in found.items() if c.seed == seed}, data, options.rule)
        for seed in options.seeds
    ]
    base, *others = names
    words: list[str] = []
    for arm, kind in itertools.product(others, KINDS):
        ours, theirs = (arm, kind), (base, kind)
        if lines.keys() >= {ours, theirs}:
            by_seed = [(one[ours], one[theirs]) for one in alone if one.keys() >= {ours, theirs}]
            pair = (lines[ours], lines[theirs])
            words += sentence(f"{data}, {kind}", (names[arm], names[base]), pair, by_seed)
    return words


def draw(path: Path, lines: Mapping[str, Mapping[tuple[str, str], Line]], names: Mapping[str, str]) -> None:
    """Dice against annotated images, and against simulated minutes, a row per data set."""
    plt = pyplot()
    figure, axes = plt.subplots(
        len(lines), 2, figsize=(9, 3 * len(lines)), squeeze=False, layout="constrained"
    )
    for (data, found), pair in zip(lines.items(), axes, strict=True):
        for (arm, kind), line in found.items():
            style = {"marker": ".", "linestyle": "-" if kind == "masks" else ":"}
            style |= {"color": f"C{list(names).index(arm)}", "label": f"{names[arm]}, {kind}"}
            pair[0].errorbar(line.counts, line.dice, np.nan_to_num(line.sd), capsize=2, **style)
            pair[1].plot(line.minutes, line.dice, **style)
        pair[0].set_title(data, loc="left", fontsize=9)
        pair[0].set_ylabel("Dice")
        for axis, title in zip(pair, ("annotated images", "simulated minutes of annotating"), strict=True):
            axis.set_xscale("log")
            axis.set_xlabel(title)
            axis.grid(alpha=0.3)
    axes[0][0].legend(fontsize=7)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def rows_for(sets: Sequence[str], counts: Sequence[int], kinds: Sequence[str]) -> list[Row]:
    """Every count of every data set, annotated in every way."""
    return [Row(data, n, scribbles=kind == "scribbles") for data in sets for kind in kinds for n in counts]


def main() -> int:
    """Run what is missing, print the answer. There is no target: the baseline stands beside each figure."""
    parser = parser_of("annotation_cost", __doc__ or "")
    parser.add_argument("--sets", nargs="+", help="data sets (busi acdc dsb)")
    parser.add_argument("--labels", nargs="+", type=int, help="annotated images (3 5 10 20)")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, help="complete masks, scribbles")
    options = parser.parse_args()
    complete(options)
    counts = sorted(set(options.labels or (QUICK_COUNTS if options.quick else COUNTS)))
    try:
        names = arms_of(options.arms or ["supervised", "pccs"])
        for arm in names:
            arm_settings(arm, 0)
        rows = (
            []
            if options.quick
            else available(rows_for(options.sets or SETS, counts, options.kinds), options.data)
        )
        rows = rows or rows_for(["cells"], counts, options.kinds[: 1 if options.quick else None])
        return run_and_show("annotation_cost", options, rows, names, show)
    except PccsError as error:
        say(str(error))
        return 2


if __name__ == "__main__":
    sys.exit(main())
