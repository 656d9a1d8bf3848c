"""What an image looks like, in a few numbers, before any network has seen it.

Brightness (a histogram on the scale of all images), colour (mean and spread of each channel) and
texture (energy at four scales). Enough to tell kinds of images apart; nothing is learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pccs.suggest.base import Map
from pccs.suggest.maps import shrink, shrink_factor

_BINS = 16
_SCALES = (1.0, 2.0, 4.0, 8.0)
_CHANNELS = 4
"""Channels that are described; images with more are described by the first four."""


def thumbnail(image: NDArray[np.generic]) -> Map:
    """``(H, W, C)`` of any real dtype to float32 ``(C, h, w)``, at most 128 pixels on a side.

    Values that are not finite become 0.
    """
    planes = np.moveaxis(image[..., :_CHANNELS], -1, 0)
    small = shrink(planes, shrink_factor((image.shape[0], image.shape[1])))
    finite: Map = np.nan_to_num(small, posinf=0.0, neginf=0.0)
    return finite


def describe(thumbnails: Sequence[Map]) -> NDArray[np.float64]:
    """Comparable descriptions of images, ``(N, D)``: every kind of feature has the same weight.

    Parameters
    ----------
    thumbnails : sequence of (C, h, w)
        From :func:`thumbnail`; sizes and numbers of channels may differ.
    """
    if not thumbnails:
        return np.zeros((0, 1))
    values = np.concatenate([t.ravel()[:: max(1, t.size // 4096)] for t in thumbnails])
    low, high = (float(v) for v in np.percentile(values, (1, 99)))
    scaled = [np.clip((t - low) / max(high - low, 1e-12), -0.5, 1.5) for t in thumbnails]
    families = [
        _standard(np.stack([features(t) for t in scaled])) for features in (_brightness, _colour, _texture)
    ]
    return np.concatenate(families, axis=1)


def _brightness(t: Map) -> NDArray[np.float64]:
    counts, _ = np.histogram(np.clip(t.mean(0), 0.0, 1.0), bins=_BINS, range=(0.0, 1.0))
    # Neighbouring bins are nearly the same brightness: the cumulative histogram knows that.
    shares: NDArray[np.float64] = np.cumsum(counts) / max(counts.sum(), 1)
    return shares


def _colour(t: Map) -> NDArray[np.float64]:
    out = np.zeros(2 * _CHANNELS)
    out[: len(t)] = t.mean((1, 2))
    out[_CHANNELS : _CHANNELS + len(t)] = t.std((1, 2))
    return out


def _texture(t: Map) -> NDArray[np.float64]:
    grey = t.mean(0)
    blurred = [grey, *(ndimage.gaussian_filter(grey, s) for s in _SCALES)]
    energy = [float(np.std(fine - coarse)) for fine, coarse in pairwise(blurred)]
    relative = np.array(energy) / (float(grey.std()) + 1e-6)
    return np.concatenate([np.log(np.array(energy) + 1e-4), relative])


def _standard(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Columns of mean 0 and spread 1, a family of columns having length 1 together."""
    spread = features.std(0)
    scaled = (features - features.mean(0)) / np.where(spread > 1e-9, spread, 1.0)
    out: NDArray[np.float64] = scaled / np.sqrt(features.shape[1])
    return out
