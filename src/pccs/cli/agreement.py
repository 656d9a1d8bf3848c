"""Say how far the people of a project agree: Dice and Cohen's kappa of each class, for every two of them.

Counted are the pixels that both painted by hand, as each painted them before anything was joined or decided;
kappa of a class is that class against all others. People who see each other's strokes are not independent:
hide them while painting."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from typing import Any

from pccs.cli.options import add_project, figure, many, reading

NAME, SUMMARY = "agreement", "say how far several annotators agree"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``pccs agreement``."""
    add_project(parser)
    parser.add_argument("--json", action="store_true", help="print a list, one object for every two people")


def run(options: argparse.Namespace) -> int:
    """Print the figures."""
    from pccs.metrics.agreement import agreement

    with reading(options.project) as project:
        names = [one.name for one in project.classes]
        found = [pair.figures(names) for pair in agreement(project)]
    if options.json:
        print(json.dumps(found, indent=1, allow_nan=False))
        return 0
    if not found:
        print("No two people have painted the same pixels.")
    for figures in found:
        for line in table(figures):
            print(line)
    return 0


def table(figures: Mapping[str, Any]) -> Iterator[str]:
    """The figures of two people as lines a person reads."""
    first, second = figures["people"]
    pixels, items = many(figures["pixels"], "pixel"), many(len(figures["items"]), "item")
    yield f"{first} and {second}: {pixels} in {items}, kappa {figure(figures['kappa'])}"
    width = max(len("class"), *map(len, figures["per_class"]))
    yield f"  {'class'.ljust(width)}     Dice    kappa"
    for name, row in figures["per_class"].items():
        yield f"  {name.ljust(width)}{figure(row['dice']):>9}{figure(row['kappa']):>9}"
