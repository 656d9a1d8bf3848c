"""What a training step costs: every preset beside the supervised one, on the sample cells.

The unlabelled terms are switched on from the first step, at full weight, because that is when they cost
most. Time is wall-clock time, the median of blocks of a few steps; run it on an otherwise idle machine.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks._harness import Report, command, finish, say, table
from pccs.config import PRESETS, preset
from pccs.samples import make_sample_project
from pccs.train import Trainer

BASELINE = "supervised"
_BLOCK = 5
"""Steps between two readings of the figures, which wait for the device."""


def seconds_a_step(name: str, steps: int, device: str) -> float:
    """Median time of a step of a preset."""
    always_on = {"method.gate": "open", "method.gate_step": "0", "method.ramp_steps": "1"}
    with (
        tempfile.TemporaryDirectory(prefix="pccs-bench-") as folder,
        make_sample_project(Path(folder) / "cells.pccs", "cells") as project,
    ):
        trainer = Trainer.start(project, preset(name, always_on, seed=0), device=device)
        times = []
        for _ in range(1 + steps // _BLOCK):
            began = time.perf_counter()
            for _ in range(_BLOCK):
                trainer.step()
            times.append((time.perf_counter() - began) / _BLOCK)
    return float(np.median(times[1:]))  # the first block loads kernels, and records them on a GPU


def main() -> int:
    """Measure and print; the supervised step is the baseline."""
    parser = command("step_speed", __doc__ or "")
    parser.add_argument("--steps", type=int, help="steps of each preset (60; --quick: 15)")
    parser.add_argument("--presets", nargs="+", default=tuple(PRESETS), choices=tuple(PRESETS))
    options = parser.parse_args()
    steps = options.steps or (15 if options.quick else 60)
    names = [BASELINE, *(n for n in options.presets if n != BASELINE)]
    found = {}
    for name in names:
        found[name] = seconds_a_step(name, steps, options.device)
        say(f"{name}: {found[name] * 1000:.0f} ms a step")
    base = found[BASELINE]
    rows = [[name, f"{value * 1000:.0f}", f"{value / base:.2f}"] for name, value in found.items()]
    print(table(["preset", "ms a step", f"times {BASELINE}"], rows))
    figures = {f"ms_{name}": value * 1000 for name, value in found.items()}
    figures |= {f"ratio_{name}": value / base for name, value in found.items() if name != BASELINE}
    return finish(Report("step_speed", figures), options)


if __name__ == "__main__":
    sys.exit(main())
