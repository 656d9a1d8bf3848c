"""What every loss needs to stay finite: full precision, safe logarithms, safe normalisation."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

NEGLIGIBLE = -1e30
"""Stands for minus infinity where a row may be empty: finite, so its gradient is 0 and not NaN."""

SHORTEST = 1e-6
"""Vectors shorter than this are not scaled up to length 1: their direction is noise."""


def full(x: Tensor) -> Tensor:
    """``x`` in float32, or unchanged when it is float64 (half precision is for convolutions)."""
    return x if x.dtype == torch.float64 else x.float()


def full_precision(x: Tensor) -> AbstractContextManager[object]:
    """Context without automatic half precision on the device of ``x``."""
    if not torch.amp.is_autocast_available(x.device.type):
        return nullcontext()
    return torch.autocast(device_type=x.device.type, enabled=False)


def safe_log(p: Tensor, floor: float | None = None) -> Tensor:
    """``log p``, constant (with gradient 0) below ``floor`` (the smallest normal number by default)."""
    return p.clamp_min(torch.finfo(p.dtype).tiny if floor is None else floor).log()


def unit(x: Tensor, dim: int = -1) -> Tensor:
    """``x`` divided by its norm along ``dim``; the zero vector stays zero, with a finite gradient."""
    return x * (x.square().sum(dim, keepdim=True) + SHORTEST**2).rsqrt()


def lengths(z: Tensor) -> Tensor:
    """Norm of each feature vector, ``[B, D, h, w] -> [B, h, w]``, at least ``SHORTEST``."""
    if z.stride(1) == 1:  # channels last: the norm kernel is several times faster, elsewhere slower
        norm: Tensor = torch.linalg.vector_norm(z, dim=1)
        return norm.clamp_min(SHORTEST)
    return (z.square().sum(1) + SHORTEST**2).sqrt()


def one_hot(index: Tensor, size: int, dtype: torch.dtype) -> Tensor:
    """``[B, ...] -> [B, size, ...]``: 1 where ``index`` is the channel; an index outside has no 1."""
    channels = torch.arange(size, device=index.device).view(-1, *[1] * (index.dim() - 1))
    return (index.unsqueeze(1) == channels).to(dtype)


def segment_sums(z: Tensor, key: Tensor, size: int, weight: Tensor | None = None) -> Tensor:
    """Sums of feature vectors by key, image by image.

    Parameters
    ----------
    z : Tensor, shape (B, D, h, w), floating
        Features; a channels-last map is read without a copy.
    key : Tensor, shape (B, h, w), int64
        Group of each pixel in ``[0, size)``; a key outside belongs to no group.
    size : int
        Number of groups an image has.
    weight : Tensor, shape (B, h, w), optional
        Weight of each pixel in its group; a bool mask leaves pixels out.

    Returns
    -------
    Tensor, shape (B, size, D)
        Differentiable in ``z``.

    Notes
    -----
    On an accelerator, and for weighted sums, a product with the membership matrix: dense and without
    branches. On a CPU each feature is read once and added to its row, which is faster still.
    """
    key = key.flatten(1)
    if z.device.type == "cpu" and (weight is None or weight.dtype == torch.bool):
        return _added_rows(z, key if weight is None else torch.where(weight.flatten(1), key, -1), size)
    members = one_hot(key, size, z.dtype)
    if weight is not None:
        members = members * weight.flatten(1).unsqueeze(1).to(z.dtype)
    return members @ z.flatten(2).transpose(1, 2)


def _added_rows(z: Tensor, key: Tensor, size: int) -> Tensor:
    """As :func:`segment_sums`; ``key [B, N]``. The last row of each image takes what has no group."""
    slot = torch.where((key >= 0) & (key < size), key, size)
    slot = slot + (size + 1) * torch.arange(len(key), device=key.device).unsqueeze(1)
    rows = z.flatten(2).transpose(1, 2).flatten(0, 1)
    sums = z.new_zeros(len(key) * (size + 1), z.shape[1]).index_add(0, slot.flatten(), rows)
    return sums.view(len(key), size + 1, -1)[:, :size]
