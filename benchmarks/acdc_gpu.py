"""ACDC at 3 and 7 annotated patients at the published scale: a GPU's work, cut into slices of minutes.

The published order of patients, every arm with the same full-width network, crops of 224 and batches of 8
annotated and 8 unlabelled slices; measured volume by volume. One call lasts about ``--minutes`` and keeps
unfinished runs below ``--work``; the same command goes on with them and says when all is done. Finished
cells go to the same store as those of ``benchmarks.accuracy``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks._cells import Cell, arm_settings, identity
from benchmarks._data import Row
from benchmarks._harness import ROOT, Report, finish, say
from benchmarks._jobs import run_all
from benchmarks._store import Store
from benchmarks.accuracy import ARMS, available, cells_of, complete, parser_of, show
from pccs.errors import PccsError

ROWS = ("acdc-3p", "acdc-7p")
STEPS, QUICK_STEPS = 20000, 4
MEASURING = 75.0
"""Seconds kept at the end of a slice to measure runs that have just ended."""
AGAIN = 3
"""Exit status that says: there is more to do, call again."""


def large(arm: str, steps: int, crop: int, more: list[str]) -> str:
    """``arm`` with the settings of the published scale; what ``arm`` itself says comes last and wins."""
    preset, *own = arm.split("+")
    scale = [
        "net.widths=32,32,64,128,256",
        "net.embedding=128",
        "data.scale=1.0",
        f"data.crop={crop}",
        "data.labelled=8",
        "data.unlabelled=8",
        f"optim.poly_steps={steps}",
        "method.teacher_momentum=0.99",
        f"method.gate_step={steps // 20}",
        f"method.ramp_steps={max(1, steps // 10)}",
        "validate_every=250",
    ]
    return "+".join([preset, *scale, *more, *own])


def main() -> int:
    """Run for some minutes, or until all is done; print the table of what is there."""
    parser = parser_of("acdc_gpu", __doc__ or "")
    parser.set_defaults(device="cuda")
    parser.add_argument("--rows", nargs="+", help=f"rows ({' '.join(ROWS)})")
    parser.add_argument("--minutes", type=float, default=9.0, help="length of one call (9)")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "acdc_gpu", help="unfinished runs")
    parser.add_argument("--crop", type=int, help="side of a crop (224; --quick: 64)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of every arm"
    )
    options = parser.parse_args()
    options.steps = options.steps or (QUICK_STEPS if options.quick else STEPS)
    complete(options)
    if options.quick:
        options.device = "cpu"
    try:
        return _run(options)
    except PccsError as error:
        say(str(error))
        return 2


def _run(options: argparse.Namespace) -> int:
    crop = options.crop or (64 if options.quick else 224)
    presets = options.arms or (("supervised", "pccs") if options.quick else ARMS)
    names = {large(arm, options.steps, crop, options.set): arm for arm in presets}
    for arm in names:
        arm_settings(arm, 0)
    rows = [Row.parse(row) for row in options.rows or (("cells-4",) if options.quick else ROWS)]
    rows = available(rows, options.data)
    if not rows:
        return 2

    def work(cell: Cell) -> Path:
        return Path(options.work) / f"{cell.row}-{names[cell.arm]}-{cell.seed}-{identity(cell)}"

    unfinished: list[str] = []
    if not options.report:
        seconds = max(1.0, options.minutes * 60 - MEASURING)
        store, cells = Store(options.results, current=options.current), cells_of(options, rows, list(names))
        unfinished = run_all(cells, store, jobs=options.jobs, work=work, seconds=seconds)
    report = Report("acdc_gpu")
    shown = show(options, rows, names, report)
    for sentence in unfinished:
        say(sentence)
    if unfinished:
        say("There is more to do: call the same command again")
        return AGAIN
    return finish(report, options) if shown else 1


if __name__ == "__main__":
    sys.exit(main())
