"""Prototypes: the mean feature of every level set of every class in every image (section 5)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from pccs.method.numeric import full, full_precision, segment_sums, unit


class LevelPrototypes(NamedTuple):
    """``N = B * C * levels`` prototypes in a fixed order: image by image, class by class, level by level.

    Most levels of most classes are absent from an image: their rows are zero and not ``valid``. A
    fixed size costs less than asking the device how many there are.
    """

    vectors: Tensor
    """``[N, D]`` unit vectors, with gradient."""
    classes: Tensor
    """``[N]`` int64."""
    images: Tensor
    """``[N]`` int64."""
    uncertainty: Tensor
    """``[N]`` ``h_i``: mean uncertainty of *all* pixels of the group, in [0, 1], without gradient."""
    sizes: Tensor
    """``[N]`` number of pixels that were averaged."""
    valid: Tensor
    """``[N]`` bool."""


def level_prototypes(
    z: Tensor,
    labels: Tensor,
    levels: Tensor,
    uncertainty: Tensor,
    *,
    num_classes: int,
    num_levels: int,
    confident: Tensor | None = None,
) -> LevelPrototypes:
    """Mean features of the groups (image, class, level), normalised, with gradient.

    Parameters
    ----------
    z : Tensor, shape (B, D, h, w)
        Features.
    labels, levels : Tensor, shape (B, h, w), int64
        Class and level of each pixel; a label outside ``[0, num_classes)`` (255: ignored) leaves the
        pixel out.
    uncertainty : Tensor, shape (B, h, w)
        Normalised entropy in [0, 1].
    num_classes, num_levels : int
        Bounds of ``labels`` and ``levels``.
    confident : Tensor, shape (B, h, w), bool, optional
        Only these pixels are averaged, except in a group that has none, where all are: no class that
        an image shows is ever left without a prototype.

    Returns
    -------
    LevelPrototypes
    """
    with full_precision(z):
        z = full(z)
        uncertainty = uncertainty.detach().to(z.dtype)
        size = num_classes * num_levels
        key = _group_keys(labels, levels, num_classes, num_levels)
        chosen, sizes, h = _group_facts(key, size, uncertainty, confident)
        sums = segment_sums(z, key, size, chosen)
        vectors = unit(sums / sizes.clamp_min(1).unsqueeze(-1))
    image, group = torch.meshgrid(
        torch.arange(len(z), device=z.device), torch.arange(size, device=z.device), indexing="ij"
    )
    return LevelPrototypes(
        vectors=vectors.flatten(0, 1),
        classes=(group // num_levels).flatten(),
        images=image.flatten(),
        uncertainty=h.flatten(),
        sizes=sizes.flatten(),
        valid=(sizes > 0).flatten(),
    )


def _group_keys(labels: Tensor, levels: Tensor, num_classes: int, num_levels: int) -> Tensor:
    """``[B, h, w]``: ``class * num_levels + level``, or -1 for a pixel that belongs to no class."""
    known = (labels >= 0) & (labels < num_classes)
    return torch.where(known, labels * num_levels + levels, -1)


def _group_facts(
    key: Tensor, size: int, uncertainty: Tensor, confident: Tensor | None
) -> tuple[Tensor | None, Tensor, Tensor]:
    """Pixels to average ``[B, h, w]`` (``None``: all), their number and mean uncertainty ``[B, size]``."""
    # One bin per image more than there are groups takes the pixels that belong to none.
    slot = torch.where(key < 0, size, key).flatten(1)
    bins = uncertainty.new_zeros(len(key), size + 1)
    everyone = bins.scatter_add(1, slot, torch.ones_like(uncertainty).flatten(1))
    h = bins.scatter_add(1, slot, uncertainty.flatten(1)) / everyone.clamp_min(1)
    if confident is None:
        return None, everyone[:, :size], h[:, :size]
    sure = bins.scatter_add(1, slot, confident.to(uncertainty.dtype).flatten(1))
    chosen = confident.flatten(1) | (sure.gather(1, slot) == 0)
    sizes = torch.where(sure > 0, sure, everyone)
    return chosen.view_as(key), sizes[:, :size], h[:, :size]
