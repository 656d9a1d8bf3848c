"""What the unlabelled images add, measured: arms on one code path, few labels, images nobody has seen.

Every arm has the same annotated images, network, augmentation, sampler and number of steps. Measured is
the moving average at the end of the run, never the best of several, on images of no project. Finished
cells are stored one by one; the same command goes on where it stopped, and ``--report`` prints what is
there. Without real images below ``--data`` the sample that comes with the program is used.

    python -m benchmarks.accuracy --data ../shared/data --sets busi acdc --labels 10 20 --seeds 0 1 2
    python -m benchmarks.accuracy --arms pccs "pccs+method.contrast=0" "no memory=pccs+method.memory=0"
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks._cells import Cell, arm_settings, readable
from benchmarks._curves import draw_curves
from benchmarks._data import PARTS, ROWS, SAMPLE_ROWS, SCRIBBLED, Row, Source, rows_of
from benchmarks._harness import ROOT, Report, command, finish, say, table
from benchmarks._jobs import run_all
from benchmarks._measure import RULES
from benchmarks._store import RESULTS, Record, Store
from benchmarks._tables import Grid, compare, grid_of, mean_table, paired_table, shown_interval
from benchmarks._verdicts import BASE, judge
from pccs.errors import PccsError

ARMS = ("supervised", "mean-teacher", "cutmix", "copy-paste", "pccs-paper", "pccs")
QUICK_STEPS, STEPS = 60, 1600


def parser_of(name: str, text: str) -> argparse.ArgumentParser:
    """The options that all benchmarks on stored cells share."""
    parser = command(name, text, device=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder of data sets"
    )
    parser.add_argument("--arms", nargs="+", help="presets, PRESET+key=value, or NAME=PRESET+key=value")
    parser.add_argument("--seeds", nargs="+", type=int, help="seeds (0 1 2; --quick: 0)")
    parser.add_argument("--steps", type=int, help=f"training steps ({STEPS}; --quick: {QUICK_STEPS})")
    parser.add_argument(
        "--part", choices=PARTS, default="", help="measure this part; dev: a fifth of training"
    )
    parser.add_argument("--unlabelled", type=int, default=0, metavar="N", help="at most N unlabelled images")
    parser.add_argument(
        "--device",
        default="cpu",
        help="cpu, cuda, cuda:K or mps (default: cpu); cuda,cpu: a stored cell of either counts, the first"
        " named before the others, and what is missing runs on the last",
    )
    parser.add_argument("--jobs", type=int, default=1, help="cells at a time, one thread each (1)")
    parser.add_argument("--results", type=Path, help="the store (benchmarks/results/accuracy.jsonl)")
    parser.add_argument("--current", action="store_true", help="only cells of the program as it is now count")
    parser.add_argument("--report", action="store_true", help="run nothing, print what is stored")
    parser.add_argument("--rule", choices=RULES, default=RULES[0], help="which units count in the tables")
    parser.add_argument("--curves", type=Path, metavar="PNG", help="draw the curves to a file")
    return parser


def arms_of(texts: Sequence[str]) -> dict[str, str]:
    """Arm → its name in the table. ``NAME=PRESET+…`` names it; else a name is made from its changes."""
    names: dict[str, str] = {}
    for text in texts:
        first = text.partition("+")[0]
        name, _, arm = text.partition("=") if "=" in first else ("", "", text)
        names[arm] = name or readable(arm)
    return names


def cells_of(options: argparse.Namespace, rows: Sequence[Row], arms: Sequence[str]) -> list[Cell]:
    """All cells, the first seed of every row first, so that a table can be read early."""
    return [
        Cell(
            row.name, arm, seed, options.steps, str(options.data), options.part, options.unlabelled,
            devices_of(options)[-1],
        )
        for seed in options.seeds
        for row in rows
        for arm in arms
    ]  # fmt: skip


def devices_of(options: argparse.Namespace) -> list[str]:
    """The devices whose cells count, the most preferred first."""
    return str(options.device).split(",")


def stored(options: argparse.Namespace, cells: Sequence[Cell]) -> dict[Cell, Record]:
    """The record of every cell that is there, from the first device that ran it."""
    store = Store(options.results, current=options.current)
    found: dict[Cell, Record] = {}
    for device in reversed(devices_of(options)):
        there = store.of([replace(cell, device=device) for cell in cells])
        found |= {replace(cell, device=cells[0].device): record for cell, record in there.items()}
    return {cell: found[cell] for cell in cells if cell in found}


def available(rows: Sequence[Row], data: Path) -> list[Row]:
    """The rows whose images are on this machine; a word about each that is not."""
    there = [row for row in rows if Source(row.data_set, data).there]
    for name in dict.fromkeys(row.data for row in rows if row not in there):
        say(f"{name} is left out: its images are not below {data}")
    return there


def default_rows(options: argparse.Namespace) -> list[str]:
    """The standard table; the sample where there are no real images, and for ``--quick``."""
    real = [*ROWS, *SCRIBBLED]
    if not options.quick and available([Row.parse(r) for r in real], options.data):
        return real
    return list(SAMPLE_ROWS)[: 1 if options.quick else None]


def complete(options: argparse.Namespace) -> None:
    """Fill in what ``--quick`` decides."""
    options.steps = options.steps or (QUICK_STEPS if options.quick else STEPS)
    options.seeds = options.seeds or ([0] if options.quick else [0, 1, 2])
    if options.quick and options.results is None:  # toy lengths have no place in the kept results
        options.results = Path(tempfile.mkdtemp(prefix="pccs-bench-")) / "quick.jsonl"
    options.results = options.results or RESULTS


def tables(
    found: Mapping[Cell, Record], rows: Sequence[str], names: Mapping[str, str], rule: str
) -> tuple[Grid, str]:
    """The scores, and everything that is printed about them."""
    grid, arms = grid_of(found, rule=rule), list(names)
    blocks = ["Dice, mean ± sd over seeds", table(["row", *names.values()], mean_table(grid, rows, arms))]
    base = BASE if BASE in arms else arms[0]
    if len(arms) > 1:
        head = ["row", *(names[a] for a in arms if a != base)]
        blocks += [
            f"\nminus {names[base]}, image by image, with 95 % interval",
            table(head, paired_table(grid, rows, arms, base)),
        ]
    blocks += [
        "\nall figures, means over seeds",
        table([*_HEAD, *_HEAD_END], _details(found, grid, rows, names)),
    ]
    chosen = grid_of(found, rule=rule, kept=True)
    # Beside a choice stands the last model of the same cells, not of those where nothing was chosen.
    last = grid_of({cell: record for cell, record in found.items() if record.get("kept")}, rule=rule)
    lines = [
        [row, names[arm], last[row, arm].mean, chosen[row, arm].mean,
         shown_interval(compare(chosen[row, arm], last[row, arm]))]
        for row, arm in chosen if row in rows and arm in names
    ]  # fmt: skip
    if lines:
        blocks += [
            "\nthe model the program itself would keep, against the last",
            table(["row", "arm", "last", "kept", "kept minus last"], lines),
        ]
    return grid, "\n".join(blocks)


_HEAD = ("row", "arm", "seeds", "annotated", "unlabelled", "Dice", "Dice all", "IoU", "HD95", "ASSD")
_HEAD_END = ("not found", "ECE", "CPU s", "wall s")


def _details(
    found: Mapping[Cell, Record], grid: Grid, rows: Sequence[str], names: Mapping[str, str]
) -> list[list[object]]:
    every = grid_of(found, rule="all")
    lines: list[list[object]] = []
    for row, arm in ((row, arm) for row in rows for arm in names if (row, arm) in grid):
        records = [record for cell, record in found.items() if (cell.row, cell.arm) == (row, arm)]

        def mean(key: str, records: list[Record] = records) -> float:
            return float(np.mean([np.nan if r.get(key) is None else r[key] for r in records]))

        lines.append(
            [row, names[arm], len(records), f"{mean('labelled'):.0f}", f"{mean('unlabelled'):.0f}",
             grid[row, arm].mean, every[row, arm].mean, mean("iou"), f"{mean('hd95'):.1f}",
             f"{mean('assd'):.2f}", f"{mean('undefined'):.1f}", mean("ece"),
             *(f"{mean(key):.0f}" for key in ("cpu", "wall"))]
        )  # fmt: skip
    return lines


_ORIGIN = ("commit", "machine", "torch")


def provenance(found: Mapping[Cell, Record]) -> str:
    """Which program, when and on what; a warning where cells of several programs stand side by side."""
    records = sorted(
        ({**r, "machine": r.get("gpu") or r["cpu_name"]} for r in found.values()),
        key=lambda r: str(r["date"]),
    )
    engines = {r["engine"] for r in records}
    commits, machines, torches = (", ".join(dict.fromkeys(r[k] for r in records)) for k in _ORIGIN)
    text = f"{records[0]['date'][:10]} to {records[-1]['date'][:10]}, {machines}, torch {torches}, {commits}"
    if len(engines) > 1:
        text += f"\nCAUTION: {len(engines)} versions of the program ran these cells; see --current"
    return text


def show(options: argparse.Namespace, rows: Sequence[Row], names: Mapping[str, str], report: Report) -> bool:
    """Print what is stored of these rows and arms; whether there was anything."""
    cells = cells_of(options, rows, list(names))
    found = stored(options, cells)
    if not found:
        say(f"nothing is stored of these cells in {options.results}")
        return False
    listed = [row.name for row in rows]
    grid, text = tables(found, listed, names, options.rule)
    print(text)
    print(f"\n{options.steps} steps, {len(found)} of {len(cells)} cells. {provenance(found)}")
    for (row, arm), scores in grid.items():
        report.figures[f"{row}_dice_{names[arm]}"] = scores.mean
    if not options.quick:  # at toy length nothing can be concluded
        for sentence in judge(report, grid, listed, names):
            print(f"missed: {sentence}")
    if options.curves:
        draw_curves(options.curves, found, listed, list(names), names)
    return True


Show = Callable[[argparse.Namespace, Sequence[Row], Mapping[str, str], Report], bool]


def run_and_show(
    name: str, options: argparse.Namespace, rows: Sequence[Row], names: Mapping[str, str], show: Show
) -> int:
    """Run the cells that are missing, unless only a report is wanted; print by ``show``; the exit status."""
    store = Store(options.results, current=options.current)
    cells = [] if options.report else cells_of(options, rows, list(names))
    elsewhere = {c for c, r in (stored(options, cells) if cells else {}).items() if r["device"] != c.device}
    cells = [cell for cell in cells if cell not in elsewhere]
    unfinished = run_all(cells, store, jobs=options.jobs) if cells else []
    report = Report(name)
    if not show(options, rows, names, report):
        return 1
    return finish(report, options) or int(bool(unfinished))


def main() -> int:
    """Run what is missing, print, judge."""
    parser = parser_of("accuracy", __doc__ or "")
    parser.add_argument(
        "--sets", nargs="+", help="rows (busi-10, acdc-7p, dsb-5-scribbles) or data sets (busi)"
    )
    parser.add_argument(
        "--labels", nargs="+", default=[], help="annotated images (10) or patients (7p) of each set"
    )
    options = parser.parse_args()
    complete(options)
    try:
        names = arms_of(options.arms or (["supervised", "pccs"] if options.quick else ARMS))
        for arm in names:
            arm_settings(arm, 0)
        rows = available(rows_of(options.sets or default_rows(options), options.labels), options.data)
        if not rows:
            say("Name the folder of the data sets with --data")
            return 2
        return run_and_show("accuracy", options, rows, names, show)
    except PccsError as error:
        say(str(error))
        return 2


if __name__ == "__main__":
    sys.exit(main())
