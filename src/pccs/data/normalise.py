"""Intensities: from whatever a camera wrote to zero mean and unit spread.

Statistics are robust (percentiles) and belong to a source, so that the slices of a CT volume keep
their common scale while every photograph is balanced on its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_LOW, _HIGH = 0.5, 99.5
_SAMPLE = 16
"""Planes of a stack that its statistics are taken from."""
ENOUGH = 500_000
"""Pixels that are measured, about."""


@dataclass(frozen=True)
class Statistics:
    """Clipping range, mean and spread of each channel."""

    low: tuple[float, ...]
    high: tuple[float, ...]
    mean: tuple[float, ...]
    spread: tuple[float, ...]


def measure(planes: list[NDArray[np.generic]], *, joint: bool = False) -> Statistics:
    """Statistics of planes ``(H, W, C)``; ``joint`` treats the channels as one (RGB keeps its hue).

    NaN and infinite pixels are left out; a constant image gets a spread of 1.
    """
    columns = [p.reshape(-1, p.shape[-1]) for p in planes]
    step = max(1, sum(len(c) for c in columns) // ENOUGH)
    values = np.concatenate([c[::step] for c in columns]).astype(np.float32)
    channels = values.shape[1]
    groups = [values.ravel()] * channels if joint else list(values.T)
    rows = [_measure_channel(g) for g in (groups[:1] if joint else groups)]
    return Statistics(*zip(*(rows * channels if joint else rows), strict=True))


def windowed(window: tuple[float, float], channels: int) -> Statistics:
    """Statistics of a window of stored values that a person chose, the same for every image of that kind.

    Its middle becomes 0; values spread evenly over it have a spread of 1. Nothing is measured, so that a
    value with a meaning (Hounsfield units) is the same number to the network in every volume.
    """
    low, high = window
    row = low, high, (low + high) / 2, (high - low) / 12**0.5
    return Statistics(*((value,) * channels for value in row))


def _measure_channel(values: NDArray[np.float32]) -> tuple[float, float, float, float]:
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0, 0.0, 1.0
    low, high = (float(q) for q in np.percentile(finite, [_LOW, _HIGH]))
    if high <= low:  # nearly empty images: a few bright pixels are all there is
        low, high = float(finite.min()), float(finite.max())
    clipped = np.clip(finite, low, high).astype(np.float64)
    return low, high, float(clipped.mean()), float(clipped.std()) or 1.0


def normalise(plane: NDArray[np.generic], statistics: Statistics) -> NDArray[np.float32]:
    """``(H, W, C)`` of any dtype → ``(C, H, W)`` float32, mean about 0 and spread about 1."""
    x = plane.astype(np.float32)
    low, high, mean, spread = (
        np.asarray(v, np.float32)
        for v in (statistics.low, statistics.high, statistics.mean, statistics.spread)
    )
    x = np.nan_to_num((np.clip(x, low, high) - mean) / spread, nan=0.0, posinf=0.0, neginf=0.0)
    return np.ascontiguousarray(np.moveaxis(x, -1, 0))


def sample_indices(count: int) -> list[int]:
    """Evenly spaced planes of a stack of ``count`` to take statistics from."""
    return sorted({int(i) for i in np.linspace(0, count - 1, min(count, _SAMPLE))})


def match_channels(image: NDArray[np.float32], channels: int) -> NDArray[np.float32] | None:
    """``(C, H, W)`` with ``channels`` channels: grey is repeated, colour is averaged to grey.

    ``None`` when neither makes sense (two channels where three were trained).
    """
    have = image.shape[0]
    if have == channels:
        return image
    if have == 1:
        return np.repeat(image, channels, axis=0)
    if channels == 1:
        grey: NDArray[np.float32] = image.mean(axis=0, keepdims=True)
        return grey
    return None
