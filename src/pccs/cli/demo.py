"""Train the sample project without and with its unlabelled images, and compare.

Prints a table, and writes pictures, masks and summary.json. Takes a few minutes on a laptop."""

from __future__ import annotations

import argparse

from pccs.cli.options import add_device, positive

NAME, SUMMARY = "demo", "show on sample data what the unlabelled images are worth"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``pccs demo``."""
    parser.add_argument("-o", "--out", default="demo-output", help="folder to write to (demo-output)")
    parser.add_argument("--steps", type=positive, metavar="N", help="training steps of each arm")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of both arms (0)")
    add_device(parser)


def run(options: argparse.Namespace) -> int:
    """Run the demonstration."""
    from pccs.demo import main

    arguments = ["--out", options.out, "--seed", str(options.seed), "--device", options.device]
    return main(arguments + (["--steps", str(options.steps)] if options.steps else []))
