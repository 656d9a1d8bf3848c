"""The command ``pccs``: everything the plugin does with a project, without a screen.

One module a command, each with ``NAME``, ``SUMMARY``, ``add_arguments(parser)`` and ``run(options)``.
Nothing here imports torch before a command needs it, so that ``--help`` is quick.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from pccs.cli import (
    agreement,
    demo,
    doctor,
    evaluate,
    export,
    export_model,
    merge,
    new,
    segment,
    suggest,
    train,
)
from pccs.cli.failures import status_of
from pccs.worker.launch import WAITING

COMMANDS = (
    new, train, suggest, segment, evaluate, export, export_model, merge, agreement, demo, doctor
)  # fmt: skip

_DESCRIPTION = """\
Semi-supervised segmentation: annotate a few images, and let the others teach too.
The same project folder opens in napari and here."""

_EPILOG = """\
a first session:
  pccs new cells.pccs images/ --masks masks/ --annotate 5
  pccs train cells.pccs --steps 500
  pccs suggest cells.pccs
  pccs segment cells.pccs -o result --uncertainty
  pccs evaluate result --truth masks/

exit status: 0 done, 2 the input is wrong (one sentence says what to do), 1 a bug in pccs"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    options = build_parser().parse_args(arguments)
    os.environ.setdefault(*WAITING)
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except BaseException as error:
        return status_of(error, show_traceback=options.traceback)
    return status


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("pccs", description=_DESCRIPTION, epilog=_EPILOG, formatter_class=raw)
    parser.add_argument("--version", action="version", version=f"pccs {_version()}")
    parser.add_argument("--traceback", action="store_true", help="after a bug, show the whole traceback")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in COMMANDS:
        one = commands.add_parser(
            module.NAME,
            help=module.SUMMARY,
            description=module.__doc__,
            formatter_class=raw,
            epilog=getattr(module, "EPILOG", None),
        )
        one.add_argument(
            "--traceback", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS
        )
        module.add_arguments(one)
        one.set_defaults(run=module.run)
    return parser


def _version() -> str:
    try:
        return version("napari-pccs")
    except PackageNotFoundError:
        return "(not installed)"
