"""Probabilities at the size of an image, from top to bottom, without ever holding all of them.

A large image is predicted row of tiles by row of tiles. Each row is brought to the size of the image and
handed on as soon as it is there, so that whoever wants classes and uncertainty needs no memory for the
probabilities of every class at every pixel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pccs.predict.tiles import fits, pad_to_multiple, rows_of_tiles, tiles


@torch.no_grad()
def bands(
    net: nn.Module,
    small: Tensor,
    size: tuple[int, int],
    between: Callable[[], None] | None = None,
    *,
    side: int | None = None,
) -> Iterator[tuple[slice, Tensor]]:
    """Rows of the image, and their probabilities ``[C, rows, W]``, from top to bottom.

    Parameters
    ----------
    small
        The image at the working scale, ``[channels, h, w]``, where the network is.
    size
        ``(H, W)`` of the image.
    between, side
        As for :func:`pccs.predict.tiles.forward_tiled`.
    """
    padded, (height, width) = pad_to_multiple(small[None])
    if fits(padded, side):
        shares = net(padded)[0][0, :, :height, :width].float().softmax(0)
        yield slice(0, size[0]), _resized(shares, size)
        return
    grow = _Grow(height, size)
    for shares in _rows(tiles(net, padded, between, side=side), padded.shape[-1]):
        yield from grow.add(shares[..., :width])


@torch.no_grad()
def one_row(net: nn.Module, small: Tensor, row: int) -> Tensor:
    """Probabilities ``[C, h, w]`` at the working scale of one row of tiles of ``small``, from 0."""
    padded, (_, width) = pad_to_multiple(small[None])
    return next(_rows(tiles(net, padded, row=row), padded.shape[-1]))[..., :width]


def grown(
    shares: Tensor, above: Tensor | None, row: int, height: int, size: tuple[int, int]
) -> Iterator[tuple[slice, Tensor]]:
    """What :func:`bands` gives once it has the row of tiles number ``row``.

    Parameters
    ----------
    shares
        What :func:`one_row` gives.
    above
        The last line ``[C, 1, w]`` of the row of tiles before; ``None`` for the first.
    height
        How many lines the image has at the working scale.
    size
        ``(H, W)`` of the image.
    """
    grow = _Grow(height, size)
    if above is not None:
        grow.go_on(rows_of_tiles(height)[row].start, above)
    yield from grow.add(shares)


def _rows(parts: Iterator[tuple[slice, slice, Tensor]], width: int) -> Iterator[Tensor]:
    """Probabilities ``[C, h, width]`` of one row of tiles after the other."""
    for rows, cols, logits in parts:
        if cols.start == 0:
            row = logits.new_empty((logits.shape[1], rows.stop - rows.start, width), dtype=torch.float32)
        row[..., cols] = logits[0].float().softmax(0)
        if cols.stop == width:
            yield row


def _resized(shares: Tensor, size: tuple[int, int]) -> Tensor:
    if tuple(shares.shape[-2:]) == size:
        return shares
    grown = F.interpolate(shares[None], size=size, mode="bilinear", align_corners=False)[0]
    return grown / grown.sum(0, keepdim=True)


class _Grow:
    """Bilinear resizing of rows that come one after the other: the same as of all of them at once.

    Parameters
    ----------
    height
        How many rows there are at the working scale; what comes beyond is padding.
    size
        ``(H, W)`` wanted.
    """

    def __init__(self, height: int, size: tuple[int, int]) -> None:
        self._height, self._size = height, size
        self._have = self._given = 0
        self._last: Tensor | None = None

    def go_on(self, have: int, last: Tensor) -> None:
        """Begin after ``have`` rows, the last of which is ``last [C, 1, w]``."""
        self._have, self._last = have, last
        self._given = len(self._places(last.device)[0])

    def add(self, shares: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Take the next rows ``[C, h, w]``, and give what can be given with them."""
        shares = shares[:, : self._height - self._have]
        first = self._have - (self._last is not None)
        rows = shares if self._last is None else torch.cat([self._last, shares], dim=1)
        self._have += shares.shape[1]
        self._last = rows[:, -1:]
        above, below, weight = self._places(rows.device)
        done = slice(self._given, self._given + len(above))
        self._given = done.stop
        if (self._height, rows.shape[-1]) == self._size:
            yield done, rows[:, done.start - first : done.stop - first]
        elif len(above):
            wide = F.interpolate(rows[None], size=(rows.shape[1], self._size[1]), mode="bilinear")[0]
            grown = torch.lerp(wide[:, above - first], wide[:, below - first], weight[:, None])
            yield done, grown / grown.sum(0, keepdim=True)

    def _places(self, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """Of the rows that can be given now: those they lie between, and how far from the upper."""
        wanted = torch.arange(self._given, self._size[0], dtype=torch.float64)
        at = ((wanted + 0.5) * self._height / self._size[0] - 0.5).clamp(0, self._height - 1)
        above = at.floor().long()
        below = (above + 1).clamp(max=self._height - 1)
        ready = below < self._have
        above, below, at = above[ready], below[ready], at[ready]
        return above.to(device), below.to(device), (at - above).float().to(device)
