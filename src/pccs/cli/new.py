"""Make a project from images, and perhaps from masks of some of them.

Images stay where they are and are never changed. An item is one 2D plane: STEM for a 2D image,
STEM:INDEX for a slice of a stack (from 0)."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from pccs.cli.options import many, read_classes
from pccs.cli.progress import Progress
from pccs.errors import ConfigError, MaskError, ProjectError
from pccs.images import find_images, read_mask
from pccs.labels import LabelClass, classes_from_table
from pccs.project import Item, Project
from pccs.project.mask_import import find_masks
from pccs.project.selection import spread

NAME, SUMMARY = "new", "make a project from images (and masks)"
EPILOG = """\
examples:
  pccs new cells.pccs images/
  pccs new cells.pccs images/ --masks masks/ --annotate 5
  pccs new heart.pccs scan.nii.gz --masks labels/ --annotate scan:3,scan:12 --classes classes.json"""

_MOST_VALUES = 32
"""More values than this in the masks are instance numbers or grey levels, not classes."""
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
    add("--masks", metavar="FOLDER", type=Path, help="full masks with the stems of the images")
    add(
        "--annotate",
        metavar="all|N|STEM,STEM,...",
        help="whose masks enter the project: all (default), N spread over the data, or these items",
    )
    add("--partial", action="store_true", help="0 in the masks means unknown rather than background")
    add(
        "--axes",
        metavar="LETTERS",
        help="meaning of the stored axes, from TZCYXS, where the file does not say",
    )


def run(options: argparse.Namespace) -> int:
    """Make the project; nothing is left behind when something is wrong."""
    if options.project.exists():
        raise ProjectError("it exists already", path=options.project, remedy="Choose another name")
    if options.masks is None and (options.annotate or options.partial):
        raise ConfigError("--annotate and --partial say something about masks", remedy="Give --masks too")
    files = find_images(options.images)
    classes = read_classes(options.classes) if options.classes else None
    with _removed_on_failure(options.project), Project.create(options.project, classes) as project:
        _add_sources(project, files, options.axes)
        annotated = _import(project, options, known=classes is not None) if options.masks else []
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


def _add_sources(project: Project, files: Sequence[Path], axes: str | None) -> None:
    if axes is None:
        project.add_sources(files)
    else:
        for file in files:
            project.add_source(file, axes=axes.upper())


# ------------------------------------------------------------------------- masks


def _import(project: Project, options: argparse.Namespace, *, known: bool) -> list[str]:
    found = _found(project, options.masks)
    chosen = _chosen(project, options.annotate or "all", found)
    if not known:
        project.set_classes(_classes_in(project, found))
    return project.import_masks(options.masks, chosen, complete=not options.partial)


def _found(project: Project, place: Path) -> dict[str, list[Path]]:
    """Masks by stem. Masks that lie among the images, as ``STEM_mask``, are taken out of the images."""
    found = find_masks(place, project.sources.values())
    stem_at = {source.info.path: stem for stem, source in project.sources.items()}
    masks = {stem_at[path] for paths in found.values() for path in paths if path in stem_at}
    if not masks:
        return found
    for stem in masks:
        project.remove_source(stem)
    print(f"{many(len(masks), 'file')} among the images are masks, and are used as such")
    return find_masks(place, project.sources.values())


def _chosen(project: Project, spec: str, found: dict[str, list[Path]]) -> list[Item]:
    masked = [item for item in project.items if item.stem in found]
    if spec == "all":
        return masked
    if spec.isdecimal() and spec not in project.sources:
        return spread(masked, int(spec))
    asked = project.select(spec)
    without = sorted({item.stem for item in asked if item.stem not in found})
    if without:
        raise MaskError(
            f"there is no mask for {', '.join(map(repr, without))}",
            remedy="Leave it out of --annotate, or add a file of that stem to the masks",
        )
    return asked


def _classes_in(project: Project, found: dict[str, list[Path]]) -> tuple[LabelClass, ...]:
    """Classes named after the values in the masks of all images, chosen or not."""
    values: set[int] = set()
    kinds: set[frozenset[int]] = set()
    with Progress() as progress:
        for number, (stem, paths) in enumerate(found.items()):
            progress.items("Reading masks:", number, len(found))
            for path in paths:
                kinds.add(_values_in(path, project, stem))
                values = values.union(*kinds)
            if len(values) > _MOST_VALUES:
                raise MaskError(
                    f"the masks hold over {_MOST_VALUES} values: numbers of objects or greys, not classes",
                    path=path,
                    remedy="Give each class one number, and name them with --classes",
                )
    if values - {0} == {1, 255} and not any({1, 255} <= kind for kind in kinds):
        values.discard(255)  # some masks are black and white, the others 0 and 1: one class
    foreground = sorted(values - {0})
    if len(foreground) == 1:
        return classes_from_table({0: "background", foreground[0]: "object"})
    return classes_from_table({0: "background", **{value: f"class {value}" for value in foreground}})


def _values_in(path: Path, project: Project, stem: str) -> frozenset[int]:
    try:
        values = np.unique(read_mask(path, project.sources[stem].info))
    except MaskError:
        return frozenset()  # one that does not fit is refused when it is chosen, and only then
    if values.size and values[0] < 0:
        raise MaskError(f"the mask holds the value {values[0]}", path=path, allowed="whole numbers from 0")
    return frozenset(int(value) for value in values)


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
