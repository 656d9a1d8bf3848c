"""Compare masks with the truth: Dice, IoU, HD95, ASSD, calibration.

OUT_OR_PROJECT is a folder written by `pccs segment`, or a project, which is segmented first.
Means are over sources; a stack counts as one. Distances are in the masks' spacing where the files
say it, else in pixels."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pccs.cli.options import add_device, figure, many, read_classes, reading
from pccs.cli.progress import Progress
from pccs.errors import MaskError
from pccs.images import files_by_stem

NAME, SUMMARY = "evaluate", "compare masks with the truth"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``pccs evaluate``."""
    add = parser.add_argument
    add("place", metavar="OUT_OR_PROJECT", type=Path, help="folder written by 'pccs segment', or a project")
    add("--truth", metavar="FOLDER", type=Path, required=True, help="full masks with the stems of the images")
    add("--group", metavar="REGEX", help=r"pool sources with the same first group, e.g. '(patient\d+)'")
    add("--classes", metavar="FILE.json", type=Path, help="mask value to name (OUT/classes.json)")
    add("--json", action="store_true", help="print one JSON object")
    add("--per-image", action="store_true", help="a row for each source (or group) too")
    add_device(parser)


def run(options: argparse.Namespace) -> int:
    """Print the figures."""
    if (options.place / "project.json").is_file():
        with tempfile.TemporaryDirectory(prefix="pccs-") as folder:
            _segment(options, Path(folder))
            found = _evaluate(options, Path(folder))
    else:
        found = _evaluate(options, options.place)
    if options.json:
        print(json.dumps(found, indent=1, allow_nan=False))
    else:
        for line in table(found):
            print(line)
    return 0


def _evaluate(options: argparse.Namespace, out: Path) -> dict[str, Any]:
    from pccs.metrics import evaluate_folder

    if not (out / "masks").is_dir():
        raise MaskError(
            "there is no folder 'masks' in it",
            path=out,
            allowed="a folder written by 'pccs segment', or a project",
        )
    file = options.classes or out / "classes.json"
    if not file.exists() and not options.classes:
        raise MaskError("there is no classes.json in it", path=out, remedy="Name the classes with --classes")
    classes = read_classes(file)
    return evaluate_folder(out, options.truth, classes, group=options.group, per_image=options.per_image)


def _segment(options: argparse.Namespace, folder: Path) -> None:
    """Segment the sources of a project that have a truth."""
    with reading(options.place) as project, Progress() as progress:
        if not options.truth.is_dir():
            raise MaskError("there is no such folder", path=options.truth, remedy="Check the name for a slip")
        truths = files_by_stem(options.truth)
        items = [item for item in project.items if item.stem in truths]
        if not items:
            raise MaskError(
                "no truth has the stem of an image of the project",
                path=options.truth,
                allowed=f"stems such as {project.items[0].stem!r}",
            )
        from pccs.export import segment_to_folder
        from pccs.predict import Predictor

        segment_to_folder(
            project,
            Predictor.load(project, device=options.device),
            folder,
            items=items,
            probabilities=True,
            progress=lambda done, total: progress.items("Segmenting", done, total),
            on_error=lambda error: progress.note(f"pccs: {error}"),
        )


def table(found: Mapping[str, Any]) -> Iterator[str]:
    """The figures as lines a person reads."""
    width = max([len("class"), *map(len, found["per_class"])])
    heads = "".join(head.rjust(9) for head in ("Dice", "IoU", "HD95", "ASSD", "n"))
    yield "class".ljust(width) + heads
    for name, row in found["per_class"].items():
        figures = "".join(figure(row[key]).rjust(9) for key in ("dice", "iou", "hd95", "assd"))
        yield name.ljust(width) + figures + str(row["n"]).rjust(9)
    calibration = f"; calibration error {found['ece']:.4f}" if "ece" in found else ""
    mean = figure(found["mean_dice"])
    yield f"mean Dice without background {mean} over {many(found['n_images'], 'image')}{calibration}"
    if found["missing"]:
        names = ", ".join(found["missing"][:5]) + (", …" if len(found["missing"]) > 5 else "")
        yield f"{len(found['missing'])} truths without a mask: {names}"
    for row in found.get("per_image", []):
        dice = ", ".join(f"{name} {figure(r['dice'])}" for name, r in row["per_class"].items())
        yield f"{row['name']}: {dice}"
