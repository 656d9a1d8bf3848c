"""What a step of PCCS costs beside a supervised one of the same network on the same batch.

Floor A is forward, supervised loss, backward and optimiser on all 16 images. The full step is the program's
own, with every unlabelled term at full weight. Both see 16 × 1 × 224 × 224, 8 of them annotated, with widths
32, 32, 64, 128, 256 and 256-dimensional features. Process CPU time on one thread, medians of steps taken in
turns; on a GPU wall-clock time of ten steps between two synchronisations, with and without CUDA graphs.
Each configuration has a process of its own, because the allocator is set before it starts.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from benchmarks._harness import Report, Target, command, finish, say, table
from pccs.worker.launch import MALLOC

STEPS = 3
RATIO, LEVELS_MS = 1.30, 10.0
GPU_MS = 10.0
"""Milliseconds of a full step on a data-centre GPU."""


@dataclass(frozen=True)
class Configuration:
    """One row of the table."""

    classes: int = 2
    numbers: str = "float32"
    layout: str = "channels last"
    allocator: str = "default"
    preset: str = "pccs"
    device: str = "cpu"
    side: int = 224
    steps: int = STEPS
    replay: bool = True
    """Whether a GPU replays the step from a CUDA graph."""

    @property
    def how(self) -> str:
        """The allocator of a CPU, the launches of a GPU."""
        if self.device == "cpu":
            return self.allocator
        return "replayed" if self.replay else "one by one"

    @property
    def key(self) -> str:
        """Short name for the figures."""
        how = self.how.replace(" ", "-")
        return "_".join((f"C{self.classes}", self.numbers, self.layout.split()[-1], how, self.preset))


def configurations(options: argparse.Namespace) -> Iterator[Configuration]:
    """The rows that were asked for."""
    base = Configuration(preset=options.preset, device=options.device, side=options.side)
    cpu = options.device == "cpu"
    kinds = [("float32", "channels last")]
    if not options.quick:  # the slowest last
        kinds += [("float32", "contiguous"), ("bfloat16", "channels last")]
    allocators = ("default", "tuned") if cpu and sys.platform == "linux" else ("default",)
    ways = (True,) if cpu else (False, True)
    for numbers, layout in kinds:
        if options.numbers and numbers not in options.numbers:
            continue
        # Where bfloat16 is emulated a step takes minutes: one says enough.
        slow = cpu and numbers == "bfloat16" and not options.steps
        steps = options.steps or (1 if options.quick or slow else STEPS)
        for classes in options.classes or ((2,) if options.quick else (2, 4)):
            for allocator, replay in itertools.product(allocators, ways):
                kind = replace(base, classes=classes, allocator=allocator, numbers=numbers, layout=layout)
                yield replace(kind, steps=steps, replay=replay)


def measured(wanted: Configuration) -> dict[str, Any]:
    """Figures of one configuration, from a process of its own."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    env.pop("GLIBC_TUNABLES", None)
    if wanted.allocator == "tuned":
        env["GLIBC_TUNABLES"] = MALLOC
    line = [sys.executable, "-m", "benchmarks._step_child", json.dumps(asdict(wanted))]
    done = subprocess.run(line, env=env, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> int:
    """Measure every configuration in turn and print the tables."""
    parser = command("step", __doc__ or "")
    parser.add_argument(
        "--steps",
        type=int,
        help=f"steps of each kind and configuration ({STEPS}; bfloat16 on a CPU, and --quick: 1)",
    )
    parser.add_argument("--numbers", nargs="+", choices=("float32", "bfloat16"), help="only these rows")
    parser.add_argument("--classes", type=int, nargs="+", help="only rows of so many classes (2 4)")
    parser.add_argument("--side", type=int, default=224, help="side of the images")
    parser.add_argument("--preset", default="pccs", help="whose full step (default: pccs)")
    options = parser.parse_args()
    options.device = "cpu" if options.device == "auto" else options.device
    rows, stages = [], []
    figures: dict[str, float] = {}
    kept = ("floor", "full", "ratio", "levels_ms", "floor_peak_gib", "peak_gib", "steps")
    for wanted in configurations(options):
        found = measured(wanted)
        key = wanted.key
        figures |= {
            f"{key}_{name}": found[name] for name in ("floor", "full", "ratio", "levels_ms", "peak_gib")
        }
        rows.append(
            [wanted.classes, wanted.numbers, wanted.layout, wanted.how]
            + [f"{found[n]:.3g}" for n in ("floor", "full")]
            + [f"{found[n]:.2f}" for n in ("ratio", "levels_ms", "floor_peak_gib", "peak_gib")]
        )
        stages.append((wanted, found["stages"]))
        say(" ".join([f"{key}:", *(f"{name} {found[name]:.3g}" for name in kept)]))
    columns = [
        "classes",
        "numbers",
        "layout",
        "allocator" if options.device == "cpu" else "launches",
        "floor A, s",
        "full, s",
        "ratio",
        "level sets, ms",
    ]
    print(table([*columns, "peak floor, GiB", "peak full, GiB"], rows))
    print()
    print(_shares(stages))
    targets = {k: Target(RATIO, "<=") for k in figures if k.endswith("ratio") and "float32_last" in k}
    targets |= {k: Target(LEVELS_MS, "<=") for k in figures if k.endswith("levels_ms") and "C4" in k}
    if options.device != "cpu":  # what counts there is the fastest way
        best = min(value for key, value in figures.items() if key.endswith("_full"))
        figures["step_ms"] = 1000 * best
        targets = {"step_ms": Target(GPU_MS, "<=")}
    return finish(Report("step", figures, targets), options)


def _shares(stages: list[tuple[Configuration, dict[str, float]]]) -> str:
    """Where the time of a full step goes, in per cent: the first and the last configuration."""
    shown = stages if len(stages) < 3 else [stages[0], stages[-1]]
    names = list(shown[0][1])
    heads = [f"{c.classes} classes, {c.numbers}, {c.layout}, {c.how}, %" for c, _ in shown]
    return table(
        ["stage", *heads],
        [[name, *(f"{100 * s[name] / sum(s.values()):.1f}" for _, s in shown)] for name in names],
    )


if __name__ == "__main__":
    sys.exit(main())
