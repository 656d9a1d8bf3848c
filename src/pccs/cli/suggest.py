"""Say what to annotate next, with a reason for each item.

Strategies: auto (what benchmarks.suggest favours), and what `--strategy help` lists."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from pccs.cli.options import add_device, add_project, positive, reading
from pccs.cli.progress import Progress

if TYPE_CHECKING:
    from pccs.predict import Predictor
    from pccs.project import Project

NAME, SUMMARY = "suggest", "say what to annotate next, and why"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``pccs suggest``."""
    add_project(parser)
    parser.add_argument("-n", type=positive, default=10, metavar="N", dest="count", help="how many (10)")
    parser.add_argument("--strategy", default="auto", metavar="NAME", help="how to choose (auto)")
    parser.add_argument(
        "--look-at", type=positive, default=200, metavar="N",
        help="of more images, look at a sample of N (200); by diversity, at N at least",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="for strategies that draw (0)")
    parser.add_argument("--json", action="store_true", help="print a list of item, score, reason, region")
    add_device(parser)


def run(options: argparse.Namespace) -> int:
    """Print suggestions, best first."""
    if options.strategy == "help":
        return _list_strategies()
    with reading(options.project) as project, Progress() as progress:
        from pccs.suggest import suggest

        used, found = suggest(
            project,
            _model(project, options.device),
            count=options.count,
            strategy=options.strategy,
            seed=options.seed,
            limit=options.look_at,
            progress=lambda done, total: progress.items("Looking at", done, total),
        )
    if options.json:
        print(json.dumps([asdict(s) for s in found], indent=1))
        return 0
    print(f"strategy: {used}" if found else "Every item is annotated: there is nothing to suggest.")
    for number, s in enumerate(found, 1):
        place = (
            f" [rows {s.region[0]}–{s.region[2]}, columns {s.region[1]}–{s.region[3]}]" if s.region else ""
        )
        print(f"{number:3d}. {s.item}{place}: {s.reason}")
    return 0


def _model(project: Project, device: str) -> Predictor | None:
    """The newest model; ``None`` before anything is trained."""
    if project.current_run() is None:
        return None
    from pccs.predict import Predictor

    return Predictor.load(project, device=device)


def _list_strategies() -> int:
    from pccs.suggest import STRATEGIES

    for strategy in STRATEGIES.values():
        needs = " (needs a trained model)" if strategy.needs_model else ""
        print(f"{strategy.name:16s} {strategy.summary}{needs}")
    return 0
