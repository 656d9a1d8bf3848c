"""Export what a project holds: masks, annotations, maps, measurements, the model, a report.

Masks are the final result: complete items as they were painted, of all others the prediction with
the paint on top. (`pccs segment` writes what the model says, whatever is painted.)
OUT/export.json says how they were made."""

from __future__ import annotations

import argparse

from pccs.cli.options import add_device, add_memory, add_out, add_project, reading
from pccs.cli.progress import Progress
from pccs.errors import PccsError

NAME, SUMMARY = "export", "export masks, maps, measurements, the model, a report"
PARTS = "masks, annotations, uncertainty, probabilities, model, onnx, bioimageio, measurements, report"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``pccs export``."""
    add_project(parser)
    add_out(parser)
    parser.add_argument("--what", default="masks", metavar="PART,PART,...", help=f"of {PARTS} (masks)")
    parser.add_argument(
        "--maps",
        default="float32",
        metavar="TYPE",
        help="of uncertainty and probabilities: float32 (default), uint16 or uint8, whose largest value is 1",
    )
    parser.add_argument("--table", default="csv", metavar="NAME", help="measurements as csv or parquet (csv)")
    _add_cleaning(parser)
    add_device(parser)
    add_memory(parser)


def _add_cleaning(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "tidying", "done, in this order, to what the model says; what was painted stays as it is"
    )
    group.add_argument(
        "--smooth", type=int, default=0, metavar="R", help="open and close outlines by a disk of R pixels"
    )
    group.add_argument(
        "--fill-holes", type=int, default=0, metavar="N", help="fill holes of at most N pixels"
    )
    group.add_argument(
        "--split", type=int, default=0, metavar="D",
        help="split touching objects at waists D pixels or more narrower than they are (watershed)",
    )  # fmt: skip
    group.add_argument(
        "--smallest", type=int, default=0, metavar="N", help="remove objects of fewer than N pixels"
    )
    group.add_argument(
        "--keep-largest", action="store_true", help="keep only the largest object of each class"
    )


def run(options: argparse.Namespace) -> int:
    """Write the parts asked for, and name the files and folders."""
    what = [part.strip() for part in options.what.split(",") if part.strip()]
    errors: list[PccsError] = []
    with reading(options.project) as project, Progress() as progress:
        from pccs.export import Cleaning, export_project
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
            maps=options.maps,
            table=options.table,
            cleaning=Cleaning(
                options.smooth, options.fill_holes, options.split, options.smallest, options.keep_largest
            ),
            predictor=Predictor.load(project, device=options.device) if trained else None,
            progress=lambda done, total: progress.items("Exporting", done, total),
            on_error=failed,
            memory=options.memory,
        )
    for path in written:
        print(path)
    return 2 if errors else 0
