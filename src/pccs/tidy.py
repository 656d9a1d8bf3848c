"""Tidying a prediction: pure functions on one plane of class values, for exports and for their preview.

Every choice is off unless asked for, and all of them are written down with the export. They change what
the model says, never what a person painted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import measure, morphology, segmentation

from pccs.errors import ConfigError
from pccs.labels import LabelClass, Raster

_segmentation: Any = segmentation  # scikit-image is only partly typed
_morphology: Any = morphology
_measure: Any = measure
_NEIGHBOURS = np.ones((3, 3), bool)


@dataclass(frozen=True)
class Cleaning:
    """What is done to each plane, in this order.

    Attributes
    ----------
    smooth
        Radius in pixels: objects are opened and closed by a disk. 0 leaves them alone.
    fill_holes
        Holes of at most so many pixels, of any other class, become the class around them. 0 fills none.
    split
        Touching objects are separated by a line of the first class, one pixel wide, along the watershed of
        their distance maps; a number of pixels: a waist counts when it is narrower by as much on each side.
        0 splits none.
    smallest
        Objects of fewer pixels go to the first class. 0 keeps all.
    keep_largest
        Of each class only its largest object stays.
    """

    smooth: int = 0
    fill_holes: int = 0
    split: int = 0
    smallest: int = 0
    keep_largest: bool = False

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value < 0:
                raise ConfigError(f"{name.replace('_', ' ')} cannot be {value}", allowed="0 (off), or more")

    @property
    def is_on(self) -> bool:
        """Whether anything is done at all."""
        return any(asdict(self).values())


def clean(values: Raster, classes: Sequence[LabelClass], cleaning: Cleaning) -> Raster:
    """A plane of class values, tidied; the same array when nothing is asked for.

    Parameters
    ----------
    values
        ``(H, W)`` class values.
    classes
        The first is the background, which has no objects.
    """
    if not cleaning.is_on:
        return values
    result = values.copy()
    first = np.uint8(classes[0].value)
    for one in classes[1:]:
        mask = result == one.value
        tidy = _tidied(mask, (result != first) & ~mask, cleaning)
        result[mask & ~tidy] = first
        result[tidy & ~mask] = one.value
    return result


def _tidied(mask: NDArray[np.bool_], others: NDArray[np.bool_], cleaning: Cleaning) -> NDArray[np.bool_]:
    if not mask.any():
        return mask
    if cleaning.smooth:
        mask = smoothed(mask, cleaning.smooth)
    if cleaning.fill_holes:
        mask = filled(mask, cleaning.fill_holes)
    if cleaning.split:
        mask = split(mask, cleaning.split, others)
    if cleaning.smallest or cleaning.keep_largest:
        mask = sifted(mask, cleaning.smallest, largest=cleaning.keep_largest)
    return mask


def connected(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Objects of a mask, numbered from 1; pixels that touch by a corner belong together."""
    labels: NDArray[np.int64] = _measure.label(mask, connectivity=2)
    return labels


def smoothed(mask: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """Opened, then closed by a disk; beyond the border the image goes on as it ends."""
    disk = _morphology.disk(radius)
    wide = np.pad(mask, 2 * radius, mode="edge")
    opened = ndimage.binary_opening(wide, disk)
    closed: NDArray[np.bool_] = ndimage.binary_closing(opened, disk)
    return closed[2 * radius : -2 * radius, 2 * radius : -2 * radius]


def filled(mask: NDArray[np.bool_], largest: int) -> NDArray[np.bool_]:
    """Holes of at most ``largest`` pixels filled. A gap that reaches the border of the image is no hole."""
    gaps, _ = ndimage.label(~mask)
    sizes = np.bincount(gaps.ravel())
    hole = sizes <= largest
    hole[0] = False
    hole[np.concatenate([gaps[0], gaps[-1], gaps[:, 0], gaps[:, -1]])] = False
    full: NDArray[np.bool_] = mask | hole[gaps]
    return full


def sifted(mask: NDArray[np.bool_], smallest: int, *, largest: bool) -> NDArray[np.bool_]:
    """Without objects below ``smallest`` pixels; with ``largest`` only the largest (the first of equals)."""
    objects = connected(mask)
    sizes = np.bincount(objects.ravel())
    sizes[0] = 0
    keep = sizes >= max(smallest, 1)
    if largest:
        keep &= np.arange(len(sizes)) == sizes.argmax()
    return keep[objects]


def split(mask: NDArray[np.bool_], depth: int, others: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
    """Touching objects separated by lines one pixel wide.

    The distance to the outside has a summit in each object; two summits are told apart when the way
    between them goes down by at least ``depth`` pixels. What lies within an object and belongs to ``others``,
    other classes, is no outside: the body of a cell is not a ring of many pieces around its nucleus.
    """
    solid = mask if others is None else mask | enclosed(mask, others)
    distance = ndimage.distance_transform_edt(np.pad(solid, 1))[1:-1, 1:-1]
    summits, count = ndimage.label(_morphology.h_maxima(distance, depth) > 0, _NEIGHBOURS)
    if count < 2:
        return mask
    basins = _segmentation.watershed(
        -distance, summits, connectivity=_NEIGHBOURS, mask=solid, watershed_line=True
    )
    objects = connected(solid)
    flat = np.ones(objects.max() + 1, bool)  # objects too low for a summit have no basin, and stay
    flat[objects[summits > 0]] = False
    apart: NDArray[np.bool_] = mask & ((basins > 0) | flat[objects])
    return apart


def enclosed(mask: NDArray[np.bool_], others: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Holes of a mask that are ``others`` through and through, and do not reach the border of the image."""
    gaps, _ = ndimage.label(~mask)
    full = np.ones(gaps.max() + 1, bool)
    full[gaps[~mask & ~others]] = False
    full[np.concatenate([gaps[0], gaps[-1], gaps[:, 0], gaps[:, -1]])] = False
    full[0] = False
    inside: NDArray[np.bool_] = full[gaps]
    return inside
