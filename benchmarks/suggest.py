"""Whether suggestions save work: Dice against rounds and against effort, for every strategy.

A simulated person annotates what a strategy suggests, a few places a round and a few strokes a place; a
network goes on learning after every round; it is measured on images of no project. Everything but the
strategy is the same, the first places included for strategies that need a model. ``random``, the baseline,
is foreground-aware. Strategies are chosen on ``dev`` images and reported on ``test`` images of the same
runs. Finished cells are stored; the same command goes on where it stopped, ``--report`` prints what is there.

    python -m benchmarks.suggest --data ../shared/data --sets busi acdc dsb --seeds 0 1
    python -m benchmarks.suggest --strategies random entropy "diversity>entropy" --report
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks._data import DATA_SETS, DataSet, Source
from benchmarks._harness import ROOT, Report, command, finish, say, table
from benchmarks._rounds import PARTS, Rounds, engine, run_rounds
from benchmarks._rounds_tables import BASE, grid_by, rounds_table, verdict
from benchmarks._store import Record, Store
from benchmarks._tables import mean_table, paired_table
from benchmarks.accuracy import provenance
from pccs.errors import PccsError
from pccs.suggest import STRATEGIES

RESULTS = ROOT / "benchmarks" / "results" / "suggest.jsonl"
SETS, SAMPLE = ("dsb", "busi", "acdc"), ("cells",)


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line, with what ``--quick`` and the machine decide filled in."""
    parser = command("suggest", __doc__ or "", device=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder of data sets"
    )
    parser.add_argument("--sets", nargs="+", help=f"data sets ({' '.join(SETS)}; without them the sample)")
    parser.add_argument("--strategies", nargs="+", help="names, or BEFORE>AFTER a model exists (all)")
    parser.add_argument("--seeds", nargs="+", type=int, help="seeds (0 1; --quick: 0)")
    parser.add_argument("--part", choices=PARTS, default="test", help="measured part that is printed (test)")
    parser.add_argument("--results", type=Path, help="the store (benchmarks/results/suggest.jsonl)")
    parser.add_argument("--current", action="store_true", help="only cells of the program as it is now count")
    parser.add_argument("--report", action="store_true", help="run nothing, print what is stored")
    options = parser.parse_args(arguments)
    options.seeds = options.seeds or ([0] if options.quick else [0, 1])
    options.sets = _there(options.sets or (SAMPLE if options.quick else SETS), options.data) or list(SAMPLE)
    options.strategies = options.strategies or (
        [BASE, "entropy"] if options.quick else [BASE, *sorted(set(STRATEGIES) - {BASE})]
    )
    if options.quick and options.results is None:  # toy lengths have no place in the kept results
        options.results = Path(tempfile.mkdtemp(prefix="pccs-bench-")) / "quick.jsonl"
    options.results = options.results or RESULTS
    return options


def _there(sets: Sequence[str], data: Path) -> list[str]:
    """The data sets that are on this machine; a word about each that is not."""
    found = [name for name in sets if Source(DATA_SETS.get(name, DataSet(name)), data).there]
    for name in sorted(set(sets) - set(found)):
        say(f"{name} is left out: its images are not below {data}")
    return found


def cells_of(options: argparse.Namespace) -> list[Rounds]:
    """All cells, the first seed of everything first, so that a table can be read early."""
    short = {"rounds": 3, "steps": 20, "pool": 12, "measured": 4} if options.quick else {}
    return [
        Rounds(name, strategy, seed, str(options.data), **short)
        for seed in options.seeds
        for name in options.sets
        for strategy in options.strategies
    ]


def run_missing(cells: Sequence[Rounds], store: Store) -> None:
    """Run and store one after the other what is not there yet."""
    missing = store.missing(cells)
    say(f"{len(cells) - len(missing)} cells are there, {len(missing)} to run")
    for number, cell in enumerate(missing, 1):
        if store.missing([cell]):  # another command may have run it meanwhile
            found = store.append(cell, run_rounds(cell))
            means = " ".join(f"{np.mean(r['dice']['test']):.3f}" for r in found["rounds"])
            say(f"{number}/{len(missing)} {cell.title}: Dice {means}, {found['cpu']:.0f} CPU s")


def show(found: Mapping[Rounds, Record], options: argparse.Namespace, report: Report) -> None:
    """Print every table of one part, and what follows."""
    sets, arms, part = options.sets, options.strategies, options.part
    print(f"Dice after each round, and minutes of annotating, means over seeds; {part} images")
    print(table(*rounds_table(found, sets, arms, part)))
    for how, words in (("round", "mean over rounds"), ("effort", "mean over equal effort")):
        grid = grid_by(found, part, how)
        print(f"\nDice, {words}, mean ± sd over seeds")
        print(table(["data", *arms], mean_table(grid, sets, arms)))
        if len(arms) > 1 and BASE in arms:
            print(f"\nminus {BASE}, image by image, with 95 % interval")
            print(table(["data", *(a for a in arms if a != BASE)], paired_table(grid, sets, arms, BASE)))
        for (name, arm), scores in grid.items():
            report.figures[f"{name}_{part}_by_{how}_{arm}"] = scores.mean
    if BASE in arms and not options.quick:
        print(f"\n{verdict(found, sets, arms)}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing, print, judge."""
    import torch

    torch.set_num_threads(1)
    options = options_of(arguments)
    store = Store(options.results, current=options.current, engine=engine)
    try:
        cells = cells_of(options)
        for cell in cells:
            _ = cell.stages
        if not options.report:
            run_missing(cells, store)
    except (PccsError, KeyError) as error:
        say(f"there is no strategy {error}" if isinstance(error, KeyError) else str(error))
        return 2
    found = store.of(cells)
    if not found:
        say(f"nothing is stored of these cells in {options.results}")
        return 1
    report = Report("suggest")
    show(found, options, report)
    print(f"\n{len(found)} of {len(cells)} cells. {provenance(found)}")
    return finish(report, options)


if __name__ == "__main__":
    sys.exit(main())
