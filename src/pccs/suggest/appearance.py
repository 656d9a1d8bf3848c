"""What an image looks like, in a few numbers, before any network has seen it.

Brightness (a histogram on the scale of all images), colour (mean and spread of each channel) and
texture (energy at four scales). Enough to tell kinds of images apart; nothing is learned.

A *look* holds what can be said of one image alone, so that it can be kept; :func:`describe` makes looks
of many images comparable.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pccs.suggest.maps import shrink, shrink_factor

_BINS = 16
_LEVELS = 32
_SCALES = (1.0, 2.0, 4.0, 8.0)
_CHANNELS = 4
"""Channels that are described; images with more are described by the first four."""
_LEVEL, _MEAN, _SPREAD, _COUNT, _GREY, _ENERGY = np.split(
    np.arange(_LEVELS + 2 * _CHANNELS + 2 + len(_SCALES)),
    np.cumsum([_LEVELS, _CHANNELS, _CHANNELS, 1, 1]),
)
"""Columns of a look."""
LENGTH = _LEVELS + 2 * _CHANNELS + 2 + len(_SCALES)
"""Numbers in a look."""


def look_of(image: NDArray[np.generic]) -> NDArray[np.float32]:
    """The look of an image, ``(H, W, C)`` of any real dtype to float32 ``(LENGTH,)``.

    Levels of brightness in equal shares of the pixels, mean and spread of the channels, their number,
    spread of the brightness, and that of its details at four scales; all in the values of the image, at
    most 128 pixels on a side. Values that are not finite count as 0.
    """
    planes = np.moveaxis(image[..., :_CHANNELS], -1, 0)
    small = shrink(planes, shrink_factor((image.shape[0], image.shape[1])))
    t = np.nan_to_num(small, posinf=0.0, neginf=0.0).astype(np.float64)
    grey = t.mean(0)
    blurred = [grey, *(ndimage.gaussian_filter(grey, s) for s in _SCALES)]
    look = np.zeros(LENGTH)
    look[_LEVEL] = np.quantile(grey, (np.arange(_LEVELS) + 0.5) / _LEVELS)
    look[_MEAN[: len(t)]], look[_SPREAD[: len(t)]] = t.mean((1, 2)), t.std((1, 2))
    look[_COUNT], look[_GREY] = len(t), grey.std()
    look[_ENERGY] = [np.std(fine - coarse) for fine, coarse in pairwise(blurred)]
    return look.astype(np.float32)


def describe(looks: NDArray[np.floating]) -> NDArray[np.float64]:
    """Comparable descriptions, ``(N, LENGTH) -> (N, D)``: every kind of feature has the same weight."""
    if not len(looks):
        return np.zeros((0, 1))
    low, high = (float(v) for v in np.percentile(looks[:, _LEVEL], (1, 99)))
    span = max(high - low, 1e-12)
    families = (_brightness(looks, low, span), _colour(looks, low, span), _texture(looks, span))
    return np.concatenate([_standard(family) for family in families], axis=1)


def _brightness(looks: NDArray[np.floating], low: float, span: float) -> NDArray[np.float64]:
    # Neighbouring bins are nearly the same brightness: the cumulative histogram knows that.
    edges = low + span * (np.arange(_BINS - 1) + 1) / _BINS
    return np.stack([(looks[:, _LEVEL] <= edge).mean(1) for edge in edges], axis=1)


def _colour(looks: NDArray[np.floating], low: float, span: float) -> NDArray[np.float64]:
    there = np.arange(_CHANNELS) < looks[:, _COUNT]
    means = np.clip((looks[:, _MEAN] - low) / span, -0.5, 1.5)
    spreads = np.clip(looks[:, _SPREAD] / span, 0.0, 1.0)
    return np.concatenate([np.where(there, means, 0.0), np.where(there, spreads, 0.0)], axis=1)


def _texture(looks: NDArray[np.floating], span: float) -> NDArray[np.float64]:
    energy = looks[:, _ENERGY] / span
    relative: NDArray[np.float64] = energy / (looks[:, _GREY] / span + 1e-6)
    return np.concatenate([np.log(energy + 1e-4), relative], axis=1).astype(np.float64)


def _standard(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Columns of mean 0 and spread 1, a family of columns having length 1 together."""
    spread = features.std(0)
    scaled = (features - features.mean(0)) / np.where(spread > 1e-9, spread, 1.0)
    out: NDArray[np.float64] = scaled / np.sqrt(features.shape[1])
    return out
