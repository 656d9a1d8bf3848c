"""How good the teacher is on annotated pixels it was not trained on, and how sure that is.

Dice is pooled: the pixels of all crops are counted together, so that an image with few pixels of a class
does not decide. What varies is which *images* happen to be annotated, so the standard error is the
jackknife over items (Efron and Stein, Annals of Statistics 9, 1981), not over pixels, which are far from
independent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pccs.labels import IGNORE

Counts = NDArray[np.int64]
"""``[n, C, 3]``: for each crop and class the pixels in common, those guessed, those annotated."""


@dataclass(frozen=True)
class Estimate:
    """Pooled Dice with what it rests on.

    Attributes
    ----------
    dice
        Mean over the classes other than the first that occur; ``None`` when none does.
    error
        Its standard error; ``None`` with fewer than two items.
    per_class
        Dice of every class that occurs, the first included.
    items, pixels
        How many items and annotated pixels were measured.
    """

    dice: float | None = None
    error: float | None = None
    per_class: dict[str, float] | None = None
    items: int = 0
    pixels: int = 0


def count(guess: Tensor, target: Tensor, classes: int) -> Tensor:
    """Counts of ``n`` crops, on their device: no reading, so no waiting.

    Parameters
    ----------
    guess, target : Tensor, shape (n, H, W), integers
        Class of every pixel; ``target`` is 255 where nothing is known.

    Returns
    -------
    Tensor, shape (n, C, 3), int64
    """
    known = target != IGNORE
    pairs = [((guess == c) & known, target == c) for c in range(classes)]
    return torch.stack(
        [torch.stack([(g & t).sum((1, 2)), g.sum((1, 2)), t.sum((1, 2))], dim=-1) for g, t in pairs], dim=1
    )


def estimate(counts: Counts, items: Sequence[str], classes: Sequence[str]) -> Estimate:
    """Pooled Dice and its jackknife standard error.

    Parameters
    ----------
    counts
        ``[n, C, 3]`` as :func:`count` gives them.
    items
        The item of each crop; crops of one item are left out together.
    classes
        Names of the ``C`` classes.
    """
    if not len(items):
        return Estimate()
    names, where = np.unique(np.asarray(items), return_inverse=True)
    by_item = np.zeros((len(names), *counts.shape[1:]), np.int64)
    np.add.at(by_item, where.ravel(), counts)
    total = by_item.sum(0)
    dice = float(_mean_dice(total))
    single = _dice(total)
    return Estimate(
        dice=None if math.isnan(dice) else dice,
        error=_jackknife(_mean_dice(total - by_item)),
        per_class={n: float(d) for n, d in zip(classes, single, strict=True) if not math.isnan(d)},
        items=len(names),
        pixels=int(total[:, 2].sum()),
    )


def _dice(totals: Counts) -> NDArray[np.float64]:
    """Dice ``[..., C]`` of totals ``[..., C, 3]``; NaN where the class is not annotated."""
    common, guessed, annotated = np.moveaxis(totals.astype(np.float64), -1, 0)
    return np.where(annotated > 0, 2 * common / np.maximum(guessed + annotated, 1), np.nan)


def _mean_dice(totals: Counts) -> NDArray[np.float64]:
    """Mean over the annotated classes after the first, ``[...]``; NaN where there is none."""
    dice = _dice(totals)[..., 1:]
    occurs = ~np.isnan(dice)
    number = occurs.sum(-1)
    mean: NDArray[np.float64] = np.where(
        number > 0, np.where(occurs, dice, 0.0).sum(-1) / np.maximum(number, 1), np.nan
    )
    return mean


def _jackknife(without: NDArray[np.float64]) -> float | None:
    """Standard error from the values with one item left out each, ``[m]``.

    ``None`` with a single item, or when one item alone holds everything that is measured.
    """
    m = len(without)
    if m < 2 or np.isnan(without).any():
        return None
    return float(np.sqrt((m - 1) / m * ((without - without.mean()) ** 2).sum()))
