"""Uncertainty-weighted prototype contrast, ``l_pc`` (section 6)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from pccs.method.numeric import NEGLIGIBLE, full, full_precision
from pccs.method.prototypes import LevelPrototypes

Direction = Literal["certain", "uncertain", "none"]
_SIGN: dict[Direction, float] = {"certain": -1.0, "uncertain": 1.0, "none": 0.0}


def prototype_contrast(
    protos: LevelPrototypes, *, temperature: float = 0.05, direction: Direction = "certain"
) -> Tensor:
    """Pull prototypes of one class together, push those of different classes apart.

    ``l_pc = Σ_i w_i Σ_j a_ij [logaddexp(S_ij, logsumexp over negatives of S_i) - S_ij]`` over the
    positives ``j`` of ``i`` (same class, not ``i`` itself), with ``S = <r_i, r_j> / temperature``.
    ``a_ij`` is the softmax of ``S_ij`` over the positives, without gradient: a similar positive
    weighs more, which tames one built on wrong pseudo-labels.

    Parameters
    ----------
    protos : LevelPrototypes
        Vectors with gradient.
    temperature : float
        ``T_c``.
    direction : {"certain", "uncertain", "none"}
        ``w_i ∝ exp(∓h_i)``: whether certain or uncertain prototypes weigh more. The paper does not
        fix it.

    Returns
    -------
    Tensor, scalar
        0 with gradient 0 when no prototype has both a positive and a negative.
    """
    with full_precision(protos.vectors):
        r = full(protos.vectors)
        S = r @ r.T / temperature
        positive, negative = _pairs(protos)
        counted = positive.any(1) & negative.any(1)
        w = torch.where(counted, (_SIGN[direction] * protos.uncertainty.detach()).exp(), 0.0).to(S.dtype)
        w = w / w.sum().clamp_min(torch.finfo(S.dtype).tiny)
        a = S.detach().masked_fill(~positive, NEGLIGIBLE).softmax(1) * positive
        against = S.masked_fill(~negative, NEGLIGIBLE).logsumexp(1, keepdim=True)
        terms = a * (torch.logaddexp(S, against) - S)
        return (w * terms.sum(1)).sum()


def _pairs(protos: LevelPrototypes) -> tuple[Tensor, Tensor]:
    """Positives and negatives of every prototype, both ``[N, N]`` bool."""
    both = protos.valid[:, None] & protos.valid[None, :]
    same = protos.classes[:, None] == protos.classes[None, :]
    itself = torch.eye(len(same), dtype=torch.bool, device=same.device)
    return both & same & ~itself, both & ~same
