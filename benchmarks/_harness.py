"""What every benchmark shares: its command line, its table, its JSON, and the machine it ran on.

A benchmark is a module with ``main()`` that calls :func:`command`, measures, and hands a :class:`Report` to
:func:`finish`. The table on the screen always carries the baseline beside the figure.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Target:
    """A figure that must be reached: ``sense`` is ``"<="`` or ``">="``."""

    target: float
    sense: Literal["<=", ">="]

    def met(self, figure: float) -> bool:
        """Whether ``figure`` reaches it; a missing figure (NaN) does not."""
        return figure <= self.target if self.sense == "<=" else figure >= self.target


@dataclass
class Report:
    """What a benchmark found: numbers by key, and the targets some of them must reach."""

    name: str
    figures: dict[str, float] = field(default_factory=dict)
    targets: dict[str, Target] = field(default_factory=dict)

    def as_json(self, environment: dict[str, Any]) -> dict[str, Any]:
        """The agreed form of a result."""
        judged = {
            key: {"target": t.target, "sense": t.sense, "met": t.met(self.figures[key])}
            for key, t in self.targets.items()
        }
        return {
            "name": self.name,
            "figures": {k: None if math.isnan(v) else v for k, v in self.figures.items()},
            "targets": judged,
            "environment": environment,
        }


def command(name: str, description: str, *, device: bool = True) -> argparse.ArgumentParser:
    """The command line every benchmark has; add more options to it."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=description)
    parser.add_argument("--quick", action="store_true", help="a short, honest form of the same measurement")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write figures and targets to FILE as well")
    if device:
        parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:K or mps (default: auto)")
    return parser


def environment() -> dict[str, Any]:
    """Where and on what the figures were taken."""
    import torch

    names = ("napari-pccs", "torch", "numpy", "scipy", "napari", "monai")
    return {
        "cpu": cpu_name(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "accelerator": torch.cuda.get_device_name(0) if torch.cuda.is_available() else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in names},
        "commit": commit(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def _version(name: str) -> str | None:
    """The version of a package that is installed; a GPU machine may run the engine without napari."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """``rows`` as aligned text in Markdown, so that it can be pasted into the documentation."""
    cells = [[_shown(value) for value in row] for row in rows]
    widths = [max(len(r[k]) for r in [list(columns), *cells]) for k in range(len(columns))]

    def line(values: Sequence[str]) -> str:
        return "| " + " | ".join(v.ljust(w) for v, w in zip(values, widths, strict=True)) + " |"

    rule = "| " + " | ".join("-" * w for w in widths) + " |"
    return "\n".join([line(columns), rule, *map(line, cells)])


def short_runs(parser: argparse.ArgumentParser) -> None:
    """Give ``parser`` the options of an experiment of short runs: seeds, steps, settings."""
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument(
        "--set", action="append", default=[], type=lambda text: text.split("=", 1), metavar="KEY=VALUE"
    )


def parsed(parser: argparse.ArgumentParser, quick_steps: int = 100) -> argparse.Namespace:
    """The options of :func:`short_runs`; with ``--quick`` one seed, and at most ``quick_steps`` steps."""
    options = parser.parse_args()
    if options.quick:
        options.seeds, options.steps = options.seeds[:1], min(options.steps, quick_steps)
    return options


def finish(report: Report, options: argparse.Namespace) -> int:
    """Print targets and machine, write the JSON when asked; 0 when every target is met, else 1."""
    facts = environment()
    result = report.as_json(facts)
    for key, judged in result["targets"].items():
        verdict = "met" if judged["met"] else "NOT met"
        print(f"target {key} {judged['sense']} {judged['target']:g}: {report.figures[key]:.4g}, {verdict}")
    machine = f"{facts['cpu']}, {facts['cores']} cores, torch {facts['versions']['torch']}"
    if facts["accelerator"]:
        machine = f"{facts['accelerator']}, {machine}"
    print(f"({machine}, commit {facts['commit']})")
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0 if all(judged["met"] for judged in result["targets"].values()) else 1


def say(sentence: str) -> None:
    """Progress, on stderr, so that the table stays clean."""
    print(sentence, file=sys.stderr, flush=True)


def _shown(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def cpu_name() -> str:
    """What the processor calls itself."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for row in info.read_text().splitlines():
            if row.startswith("model name"):
                return row.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def commit() -> str:
    """The commit of the working tree, ``-dirty`` when it differs."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()
