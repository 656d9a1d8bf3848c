"""Planes too large to be held: read and brought to the working scale a few lines at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pccs.data.normalise import ENOUGH, Statistics, match_channels, normalise
from pccs.data.resize import across, down, reach
from pccs.images import SourceInfo, read_region

LARGE = 2**26
"""Pixels of a plane from which on it is never read as a whole."""
_BAND = 2**24
"""Pixels that are read at once, about."""
_BLOCK = 2**21
"""Pixels that are worked on at once: as numbers of four bytes they are copied several times."""
_PATCHES, _PATCH = 5, 512
"""Places along each side, and their size, that intensities of a large plane are measured at."""


def is_large(info: SourceInfo) -> bool:
    """Whether a plane is read in bands."""
    return prod(info.plane_shape) > LARGE


def sampled(info: SourceInfo, indices: Sequence[int]) -> list[NDArray[np.generic]]:
    """Pixels ``(n, 1, C)`` of some planes, as many as are needed to measure their intensities.

    Of a large plane those of pieces that are spread over it, of others evenly spaced ones: those that
    measuring the planes themselves would take.
    """
    if is_large(info):
        down, right = (_places(n) for n in info.plane_shape)
        return [_column(read_region(info, i, r, c)) for i in indices for r in down for c in right]
    size = prod(info.plane_shape)
    step, found = max(1, len(indices) * size // ENOUGH), []
    for index in indices:
        for rows in _bands(info, slice(0, info.plane_shape[0])):
            ahead = -(rows.start * info.plane_shape[1]) % step
            found.append(_column(read_region(info, index, rows, slice(None)))[ahead::step].copy())
    return found


def _column(block: NDArray[np.generic]) -> NDArray[np.generic]:
    return block.reshape(-1, 1, block.shape[-1])


def _places(length: int) -> list[slice]:
    side = min(_PATCH, length)
    starts = sorted({round(k) for k in np.linspace(0, length - side, _PATCHES)})
    return [slice(start, start + side) for start in starts]


def _bands(info: SourceInfo, rows: slice) -> Iterator[slice]:
    """``rows`` of a plane, so many at a time as may be read at once."""
    yield from pieces(rows, max(1, _BAND // info.plane_shape[1]))


def pieces(rows: slice, most: int) -> Iterator[slice]:
    """``rows``, ``most`` at a time."""
    for first in range(rows.start, rows.stop, most):
        yield slice(first, min(first + most, rows.stop))


@dataclass(frozen=True)
class Plane:
    """A plane as the network takes it, of which what is asked for is read.

    Attributes
    ----------
    size
        ``(h, w)``, at the working scale.
    channels
        Of the network, which fit those of the image.
    """

    info: SourceInfo
    index: int
    size: tuple[int, int]
    statistics: Statistics
    channels: int

    def lines(self, wanted: slice) -> Tensor:
        """``[channels, lines, w]`` float32: what reading and resizing all of the plane gives there.

        Raises
        ------
        ImageError
            If the plane cannot be read.
        """
        height, width = self.info.plane_shape
        out = torch.empty(self.channels, wanted.stop - wanted.start, self.size[1])
        for part in pieces(wanted, max(1, int(_BAND / width / (height / self.size[0])))):
            at = slice(part.start - wanted.start, part.stop - wanted.start)
            if self.size[0] == height:
                self._narrow(part, out[:, at])
                continue
            found = reach(height, self.size[0], part)
            rows = torch.empty(self.channels, found.rows.stop - found.rows.start, self.size[1])
            self._narrow(found.rows, rows)
            out[:, at] = down(rows, found)
        return out

    def _narrow(self, rows: slice, out: Tensor) -> None:
        """Read ``rows`` and put them into ``out``, normalised and as wide as is wanted."""
        width = self.info.plane_shape[1]
        stored = read_region(self.info, self.index, rows, slice(0, width))
        for part in pieces(slice(0, len(stored)), max(1, _BLOCK // width)):
            fitted = match_channels(normalise(stored[part], self.statistics), self.channels)
            assert fitted is not None
            out[:, part] = across(torch.from_numpy(np.ascontiguousarray(fitted)), self.size[1])


class Planes:
    """An item as the network takes it, with the slices beside it: what is asked for is read."""

    def __init__(self, planes: Sequence[Plane]) -> None:
        self._planes = list(planes)
        self.size = planes[0].size

    def lines(self, rows: slice) -> Tensor:
        """``[channels, lines, w]``."""
        found = [plane.lines(rows) for plane in self._planes]
        return found[0] if len(found) == 1 else torch.cat(found)
