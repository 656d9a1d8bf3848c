"""Make a project from images, and perhaps from masks of some of them.

Images stay where they are and are never changed. An item is one 2D plane: STEM for a 2D image,
STEM:INDEX for a slice of a stack (from 0)."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pccs.cli.new_masks import take_masks
from pccs.cli.options import add_pixel, many, read_classes
from pccs.errors import ConfigError, ProjectError
from pccs.images import find_images, parse_channels, parse_pixel, parse_window
from pccs.project import Project

NAME, SUMMARY = "new", "make a project from images (and masks)"
EPILOG = """\
examples:
  pccs new cells.pccs images/
  pccs new cells.pccs images/ --masks masks/ --annotate 5
  pccs new heart.pccs scan.nii.gz --masks labels/ --annotate scan:3,scan:12 --classes classes.json"""

_KINDS = 8
"""Kinds of images that are described, most frequent first."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``pccs new``."""
    add = parser.add_argument
    add("project", metavar="PROJECT", type=Path, help="folder to make, such as cells.pccs; must not exist")
    add("images", metavar="IMAGE_OR_FOLDER", nargs="+", type=Path, help="images, or folders of images")
    add(
        "--classes",
        metavar="FILE.json",
        type=Path,
        help='mask value to name: {"0": "background", "1": "cell"}',
    )
    add(
        "--masks",
        metavar="FOLDER_OR_FILE",
        type=Path,
        help="full masks with the stems of the images: label images, colours, one file a class, COCO JSON, "
        "GeoJSON, ImageJ ROIs, OME-Zarr labels",
    )
    add(
        "--annotate",
        metavar="all|N|STEM,STEM,...",
        help="whose masks enter the project: all (default), N spread over the data, or these items",
    )
    add("--partial", action="store_true", help="0 in the masks means unknown rather than background")
    add("--instances", action="store_true", help="masks number their objects: all of them are one class")
    add("--boundary", action="store_true", help="the same, and the edges of the objects are a class")
    add(
        "--channels",
        metavar="0,2,…",
        default="",
        help="channels to use, counted from 0, in this order (all)",
    )
    add(
        "--window",
        metavar="CENTER,WIDTH|LOW:HIGH",
        default="",
        help="values that matter, such as 40,400 in CT; what lies beyond is cut off (measured)",
    )
    add_pixel(parser)
    add(
        "--axes",
        metavar="LETTERS",
        help="meaning of the stored axes, from TZCYXS, where the file does not say",
    )


def run(options: argparse.Namespace) -> int:
    """Make the project; nothing is left behind when something is wrong."""
    if options.project.exists():
        raise ProjectError("it exists already", path=options.project, remedy="Choose another name")
    about_masks = options.annotate or options.partial or options.instances or options.boundary
    if options.masks is None and about_masks:
        raise ConfigError(
            "--annotate, --partial, --instances and --boundary say something about masks",
            remedy="Give --masks too",
        )
    files = find_images(options.images)
    classes = read_classes(options.classes) if options.classes else None
    with _removed_on_failure(options.project), Project.create(options.project, classes) as project:
        _add_sources(project, files, options)
        annotated = take_masks(project, options, known=classes is not None) if options.masks else []
        for line in describe(project, annotated, partial=options.partial):
            print(line)
    print(f"Next: pccs {'train' if annotated else 'suggest'} {options.project}")
    return 0


@contextmanager
def _removed_on_failure(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise


def _add_sources(project: Project, files: Sequence[Path], options: argparse.Namespace) -> None:
    axes = options.axes.upper() if options.axes else None
    channels, window = parse_channels(options.channels), parse_window(options.window)
    pixel = parse_pixel(options.pixel_size)
    with project.together():
        for file in files:
            source = project.add_source(file, axes=axes, channels=channels, window=window)
            if pixel is not None:
                project.set_pixel(source.stem, pixel)


# ------------------------------------------------------------------- what was made


def describe(project: Project, annotated: Sequence[str], *, partial: bool = False) -> Iterator[str]:
    """What was understood of the sources, and what the project holds, a line each."""
    kinds: dict[str, list[str]] = {}
    for stem, source in project.sources.items():
        kinds.setdefault(source.info.describe(), []).append(stem)
    common = sorted(kinds.items(), key=lambda kind: -len(kind[1]))
    for kind, stems in common[:_KINDS]:
        names = ", ".join(stems[:3]) + (f", … ({len(stems)} files)" if len(stems) > 3 else "")
        yield f"{names}: {kind}"
    if rest := common[_KINDS:]:
        files = many(sum(len(stems) for _, stems in rest), "file")
        yield f"… and {files} of {len(rest)} other shapes or kinds"
    classes = ", ".join(f"{c.name} ({c.export})" for c in project.classes)
    yield f"{many(len(project.items), 'item')}; classes: {classes}"
    how = "partial: 0 is unknown" if partial else "complete"
    names = ", ".join(annotated[:5]) + (", …" if len(annotated) > 5 else "")
    yield f"annotated: {len(annotated)}" + (f" ({how}): {names}" if annotated else "")
