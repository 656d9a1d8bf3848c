"""The working resolution of a project: one size in mm where images know their pixels, else one factor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pccs.config import DataSettings
from pccs.data.scale import scribbled_scale, working_scale
from pccs.images import SourceInfo
from pccs.images.physical import PixelSize, length_words, pixel_mm, pixel_words
from pccs.labels import to_targets
from pccs.nets.resolution import Resolution
from pccs.project import Project

_SAMPLE = 12
"""Annotated items looked at to choose the working scale."""


def choose_resolution(project: Project, settings: DataSettings) -> Resolution:
    """What suits the annotated objects of ``project``, or what ``settings`` say.

    Where images know the size of their pixels, the factor is that of a typical one among them.
    """
    pixel = typical_pixel(project) if settings.physical else None
    scale = choose_scale(project, pixel) if settings.scale == "auto" else float(settings.scale)
    return Resolution(scale, pixel)


def typical_pixel(project: Project) -> PixelSize | None:
    """Median height and width of the pixels of the images that know them, in mm; ``None`` where none does."""
    known = [size for source in project.sources.values() if (size := pixel_mm(source.info)) is not None]
    if not known:
        return None
    return float(np.median([size[0] for size in known])), float(np.median([size[1] for size in known]))


def choose_scale(project: Project, pixel: PixelSize | None = None) -> float:
    """Working scale that suits the annotated objects of ``project``.

    Parameters
    ----------
    pixel
        Size of the pixels that the scale is a factor of; ``None``: every image's own.
    """
    sides = [max(_sides(source.info, pixel)) for source in project.sources.values()]
    side = int(np.median(sides))
    names = project.annotated_items()
    complete = _sample_targets(project, [n for n in names if project.is_complete(n)], pixel)
    if not complete:
        strokes = _sample_targets(project, names, pixel)
        guessed = scribbled_scale(side, strokes, len(project.classes))
        if guessed is not None:
            return guessed
    return working_scale(side, complete, len(project.classes))


def _sides(info: SourceInfo, pixel: PixelSize | None) -> tuple[float, float]:
    """Height and width of an image in pixels of that size."""
    height, width = info.plane_shape
    rows, cols = Resolution(1.0, pixel).ratios(info.plane_shape, pixel_mm(info)) or (1.0, 1.0)
    return height * rows, width * cols


def _sample_targets(
    project: Project, names: Sequence[str], pixel: PixelSize | None
) -> list[NDArray[np.uint8]]:
    """Targets of some of ``names``, spread evenly, in pixels of that size."""
    picked = [names[i] for i in np.linspace(0, len(names) - 1, min(len(names), _SAMPLE)).astype(int)]
    return [_target(project, name, pixel) for name in picked]


def _target(project: Project, name: str, pixel: PixelSize | None) -> NDArray[np.uint8]:
    target = to_targets(project.annotation(name), project.classes, complete=project.is_complete(name))
    info = project.sources[project.item(name).stem].info
    sides = [max(1, round(side)) for side in _sides(info, pixel)]
    rows, cols = (
        ((np.arange(side) + 0.5) * length / side).astype(int)
        for side, length in zip(sides, target.shape, strict=True)
    )
    return target if sides == list(target.shape) else target[np.ix_(rows, cols)]


# ------------------------------------------------------------------------ in words


def resolution_words(project: Project, resolution: Resolution) -> str:
    """Sentences about images of several pixel sizes, and those that know none; ``""`` if all are alike."""
    if resolution.pixel_mm is None or resolution.working_mm is None:
        return ""
    known: list[float] = []
    unknown: list[str] = []
    wrong: list[str] = []
    for stem, source in project.sources.items():
        size = pixel_mm(source.info)
        if size is None:
            unknown.append(stem)
        elif resolution.ratios(source.info.plane_shape, size) is None:
            wrong.append(stem)
        else:
            known.append((size[0] * size[1]) ** 0.5)
    assumed = f"{pixel_words(resolution.pixel_mm)} is assumed, as is typical."
    told = [_sizes_words(known, resolution.working_mm)]
    if unknown:
        told.append(f"{_named(unknown)} without a pixel size: {assumed}")
    if wrong:
        told.append(f"{_named(wrong)} with a pixel size that cannot be right beside the others: {assumed}")
    return " ".join(filter(None, told))


def _sizes_words(known: Sequence[float], working: PixelSize) -> str:
    if not known or max(known) <= 1.01 * min(known):
        return ""
    ends = f"from {length_words(min(known))} to {length_words(max(known))}"
    return f"Images have pixels {ends}; the network sees all of them with pixels of {pixel_words(working)}."


def _named(stems: Sequence[str]) -> str:
    return f"{stems[0]} comes" if len(stems) == 1 else f"{len(stems):,} images come"
