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

from pccs.data.large import pieces
from pccs.predict.tiles import Padded, Picture, fits, row_of_tiles, rows_of_tiles, tiles

STRIP = 2**20
"""Pixels that are brought to the size of the image at once, about: with a number for every class they are
several times copied."""


@torch.no_grad()
def bands(
    net: nn.Module,
    picture: Picture,
    size: tuple[int, int],
    between: Callable[[], None] | None = None,
    *,
    side: int | None = None,
    device: torch.device | None = None,
) -> Iterator[tuple[slice, Tensor]]:
    """Rows of the image, and their probabilities ``[C, rows, W]``, from top to bottom.

    Parameters
    ----------
    picture
        The image at the working scale.
    size
        ``(H, W)`` of the image.
    between, side
        As for :func:`pccs.predict.tiles.forward_tiled`.
    device
        Where the network is; by default where the picture lies.
    """
    height, width = picture.size
    padded = Padded(picture, device)
    grow = _Grow(height, size)
    if fits(padded.size, side):
        shares = net(padded.whole())[0][0, :, :height, :width].float().softmax(0)
        if size[0] * size[1] > STRIP:
            yield from grow.add(shares)
        else:
            yield slice(0, size[0]), _resized(shares, size)
        return
    for shares in _rows(tiles(net, padded, between, side=side), padded.size[1]):
        yield from grow.add(shares[..., :width])
        del shares  # before the next row is made: each is as large as all that is held besides


@torch.no_grad()
def one_row(seeing: nn.Module, picture: Picture, row: int, device: torch.device) -> Tensor:
    """Probabilities ``[C, h, w]`` at the working scale of one row of tiles, from 0.

    Parameters
    ----------
    seeing
        The network as :func:`pccs.predict.tiles.settled` gives it.
    """
    padded = Padded(picture, device)
    found = next(_rows(row_of_tiles(seeing, padded, row), padded.size[1]))
    return found[..., : picture.size[1]]


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
            del row


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
        """Take the next rows ``[C, h, w]``, and give what can be given with them, some lines at a time."""
        shares = shares[:, : self._height - self._have]
        first = self._have - (self._last is not None)
        same = (self._height, shares.shape[-1]) == self._size
        rows = shares if self._last is None or same else torch.cat([self._last, shares], dim=1)
        first += same and self._last is not None
        self._have += shares.shape[1]
        self._last = shares[:, -1:].clone()
        above, below, weight = self._places(rows.device)
        for part in pieces(slice(0, len(above)), max(1, STRIP // self._size[1])):
            done = slice(self._given, self._given + part.stop - part.start)
            self._given = done.stop
            if same:
                yield done, rows[:, done.start - first : done.stop - first]
            else:
                yield done, self._between(rows, above[part] - first, below[part] - first, weight[part])

    def _between(self, rows: Tensor, above: Tensor, below: Tensor, weight: Tensor) -> Tensor:
        """``[C, lines, W]``, each line between two of ``rows``."""
        start = int(above[0])
        used = rows[:, start : int(below[-1]) + 1]
        wide = F.interpolate(used[None], size=(used.shape[1], self._size[1]), mode="bilinear")[0]
        grown = torch.lerp(wide[:, above - start], wide[:, below - start], weight[:, None])
        return grown.div_(grown.sum(0, keepdim=True))

    def _places(self, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """Of the rows that can be given now: those they lie between, and how far from the upper."""
        wanted = torch.arange(self._given, self._size[0], dtype=torch.float64)
        at = ((wanted + 0.5) * self._height / self._size[0] - 0.5).clamp(0, self._height - 1)
        above = at.floor().long()
        below = (above + (at > above).long()).clamp(max=self._height - 1)
        ready = below < self._have
        above, below, at = above[ready], below[ready], at[ready]
        return above.to(device), below.to(device), (at - above).float().to(device)
