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

import torch
import torch.nn.functional as F
from torch import Tensor, nn

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


def pad_to_multiple(x: Tensor) -> tuple[Tensor, tuple[int, int]]:
    """``[B, C, H, W]`` with sides grown to multiples of 16 (edge pixels repeated); and the old size."""
    height, width = x.shape[-2:]
    bottom, right = -height % DEEPEST, -width % DEEPEST
    return F.pad(x, (0, right, 0, bottom), mode="replicate") if bottom or right else x, (height, width)


def fits(x: Tensor, side: int | None = None) -> bool:
    """Whether ``x [..., H, W]`` goes through in one piece; no side may be above ``side`` on average."""
    return x.shape[-2] * x.shape[-1] <= (WHOLE if side is None else side * side)


def pieces_of(x: Tensor, tile: int | None = None) -> Tensor:
    """Pieces ``[B, channels, side, side]`` of ``x [1, channels, H, W]``, spread evenly; a tile at most."""
    tile = tile or TILE
    side = min(PIECE, tile // 2 // DEEPEST * DEEPEST)
    count = min(PIECES, tile // side)
    height, width = x.shape[-2:]
    high, wide = (min(side, n // DEEPEST * DEEPEST) for n in (height, width))
    return torch.cat([
        x[..., r : r + high, c : c + wide]
        for r in _spread(height, high, count)
        for c in _spread(width, wide, count)
    ])  # fmt: skip


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
    padded, (height, width) = pad_to_multiple(x)
    if fits(padded, side):
        logits: Tensor = net(padded)[0]
        return logits[..., :height, :width]
    found: Tensor | None = None
    for rows, cols, part in tiles(net, padded, between, side=side):
        if found is None:
            found = part.new_empty((1, part.shape[1], *padded.shape[-2:]))
        found[..., rows, cols] = part
    assert found is not None
    return found[..., :height, :width]


@torch.no_grad()
def tiles(
    net: nn.Module,
    x: Tensor,
    between: Callable[[], None] | None = None,
    *,
    side: int | None = None,
    row: int | None = None,
) -> Iterator[tuple[slice, slice, Tensor]]:
    """Rows, columns and logits ``[1, C, h, w]`` of every tile of ``x``, row by row.

    Parameters
    ----------
    x
        ``[1, channels, H, W]``, sides multiples of 16.
    between, side
        As for :func:`forward_tiled`.
    row
        The only row of tiles that is wanted, counted from 0; all by default.
    """
    tile, margin = _measures(side)
    if isinstance(net, SegmentationNet):
        if between is not None:
            between()
        net = settle(net, pieces_of(x, tile))
    down = sides_of(x.shape[-2], tile, margin)
    for rows in down if row is None else [down[row]]:
        for cols in sides_of(x.shape[-1], tile, margin):
            if between is not None:
                between()
            logits: Tensor = net(x[..., rows.seen, cols.seen])[0]
            yield rows.kept, cols.kept, logits[..., rows.inner, cols.inner]
