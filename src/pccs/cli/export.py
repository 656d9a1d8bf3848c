"""Export what a project holds: masks, annotations, maps, measurements, the model.

Masks are the final result: complete items as they were painted, of all others the prediction with
the paint on top. (`pccs segment` writes what the model says, whatever is painted.)"""

from __future__ import annotations

import argparse

from pccs.cli.options import add_device, add_out, add_project, reading
from pccs.cli.progress import Progress
from pccs.errors import PccsError

NAME, SUMMARY = "export", "export masks, annotations, maps, measurements or the model"
PARTS = "masks, annotations, uncertainty, probabilities, model, measurements"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``pccs export``."""
    add_project(parser)
    add_out(parser)
    parser.add_argument("--what", default="masks", metavar="PART,PART,...", help=f"of {PARTS} (masks)")
    add_device(parser)


def run(options: argparse.Namespace) -> int:
    """Write the parts asked for, and name the files and folders."""
    what = [part.strip() for part in options.what.split(",") if part.strip()]
    errors: list[PccsError] = []
    with reading(options.project) as project, Progress() as progress:
        from pccs.export import export_project
        from pccs.predict import Predictor

        def failed(error: PccsError) -> None:
            errors.append(error)
            progress.note(f"pccs: {error}")

        trained = project.current_run() is not None and set(what) != {"annotations"}
        written = export_project(
            project,
            options.out,
            fmt=options.format,
            what=what,
            predictor=Predictor.load(project, device=options.device) if trained else None,
            progress=lambda done, total: progress.items("Exporting", done, total),
            on_error=failed,
        )
    for path in written:
        print(path)
    return 2 if errors else 0
