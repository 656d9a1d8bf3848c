"""Planes too large to be held at their own size: read and made smaller band by band."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, floor
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from pccs.data.normalise import Statistics, match_channels, normalise
from pccs.images import SourceInfo, read_region

LARGE = 2**26
"""Pixels of a plane from which on it is read in bands, where it is made smaller anyway."""
_BAND = 2**24
"""Pixels of a band, about."""
_PATCHES, _PATCH = 5, 512
"""Places along each side, and their size, that intensities of a large plane are measured at."""


def is_large(info: SourceInfo, size: tuple[int, int]) -> bool:
    """Whether a plane that is wanted at ``size`` is read in bands."""
    height, width = info.plane_shape
    return height * width > LARGE and size[0] < height


def patches(info: SourceInfo, index: int) -> list[NDArray[np.generic]]:
    """Pieces ``(h, w, C)`` of a plane, spread over it, to measure its intensities on."""
    rows, cols = (_places(n) for n in info.plane_shape)
    return [read_region(info, index, r, c) for r in rows for c in cols]


def _places(length: int) -> list[slice]:
    side = min(_PATCH, length)
    starts = sorted({round(k) for k in np.linspace(0, length - side, _PATCHES)})
    return [slice(start, start + side) for start in starts]


class Band(NamedTuple):
    """Rows to read, the rows of the smaller plane that they give, and by which weights: ``[place, rows]``."""

    rows: slice
    place: slice
    weights: Tensor


def bands(shape: tuple[int, int], size: tuple[int, int]) -> Iterator[Band]:
    """Bands of a plane of ``shape`` that is made smaller to ``size``.

    The weights are those of torch's linear filter with antialiasing: a triangle, two smaller pixels wide.
    """
    factor = shape[0] / size[0]
    lines = max(1, int(_BAND / shape[1] / factor))
    for first in range(0, size[0], lines):
        place = slice(first, min(first + lines, size[0]))
        centres = (torch.arange(place.start, place.stop, dtype=torch.float64) + 0.5) * factor
        low = max(0, floor(float(centres[0]) - factor))
        high = min(shape[0], ceil(float(centres[-1]) + factor))
        away = torch.arange(low, high, dtype=torch.float64) + 0.5 - centres[:, None]
        weights = (1 - away.abs() / factor).clamp(min=0)
        yield Band(slice(low, high), place, (weights / weights.sum(1, keepdim=True)).float())


def shrink(block: Tensor, band: Band, width: int) -> Tensor:
    """``[C, rows, W]`` of a band to ``[C, place, width]``."""
    narrow = F.interpolate(block[None], size=(block.shape[1], width), mode="bilinear", antialias=True)[0]
    return band.weights @ narrow


def read_small(
    info: SourceInfo, index: int, size: tuple[int, int], statistics: Statistics, channels: int
) -> Tensor | None:
    """A plane normalised and at ``size`` (h, w), ``[channels, h, w]`` float32.

    It is what reading the whole plane and resizing it gives. ``None`` when its channels are not those the
    network takes.

    Raises
    ------
    ImageError
        If the plane cannot be read.
    """
    out = torch.empty(channels, *size)
    for band in bands(info.plane_shape, size):
        stored = read_region(info, index, band.rows, slice(0, info.plane_shape[1]))
        fitted = match_channels(normalise(stored, statistics), channels)
        if fitted is None:
            return None
        out[:, band.place] = shrink(torch.from_numpy(np.ascontiguousarray(fitted)), band, size[1])
    return out
