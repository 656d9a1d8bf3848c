"""Losses on labelled pixels only: cross-entropy and Dice (section 6)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from pccs.labels import IGNORE
from pccs.method.numeric import full, one_hot


def masked_cross_entropy(
    logits: Tensor, target: Tensor, *, weight: Tensor | None = None, pixel_weight: Tensor | None = None
) -> Tensor:
    """Mean cross-entropy over the pixels that have a label.

    Parameters
    ----------
    logits : Tensor, shape (B, C, h, w)
        Before the softmax.
    target : Tensor, shape (B, h, w), int64
        Class, or 255 for a pixel without a label.
    weight : Tensor, shape (C,), optional
        Weight of each class; the mean is weighted by it.
    pixel_weight : Tensor, shape (B, h, w), optional
        Trust in each label. It softens a pixel without making the others louder: the sum is divided
        by the number of labelled pixels all the same.

    Returns
    -------
    Tensor, scalar
        0 with gradient 0 when no pixel has a label.
    """
    logits = full(logits)
    losses = F.cross_entropy(logits, target, ignore_index=IGNORE, reduction="none")
    share = (target != IGNORE).to(losses.dtype)
    if weight is not None:
        share = share * weight.to(losses.dtype)[torch.where(target == IGNORE, 0, target)]
    if pixel_weight is not None:
        losses = losses * pixel_weight.detach().to(losses.dtype)
    return (losses * share).sum() / share.sum().clamp_min(torch.finfo(losses.dtype).tiny)


def masked_dice(logits: Tensor, target: Tensor, *, pixel_weight: Tensor | None = None) -> Tensor:
    """One minus the soft Dice, ``2·intersection / (prediction + target)``, on labelled pixels.

    Sums run over the whole batch, class by class; the mean is over the classes that the target
    contains. A class that is absent from it has no score of its own, but predicting it costs the
    classes it displaces.

    Parameters
    ----------
    logits : Tensor, shape (B, C, h, w)
        Before the softmax.
    target : Tensor, shape (B, h, w), int64
        Class, or 255 for a pixel without a label.
    pixel_weight : Tensor, shape (B, h, w), optional
        Weight of each pixel in all sums.

    Returns
    -------
    Tensor, scalar
        In [0, 1]: exactly 0 for a perfect prediction; 0 with gradient 0 when no pixel has a label.
    """
    p = full(logits).softmax(1)
    counted = (target != IGNORE).to(p.dtype)
    if pixel_weight is not None:
        counted = counted * pixel_weight.detach().to(p.dtype)
    counted = counted.unsqueeze(1)
    truth = one_hot(target, p.shape[1], p.dtype) * counted
    over = (0, 2, 3)
    present = truth.sum(over)
    score = 2.0 * (p * truth).sum(over) / ((p * counted).sum(over) + present).clamp_min(1e-6)
    wanted = (present > 0).to(p.dtype)
    return ((1.0 - score) * wanted).sum() / wanted.sum().clamp_min(1.0)
