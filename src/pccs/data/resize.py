"""Linear resizing without aliasing, line by line: the same numbers whatever is asked for at once.

First across, by torch; then down, by weights that are worked out for each line of the result. Torch would do
the latter too, but only for all lines together: a large image has no room for that.
"""

from __future__ import annotations

from math import ceil, floor
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Reach(NamedTuple):
    """What some lines of the result are made of: ``rows`` of the image, and of these, for every line, those
    that count and by how much (``places`` and ``weights``, both ``[lines, taps]``)."""

    rows: slice
    places: Tensor
    weights: Tensor


def reach(height: int, size: int, lines: slice) -> Reach:
    """Of an image of ``height`` rows that becomes ``size`` lines: what ``lines`` of these need.

    The weights are those of torch's linear filter with antialiasing: a triangle, two pixels of the coarser of
    both images wide.
    """
    factor = height / size
    wide = max(factor, 1.0)
    centres = (torch.arange(lines.start, lines.stop, dtype=torch.float64) + 0.5) * factor
    first = (centres - wide).floor().long()
    places = first[:, None] + torch.arange(ceil(2 * wide) + 1)
    away = (places + 0.5 - centres[:, None]).abs()
    weights = (1 - away / wide).clamp(min=0) * ((places >= 0) & (places < height))
    low = max(0, floor(float(centres[0]) - wide))
    high = min(height, ceil(float(centres[-1]) + wide))
    kept = (weights / weights.sum(1, keepdim=True)).float()
    return Reach(slice(low, high), places.clamp(low, high - 1) - low, kept)


def across(rows: Tensor, width: int) -> Tensor:
    """``[C, rows, W]`` to ``[C, rows, width]``."""
    if rows.shape[-1] == width:
        return rows
    return F.interpolate(rows[None], size=(rows.shape[1], width), mode="bilinear", antialias=True)[0]


def down(rows: Tensor, found: Reach) -> Tensor:
    """``[C, rows, w]``, those of ``found``, to its lines ``[C, lines, w]``."""
    out = rows.new_zeros(rows.shape[0], len(found.places), rows.shape[-1])
    for places, weights in zip(found.places.T, found.weights.T, strict=True):
        out += rows[:, places] * weights[:, None]  # one by one, so that no sum depends on how many lines
    return out


def resize_image(image: Tensor, size: tuple[int, int]) -> Tensor:
    """``[C, H, W]`` to ``size``, linear, without aliasing."""
    narrow = across(image, size[1])
    if narrow.shape[1] == size[0]:
        return narrow
    return down(narrow, reach(narrow.shape[1], size[0], slice(0, size[0])))
