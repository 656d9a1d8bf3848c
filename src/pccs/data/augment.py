"""Augmentation that keeps labels true.

Geometry is applied while a crop is cut (one resampling for image and target alike); photometric
changes work on whole batches and never touch a target.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pccs.labels import IGNORE

_ZOOM = 1.3
_TILT = 20.0


@dataclass(frozen=True)
class View:
    """Where a crop is cut: centre in pixels, and a 2×2 matrix from crop to image offsets."""

    row: float
    column: float
    matrix: tuple[tuple[float, float], tuple[float, float]]


def plain_view(row: float, column: float) -> View:
    """A crop without any change."""
    return View(row, column, ((1.0, 0.0), (0.0, 1.0)))


def random_view(row: float, column: float, rng: np.random.Generator, *, upright: bool) -> View:
    """A crop zoomed by up to 1.3 either way, mirrored, and turned (freely, or by 20° if upright)."""
    zoom = math.exp(rng.uniform(-1, 1) * math.log(_ZOOM))
    angle = math.radians(rng.uniform(-_TILT, _TILT) if upright else rng.uniform(0, 360))
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    cos, sin = math.cos(angle) * zoom, math.sin(angle) * zoom
    return View(row, column, ((cos * mirror, -sin), (sin * mirror, cos)))


def sampling_grid(view: View, height: int, width: int, side: int) -> Tensor:
    """Grid ``[1, side, side, 2]`` for :func:`torch.nn.functional.grid_sample`."""
    (a, b), (c, d) = view.matrix  # acts on (x, y) offsets from the centre, in pixels
    half = side / 2
    theta = torch.tensor(
        [
            [a * half / (width / 2), b * half / (width / 2), (view.column + 0.5) / (width / 2) - 1],
            [c * half / (height / 2), d * half / (height / 2), (view.row + 0.5) / (height / 2) - 1],
        ],
        dtype=torch.float32,
    )
    return F.affine_grid(theta[None], [1, 1, side, side], align_corners=False)


def cut_image(image: Tensor, grid: Tensor) -> Tensor:
    """Crop of ``image [C, h, w]``; beyond the border it is mirrored, as tissue goes on."""
    return F.grid_sample(image[None], grid, mode="bilinear", padding_mode="reflection", align_corners=False)[
        0
    ]


def cut_target(target: Tensor, grid: Tensor) -> Tensor:
    """Crop of ``target [h, w] uint8``; beyond the border nothing is known (255)."""
    # Shifted by one so that the zeros which grid_sample pads with can be told from class 0;
    # 255 (unknown) wraps to 0 as well, which is just what it means.
    shifted = (target + 1)[None, None].float()
    cut = F.grid_sample(shifted, grid, mode="nearest", padding_mode="zeros", align_corners=False)[0, 0]
    return (cut.to(torch.uint8) - 1).long()


def photometric(images: Tensor, rng: np.random.Generator, generator: torch.Generator) -> Tensor:
    """Strong change of ``[B, C, H, W]``: contrast, brightness, gamma, uneven light, blur, noise.

    Images have about zero mean and unit spread; so has the result, roughly.
    """
    batch, _, height, width = images.shape

    def draw(low: float, high: float) -> Tensor:
        values = rng.uniform(low, high, batch).astype(np.float32)
        return torch.from_numpy(values).to(images.device, images.dtype).view(-1, 1, 1, 1)

    # One contiguous plane a channel: pooling a single channel "last in memory" is six times slower.
    x = images.contiguous()
    planes = F.pad(x.flatten(0, 1).unsqueeze(0), (1, 1, 1, 1), mode="replicate")
    blurred = F.avg_pool2d(planes, 3, stride=1).view(x.shape)
    x = torch.lerp(x, blurred, draw(-0.5, 1.0))  # negative: sharper
    x = _gamma(x, torch.exp(draw(-0.5, 0.5)))
    x = x * torch.exp(draw(-0.5, 0.5)) + draw(-0.5, 0.5)
    x = x + _uneven_light(rng, batch, height, width).to(x.device, x.dtype)
    noise = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=generator.device).to(x.device)
    return x + noise * draw(0.0, 0.35)


def _gamma(x: Tensor, power: Tensor) -> Tensor:
    low, high = x.amin(dim=(1, 2, 3), keepdim=True), x.amax(dim=(1, 2, 3), keepdim=True)
    span = (high - low).clamp_min(1e-3)
    return ((x - low) / span).clamp(1e-4, 1.0).pow(power) * span + low


def _uneven_light(rng: np.random.Generator, batch: int, height: int, width: int) -> Tensor:
    coarse = torch.from_numpy(rng.normal(0, 0.25, (batch, 1, 3, 3)).astype(np.float32))
    return F.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=True)


def rectangles(
    batch: int,
    side: int,
    rng: np.random.Generator,
    *,
    smallest: float,
    largest: float,
    probability: float = 1.0,
) -> Tensor:
    """One random rectangle an image, ``[B, side, side]`` bool; sides as fractions of the image."""
    masks = torch.zeros(batch, side, side, dtype=torch.bool)
    for mask in masks:
        if rng.random() >= probability:
            continue
        h, w = (max(1, int(side * f)) for f in rng.uniform(smallest, largest, 2))
        top, left = rng.integers(0, side - h + 1), rng.integers(0, side - w + 1)
        mask[top : top + h, left : left + w] = True
    return masks


def paste(mask: Tensor, inside: Tensor, outside: Tensor) -> Tensor:
    """``inside`` where ``mask [B, H, W]``, ``outside`` elsewhere; both ``[B, H, W]`` or ``[B, C, H, W]``."""
    return torch.where(mask.unsqueeze(1) if inside.dim() == 4 else mask, inside, outside)


def shrink_labels(labels: Tensor, stride: int) -> Tensor:
    """Labels ``[B, H, W]`` at the centre of each ``stride``×``stride`` cell: ``[B, H/s, W/s]``."""
    return labels[:, stride // 2 :: stride, stride // 2 :: stride]


__all__ = [
    "IGNORE",
    "View",
    "cut_image",
    "cut_target",
    "paste",
    "photometric",
    "plain_view",
    "random_view",
    "rectangles",
    "sampling_grid",
    "shrink_labels",
]
