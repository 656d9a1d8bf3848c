"""How sure the teacher is of a pixel, and how sure is sure enough (sections 4 and 5)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pccs.method.numeric import full, safe_log


def normalised_entropy(probabilities: Tensor) -> Tensor:
    """Entropy over the classes divided by its largest value.

    Parameters
    ----------
    probabilities : Tensor, shape (B, C, ...)
        Summing to 1 over ``C >= 2``.

    Returns
    -------
    Tensor, shape (B, ...)
        In [0, 1]: exactly 0 where one class has everything, 1 where all are equally likely. The
        gradient is finite everywhere, at a probability of 0 too.
    """
    p = full(probabilities)
    entropy = -(p * safe_log(p)).sum(1)
    return (entropy / math.log(max(p.shape[1], 2))).clamp(0.0, 1.0)


def confidence_threshold(progress: float, start: float = 0.36, end: float = 0.72) -> float:
    """``τ``: the uncertainty above which a pixel is not trusted, changing linearly with ``progress``.

    ``progress`` is in [0, 1] and clipped to it. The default ends correspond to the published constants for
    two classes on the normalised scale; the straight line between them is our choice.
    """
    return start + (end - start) * min(max(progress, 0.0), 1.0)


def confident_pixels(
    uncertainty: Tensor, labels: Tensor, threshold: float | Tensor, num_classes: int
) -> Tensor:
    """Pixels whose label is trusted: ``U <= max(τ, mean U of their class in the batch)``.

    A young teacher is certain of nothing, and a rare class later than a common one. With ``τ`` alone the
    memory would then learn from no pixel, or from a few that shout; so of every class the pixels
    more certain than its average always count.

    Parameters
    ----------
    uncertainty : Tensor, shape (B, h, w)
        In [0, 1].
    labels : Tensor, shape (B, h, w), int64
        Class of each pixel; one outside ``[0, num_classes)`` (255: ignored) is never trusted.
    threshold : float or Tensor, scalar
        ``τ``, from :func:`confidence_threshold`.
    num_classes : int
        ``C``.

    Returns
    -------
    Tensor, shape (B, h, w), bool
    """
    U = full(uncertainty.detach())
    known = (labels >= 0) & (labels < num_classes)
    slot = torch.where(known, labels, num_classes).flatten()
    empty = U.new_zeros(num_classes + 1)
    total = empty.scatter_add(0, slot, U.flatten())
    count = empty.scatter_add(0, slot, torch.ones_like(U).flatten())
    # Rounding must not shut out a class whose pixels are all equally certain.
    usual = total / count.clamp_min(1) + 1e-6
    return known & (usual.clamp_min(threshold)[slot].view_as(U) >= U)


def ramp(x: float, X: float) -> float:
    """``exp(-5 (1 - clip(x, 0, X)/X)²)``: from 0.007 to 1 as ``x`` goes from 0 to ``X``."""
    if X <= 0:
        return 1.0
    return math.exp(-5.0 * (1.0 - min(max(x, 0.0), X) / X) ** 2)
