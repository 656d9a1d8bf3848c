"""Agreement between two branches, and the certainty of one: ``l_c`` (section 6)."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from pccs.method.numeric import full, safe_log
from pccs.method.uncertainty import normalised_entropy

_FLOOR = 1e-6
"""Probability below which a logarithm is constant: bounds the gradient of a confident mistake."""


def agreement(
    student_probs: Tensor,
    target_probs: Tensor,
    weight: Tensor | None = None,
    kind: Literal["mse", "ce"] = "mse",
) -> Tensor:
    """How far the student's probabilities are from the target's, as a mean over pixels.

    Parameters
    ----------
    student_probs, target_probs : Tensor, shape (B, C, h, w)
        Probabilities (never logits). The target is detached.
    weight : Tensor, shape (B, h, w), optional
        Weight of each pixel, detached; a pixel of weight 0 is silent and makes no other one louder.
    kind : {"mse", "ce"}
        Squared difference summed over the classes, or the cross-entropy less the target's own
        entropy (Kullback-Leibler), so that both are exactly 0 for equal distributions.

    Returns
    -------
    Tensor, scalar
        Depends neither on the size of the batch nor on the resolution.
    """
    p, q = full(student_probs), full(target_probs.detach())
    if kind == "mse":
        apart = (p - q).square().sum(1)
    else:
        apart = (q * (safe_log(q, _FLOOR) - safe_log(p, _FLOOR))).sum(1)
    return apart.mean() if weight is None else (apart * full(weight.detach())).mean()


def mean_entropy(probs: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean normalised entropy over the pixels of ``mask``.

    Parameters
    ----------
    probs : Tensor, shape (B, C, h, w)
        Probabilities.
    mask : Tensor, shape (B, h, w), bool or weights, optional
        Pixels that count; all when left out.

    Returns
    -------
    Tensor, scalar
        In [0, 1]; 0 with gradient 0 when the mask is empty.
    """
    entropy = normalised_entropy(probs)
    if mask is None:
        return entropy.mean()
    m = mask.detach().to(entropy.dtype)
    return (entropy * m).sum() / m.sum().clamp_min(1e-6)
