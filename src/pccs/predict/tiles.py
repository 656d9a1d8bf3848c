"""A network on an image of any size: whole when it is small, in tiles when it is not.

The tiles of a large image are seen by one and the same network: its normalisation is settled once by pieces
of the image (:mod:`pccs.nets.settled`). Each tile brings a margin that is looked at and thrown away, so that
its inside sees what it would see in the whole. Nothing has to be blended: every pixel is written once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pccs.nets.runtime import to_device
from pccs.nets.settled import settle
from pccs.nets.unet import DEEPEST, SegmentationNet

WHOLE = 1024 * 1024
"""Images up to so many pixels go through in one piece."""
TILE = 848
"""Side of a tile, its margin included: larger ones cost more a pixel, as caches no longer help."""
MARGIN = 96
"""Pixels on every side of a tile that are looked at and thrown away. The network sees 128 pixels far; of a
trained one, what lies beyond 96 changes no probability by more than 0.001 (``benchmarks.tiled``)."""
SMALLER = (512, 256, 128)
"""Sides of tiles tried one after the other when memory runs out; small images are cut up then too."""
PIECE, PIECES = 256, 3
"""Side of the pieces that settle the normalisation, and how many there are at most along each side of the
image; together they are not more than a tile."""


@dataclass(frozen=True)
class Side:
    """One side of a tile: ``seen`` is looked at, ``kept`` of it is written (both in pixels of the image)."""

    seen: slice
    kept: slice

    @property
    def inner(self) -> slice:
        """``kept``, counted from the beginning of ``seen``."""
        return slice(self.kept.start - self.seen.start, self.kept.stop - self.seen.start)


def sides_of(length: int, tile: int, margin: int) -> list[Side]:
    """Tiles along a side of ``length`` pixels; all are multiples of 16.

    >>> [(one.seen, one.kept) for one in sides_of(160, 96, 16)]
    [(slice(0, 96, None), slice(0, 80, None)), (slice(64, 160, None), slice(80, 160, None))]
    """
    between = length - 2 * margin  # the first and the last keep a margin more: the image ends there
    count = math.ceil(between / (tile - 2 * margin))
    if length <= tile or count < 2:
        return [Side(slice(0, length), slice(0, length))]
    step = math.ceil(between / count / DEEPEST) * DEEPEST
    ends = [0, *(margin + step * k for k in range(1, count)), length]
    return [
        Side(slice(max(0, start - margin), min(length, stop + margin)), slice(start, stop))
        for start, stop in pairwise(ends)
    ]


class Picture(Protocol):
    """An image at the working scale, whether it lies in memory or is read when it is looked at."""

    @property
    def size(self) -> tuple[int, int]:
        """``(h, w)``."""
        ...

    def lines(self, rows: slice) -> Tensor:
        """``[channels, rows, w]`` float32."""
        ...


@dataclass(frozen=True)
class Held:
    """A picture in memory, ``[channels, h, w]``."""

    image: Tensor

    @property
    def size(self) -> tuple[int, int]:
        """``(h, w)``."""
        return self.image.shape[-2], self.image.shape[-1]

    def lines(self, rows: slice) -> Tensor:
        """``[channels, rows, w]``."""
        return self.image[:, rows]


class Padded:
    """A picture as the network takes it: sides grown to multiples of 16, edge pixels repeated; on ``device``.

    ``size`` is the one it has grown to; without ``device`` it stays where it is.
    """

    def __init__(self, picture: Picture, device: torch.device | None = None) -> None:
        self._picture, self._device = picture, device
        height, width = picture.size
        self.size = height + -height % DEEPEST, width + -width % DEEPEST

    def rows(self, rows: slice) -> Tensor:
        """``[1, channels, rows, W]``; at least one of them lies in the picture."""
        height = self._picture.size[0]
        found = self._picture.lines(slice(rows.start, min(rows.stop, height)))[None]
        if self._device is not None:
            found = to_device(found, self._device)
        bottom = max(0, rows.stop - height)
        right = self.size[1] - found.shape[-1]
        return F.pad(found, (0, right, 0, bottom), mode="replicate") if bottom or right else found

    def whole(self) -> Tensor:
        """``[1, channels, H, W]``."""
        return self.rows(slice(0, self.size[0]))


def fits(size: tuple[int, int], side: int | None = None) -> bool:
    """Whether an image of ``size`` goes through in one piece; no side may be above ``side`` on average."""
    return math.prod(size) <= (WHOLE if side is None else side * side)


def pieces_of(picture: Padded, tile: int | None = None) -> Tensor:
    """Pieces ``[B, channels, side, side]`` of a picture, spread evenly; a tile at most."""
    tile = tile or TILE
    side = min(PIECE, tile // 2 // DEEPEST * DEEPEST)
    count = min(PIECES, tile // side)
    height, width = picture.size
    high, wide = (min(side, n // DEEPEST * DEEPEST) for n in (height, width))
    rows = (picture.rows(slice(r, r + high)) for r in _spread(height, high, count))
    return torch.cat([row[..., c : c + wide] for row in rows for c in _spread(width, wide, count)])


def _spread(length: int, side: int, count: int) -> list[int]:
    """Where pieces begin: in the middle of equal parts, as far as they have room."""
    count = max(1, min(count, length // side))
    return [round((length * (2 * k + 1) / count - side) / 2) for k in range(count)]


def _measures(side: int | None) -> tuple[int, int]:
    tile = side or TILE
    return tile, min(MARGIN, tile // 4 // DEEPEST * DEEPEST)


def rows_of_tiles(height: int) -> list[slice]:
    """The rows of pixels that each row of tiles gives, of an image that is so high."""
    return [one.kept for one in sides_of(height + -height % DEEPEST, *_measures(None))]


@torch.no_grad()
def forward_tiled(
    net: nn.Module, x: Tensor, between: Callable[[], None] | None = None, *, side: int | None = None
) -> Tensor:
    """Logits ``[1, C, H, W]`` of ``x [1, channels, H, W]``; of large images by tiles.

    ``between`` is called before each tile and may raise to give up. With ``side`` no more than that many
    pixels a side go through at once. Evaluation mode is the caller's matter (the network has no layer that
    depends on it).
    """
    (height, width), padded = x.shape[-2:], Padded(Held(x[0]))
    if fits(padded.size, side):
        logits: Tensor = net(padded.whole())[0]
        return logits[..., :height, :width]
    found: Tensor | None = None
    for rows, cols, part in tiles(net, padded, between, side=side):
        if found is None:
            found = part.new_empty((1, part.shape[1], *padded.size))
        found[..., rows, cols] = part
    assert found is not None
    return found[..., :height, :width]


def settled(net: nn.Module, picture: Padded, side: int | None = None) -> nn.Module:
    """``net`` as all tiles of the picture are seen by; ``side`` as for :func:`forward_tiled`."""
    return settle(net, pieces_of(picture, _measures(side)[0])) if isinstance(net, SegmentationNet) else net


@torch.no_grad()
def tiles(
    net: nn.Module,
    picture: Padded,
    between: Callable[[], None] | None = None,
    *,
    side: int | None = None,
) -> Iterator[tuple[slice, slice, Tensor]]:
    """Rows, columns and logits ``[1, C, h, w]`` of every tile, row by row.

    ``between`` and ``side`` are as for :func:`forward_tiled`.
    """
    if between is not None:
        between()
    seeing = settled(net, picture, side)
    for row in range(len(sides_of(picture.size[0], *_measures(side)))):
        yield from row_of_tiles(seeing, picture, row, between, side=side)


@torch.no_grad()
def row_of_tiles(
    seeing: nn.Module,
    picture: Padded,
    row: int,
    between: Callable[[], None] | None = None,
    *,
    side: int | None = None,
) -> Iterator[tuple[slice, slice, Tensor]]:
    """What :func:`tiles` gives of one row of them, counted from 0, by a network that is settled already."""
    tile, margin = _measures(side)
    rows = sides_of(picture.size[0], tile, margin)[row]
    x = picture.rows(rows.seen)
    for cols in sides_of(picture.size[1], tile, margin):
        if between is not None:
            between()
        logits: Tensor = seeing(x[..., cols.seen])[0]
        yield rows.kept, cols.kept, logits[..., rows.inner, cols.inner]
