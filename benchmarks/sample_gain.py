"""What the unlabelled images add on the sample data: supervised against pccs, five seeds, hidden truth.

Both arms share annotations, steps, seed, network and augmentation. Measured on the images nobody
annotated, with the last moving average of each run.
"""

from __future__ import annotations

import sys
import tempfile
from argparse import Namespace
from pathlib import Path

import numpy as np

from benchmarks._harness import Report, Target, command, finish, say, table
from pccs.config import preset
from pccs.demo.arms import Arm, load_truth, train_arm
from pccs.demo.show import STEPS
from pccs.samples import make_sample_project, truth_folder

ARMS = ("supervised", "pccs")
SMALLEST_GAIN = 1e-4
"""A gain above zero, as a number that can be reached."""


def run_seed(seed: int, options: Namespace) -> dict[str, Arm]:
    """Both arms with one seed, each on a fresh project."""
    arms = {}
    for name in options.arms:
        with (
            tempfile.TemporaryDirectory(prefix="pccs-bench-") as folder,
            make_sample_project(Path(folder) / "cells.pccs", "cells") as project,
        ):
            names = [item.name for item in project.select("unannotated")]
            truth = load_truth(project, truth_folder("cells"), names)
            settings = preset(name, dict(options.set), seed=seed)
            arms[name], _ = train_arm(
                project, settings, steps=options.steps, truth=truth, device=options.device
            )
        score = arms[name].score
        say(f"seed {seed} {name}: Dice {score.dice:.3f} after {arms[name].seconds:.0f} s")
    return arms


def main() -> int:
    """Measure, print, judge."""
    parser = command("sample_gain", __doc__ or "")
    parser.add_argument("--seeds", type=int, default=5, help="how many seeds, from 0 (5; --quick: 1)")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"training steps of each arm ({STEPS})")
    parser.add_argument("--arms", nargs="+", default=ARMS, help="presets, the baseline first")
    parser.add_argument(
        "--set", action="append", default=[], type=lambda text: text.split("=", 1), metavar="KEY=VALUE",
        help="a setting of every arm, such as data.crop=96",
    )  # fmt: skip
    options = parser.parse_args()
    seeds = range(1 if options.quick else options.seeds)
    results = {seed: run_seed(seed, options) for seed in seeds}
    base, *others = options.arms
    rows = [
        [seed, *(arms[n].score.dice for n in options.arms)]
        + [arms[n].score.dice - arms[base].score.dice for n in others]
        + [arms[n].seconds for n in options.arms]
        for seed, arms in results.items()
    ]
    head = ["seed", *(f"Dice {n}" for n in options.arms), *(f"gain {n}" for n in others)]
    print(table([*head, *(f"seconds {n}" for n in options.arms)], rows))
    report = Report("sample_gain")
    for name in options.arms:
        report.figures[f"dice_{name}"] = float(np.mean([arms[name].score.dice for arms in results.values()]))
        report.figures[f"ece_{name}"] = float(np.mean([arms[name].score.ece for arms in results.values()]))
        report.figures[f"seconds_{name}"] = float(np.mean([arms[name].seconds for arms in results.values()]))
    for name in others:
        gains = {seed: arms[name].score.dice - arms[base].score.dice for seed, arms in results.items()}
        report.figures |= {f"gain_{name}_seed{seed}": gain for seed, gain in gains.items()}
        report.targets |= {f"gain_{name}_seed{seed}": Target(SMALLEST_GAIN, ">=") for seed in gains}
    return finish(report, options)


if __name__ == "__main__":
    sys.exit(main())
