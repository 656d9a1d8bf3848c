"""Augmentation that keeps labels true.

Geometry is applied while crops are cut (one resampling for image and target alike), a whole batch at
once from images of any size; photometric changes never touch a target.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from pccs.labels import IGNORE

_ZOOM = 1.3
_TILT = 20.0
_STRENGTHS = ((-0.5, 1.0), (-0.5, 0.5), (-0.5, 0.5), (-0.5, 0.5), (0.0, 0.35))
"""Ranges of blur (negative: sharper), logarithm of gamma and of contrast, brightness, and noise."""


@dataclass(frozen=True)
class Cuts:
    """Where ``B`` crops are cut, on the host: one row a crop.

    ``places [B, 2]`` is the pixel (row, column) at the centre of each crop; ``matrices [B, 2, 2]`` take
    (x, y) offsets from the centre of the crop to offsets in the image, in pixels.
    """

    places: NDArray[np.float64]
    matrices: NDArray[np.float64]


def plain_cuts(places: NDArray[np.float64]) -> Cuts:
    """Crops without any change."""
    return Cuts(places, np.broadcast_to(np.eye(2), (len(places), 2, 2)))


def random_cuts(places: NDArray[np.float64], rng: np.random.Generator, *, upright: bool) -> Cuts:
    """Crops zoomed by up to 1.3 either way, mirrored, and turned (freely, or by 20° if upright)."""
    count = len(places)
    zoom = np.exp(rng.uniform(-1, 1, count) * math.log(_ZOOM))
    angle = np.radians(rng.uniform(-_TILT, _TILT, count) if upright else rng.uniform(0, 360, count))
    mirror = np.where(rng.random(count) < 0.5, -1.0, 1.0)
    cos, sin = np.cos(angle) * zoom, np.sin(angle) * zoom
    matrices = np.stack([cos * mirror, -sin, sin * mirror, cos], axis=1).reshape(count, 2, 2)
    return Cuts(places, matrices)


@dataclass(frozen=True)
class Grid:
    """Where every pixel of ``B`` crops comes from, on the device of the images.

    ``x`` and ``y [B, s, s]`` in pixels; ``heights`` and ``widths [B, 1, 1]`` of the images.
    """

    x: Tensor
    y: Tensor
    heights: Tensor
    widths: Tensor


def sampling_grid(cuts: Cuts, sizes: NDArray[np.int64], side: int, device: torch.device) -> Grid:
    """The grid of ``cuts`` in images of ``sizes [B, 2]`` (height, width)."""
    rows = np.concatenate([cuts.places, cuts.matrices.reshape(-1, 4), sizes], axis=1).astype(np.float32)
    row, column, a, b, c, d, height, width = to(device, rows).view(-1, 8, 1, 1).unbind(1)
    offset = torch.arange(side, device=device, dtype=torch.float32) + (0.5 - side / 2)
    across, down = offset, offset.unsqueeze(1)
    return Grid(a * across + b * down + column, c * across + d * down + row, height, width)


def cut_images(pool: Tensor, starts: Tensor, channels: int, grid: Grid) -> Tensor:
    """Crops ``[B, C, s, s]``, bilinear; beyond an image's border it is mirrored, as tissue goes on.

    Parameters
    ----------
    pool : Tensor, shape (N,)
        All images one after another, each ``[C, h, w]``.
    starts : Tensor, shape (B,), int64
        Where the image of each crop begins.
    """
    x, y = _mirrored(grid.x, grid.widths), _mirrored(grid.y, grid.heights)
    left, top = x.floor(), y.floor()
    right = torch.minimum(left + 1, grid.widths - 1)
    bottom = torch.minimum(top + 1, grid.heights - 1)
    width, plane = grid.widths.long(), (grid.widths.long() * grid.heights.long()).unsqueeze(1)
    base = starts.view(-1, 1, 1, 1) + torch.arange(channels, device=pool.device).view(1, -1, 1, 1) * plane
    upper = (top.long() * width).unsqueeze(1) + base
    lower = (bottom.long() * width).unsqueeze(1) + base
    left_, right_ = left.long().unsqueeze(1), right.long().unsqueeze(1)
    rightwards, downwards = (x - left).unsqueeze(1), (y - top).unsqueeze(1)
    above = torch.lerp(pool[upper + left_], pool[upper + right_], rightwards)
    below = torch.lerp(pool[lower + left_], pool[lower + right_], rightwards)
    return torch.lerp(above, below, downwards)


def cut_targets(pool: Tensor, starts: Tensor, grid: Grid) -> Tensor:
    """Crops ``[B, s, s]`` int64 of targets ``[h, w]``, nearest; beyond the border nothing is known (255).

    As :func:`cut_images`, with uint8 targets in ``pool``. A negative start stands for an image of which
    nothing is known.
    """
    x, y = grid.x.round(), grid.y.round()
    known = (x >= 0) & (x < grid.widths) & (y >= 0) & (y < grid.heights) & (starts.view(-1, 1, 1) >= 0)
    index = starts.view(-1, 1, 1) + y.long() * grid.widths.long() + x.long()
    return torch.where(known, pool[torch.where(known, index, 0)].long(), IGNORE)


def to(device: torch.device, array: NDArray[Any]) -> Tensor:
    """A small array on ``device``, without waiting for it."""
    host = torch.from_numpy(np.ascontiguousarray(array))
    return host.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else host.to(device)


def _mirrored(x: Tensor, size: Tensor) -> Tensor:
    """Coordinates brought inside ``[0, size - 1]`` by reflection at the outer edges of the border pixels."""
    there_and_back = torch.remainder(x + 0.5, 2 * size)
    return (torch.minimum(there_and_back, 2 * size - there_and_back) - 0.5).clamp_min(0).minimum(size - 1)


def photometric_draws(batch: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """What :func:`photometric` does to each of ``batch`` images, ``[14, batch]``."""
    strengths = [rng.uniform(low, high, batch) for low, high in _STRENGTHS]
    light = rng.normal(0, 0.25, (9, batch))
    return np.concatenate([strengths, light]).astype(np.float32)


def photometric(images: Tensor, draws: Tensor, generator: torch.Generator) -> Tensor:
    """Strong change of ``[B, C, H, W]``: contrast, brightness, gamma, uneven light, blur, noise.

    Images have about zero mean and unit spread; so has the result, roughly. ``draws`` are those of
    :func:`photometric_draws`; the noise comes from ``generator``.
    """
    batch, _, height, width = images.shape
    dice = draws.view(-1, batch, 1, 1, 1)
    blur, gamma, contrast, brightness, noise = dice[:5]
    # One contiguous plane a channel: pooling a single channel "last in memory" is six times slower.
    x = images.contiguous()
    planes = F.pad(x.flatten(0, 1).unsqueeze(0), (1, 1, 1, 1), mode="replicate")
    blurred = F.avg_pool2d(planes, 3, stride=1).view(x.shape)
    x = torch.lerp(x, blurred, blur)
    x = _gamma(x, gamma.exp())
    x = x * contrast.exp() + brightness
    coarse = dice[5:].view(9, batch).T.reshape(batch, 1, 3, 3)
    x = x + F.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=True)
    grain = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=generator.device)
    noisy: Tensor = x + grain.to(x.device) * noise
    return noisy


def _gamma(x: Tensor, power: Tensor) -> Tensor:
    low, high = x.amin(dim=(1, 2, 3), keepdim=True), x.amax(dim=(1, 2, 3), keepdim=True)
    span = (high - low).clamp_min(1e-3)
    return ((x - low) / span).clamp(1e-4, 1.0).pow(power) * span + low


def rectangles(
    batch: int,
    side: int,
    rng: np.random.Generator,
    *,
    smallest: float,
    largest: float,
    probability: float = 1.0,
) -> NDArray[np.int64]:
    """One random rectangle an image, its sides as fractions of the image's.

    Returns
    -------
    ndarray, shape (2, batch, 2)
        First row and column, and those behind the last; an empty one where ``probability`` says none.
    """
    extents = np.maximum(1, (side * rng.uniform(smallest, largest, (batch, 2))).astype(np.int64))
    corners = (rng.random((batch, 2)) * (side - extents + 1)).astype(np.int64)
    extents[rng.random(batch) >= probability] = 0
    return np.stack([corners, corners + extents])


def inside(boxes: Tensor, side: int) -> Tensor:
    """``[B, side, side]`` bool: which pixels lie in the rectangles ``boxes [2, B, 2]``."""
    begin, end = boxes.unsqueeze(-1)
    place = torch.arange(side, device=boxes.device)
    within = (place >= begin) & (place < end)  # [B, 2, side]: rows, columns
    masks: Tensor = within[:, 0].unsqueeze(2) & within[:, 1].unsqueeze(1)
    return masks


def paste(mask: Tensor, within: Tensor, outside: Tensor) -> Tensor:
    """``within`` where ``mask [B, H, W]``, ``outside`` elsewhere; both ``[B, H, W]`` or ``[B, C, H, W]``."""
    return torch.where(mask.unsqueeze(1) if within.dim() == 4 else mask, within, outside)


def shrink_labels(labels: Tensor, stride: int) -> Tensor:
    """Labels ``[B, H, W]`` at the centre of each ``stride``×``stride`` cell: ``[B, H/s, W/s]``."""
    return labels[:, stride // 2 :: stride, stride // 2 :: stride]


__all__ = [
    "IGNORE",
    "Cuts",
    "Grid",
    "cut_images",
    "cut_targets",
    "inside",
    "paste",
    "photometric",
    "photometric_draws",
    "plain_cuts",
    "random_cuts",
    "rectangles",
    "sampling_grid",
    "shrink_labels",
]
