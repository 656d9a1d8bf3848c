"""Keep ``K`` prototypes of a class from becoming one (sections 6 and 8).

Write the prototypes of a class as ``P_k = m + b_k`` with their mean ``m`` and ``Σ b_k = 0``. A
collapsed class has ``|m|`` near 1 and tiny ``b_k``. Shortening ``m`` opens the cone they form without
turning it: the directions in which the prototypes differ are those the features differ in. It is
shortened just enough that the mean cosine within the class comes down to a ceiling, and not at
all where it is below it. With ``β² = mean |b_k|²`` the mean cosine is
``(|m|² - β²/(K-1)) / (|m|² + β²)``, hence the length used here.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pccs.method.numeric import unit

CEILING = 0.9
"""Largest mean cosine between the prototypes of a class, an angle of 26°."""


def spread(bank: Tensor, directions: Tensor, ceiling: float = CEILING) -> Tensor:
    """The bank with collapsed classes opened to ``ceiling``.

    Parameters
    ----------
    bank : Tensor, shape (C, K, D)
        Unit vectors.
    directions : Tensor, shape (K, D)
        Fixed unit vectors, different from each other: they part prototypes that have become equal.
    ceiling : float
        Largest mean cosine allowed within a class.

    Returns
    -------
    Tensor, shape (C, K, D)
        Unit vectors; classes below the ceiling are returned as they were.
    """
    K = bank.shape[1]
    if K == 1:
        return bank
    # Equal prototypes differ in no direction, so each gets a little of its own.
    differing = bank - bank.mean(1, keepdim=True)
    merged = differing.square().sum(-1).mean(1) < 1e-6
    parted = unit(bank + 1e-2 * directions)
    bank = torch.where(merged[:, None, None], parted, bank)

    centre = bank.mean(1, keepdim=True)
    own = bank - centre
    variance = own.square().sum(-1).mean(1)
    length = (variance * (ceiling + 1 / (K - 1)) / (1 - ceiling)).sqrt()
    opened = unit(own + unit(centre) * length[:, None, None])
    collapsed = mean_cosine(bank) > ceiling
    return torch.where(collapsed[:, None, None], opened, bank)


def mean_cosine(bank: Tensor) -> Tensor:
    """Mean cosine between different prototypes of each class, ``[C]``; 0 when ``K`` is 1."""
    K = bank.shape[1]
    total = bank.sum(1).square().sum(-1)
    return (total - K) / max(K * (K - 1), 1) if K > 1 else torch.zeros_like(total)
