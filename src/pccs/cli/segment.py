"""Segment images with the newest model of a project.

Writes OUT/masks/STEM, and if asked OUT/uncertainty/STEM (float32, 0 to 1) and
OUT/probabilities/STEM (float32, classes first). Every result has the shape of its source."""

from __future__ import annotations

import argparse

from pccs.cli.options import add_device, add_out, add_project, many, reading
from pccs.cli.progress import Progress
from pccs.errors import PccsError

NAME, SUMMARY = "segment", "segment images into a folder of masks"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``pccs segment``."""
    add_project(parser)
    add_out(parser)
    parser.add_argument(
        "--items",
        default="all",
        metavar="all|unannotated|STEM,...",
        help="what to segment (all); slices of a stack that are left out are 0",
    )
    parser.add_argument("--uncertainty", action="store_true", help="write normalised entropy too")
    parser.add_argument("--probabilities", action="store_true", help="write class probabilities too")
    add_device(parser)


def run(options: argparse.Namespace) -> int:
    """Segment; images that cannot be read are named, and the rest goes on."""
    errors: list[PccsError] = []
    with reading(options.project) as project, Progress() as progress:
        items = project.select(options.items)
        from pccs.export import segment_to_folder
        from pccs.predict import Predictor

        def failed(error: PccsError) -> None:
            errors.append(error)
            progress.note(f"pccs: {error}")

        stems = segment_to_folder(
            project,
            Predictor.load(project, device=options.device),
            options.out,
            items=items,
            fmt=options.format,
            uncertainty=options.uncertainty,
            probabilities=options.probabilities,
            progress=lambda done, total: progress.items("Segmenting", done, total),
            on_error=failed,
        )
    print(f"{many(len(stems), 'image')} segmented" + (f", {len(errors)} could not be read" if errors else ""))
    print(options.out)
    return 2 if errors else 0
