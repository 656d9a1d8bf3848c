"""Balanced assignment by Sinkhorn's iteration, in the log domain (section 6)."""

from __future__ import annotations

from torch import Tensor

from pccs.method.numeric import NEGLIGIBLE


def column_potentials(
    scores: Tensor, *, epsilon: float = 0.05, iterations: int = 4, mask: Tensor | None = None
) -> Tensor:
    """What must be added to ``scores / epsilon`` before the softmax over ``K`` to balance its columns.

    Parameters
    ----------
    scores : Tensor, shape (..., N, K)
        Similarity of each row to each column.
    epsilon : float
        Entropy regularisation: small values give hard assignments.
    iterations : int
        Passes over rows and columns.
    mask : Tensor, shape (..., N), bool, optional
        Rows that count. With none, the potentials are all equal.

    Returns
    -------
    Tensor, shape (..., 1, K)
        Also good for rows that were left out, so a sample of the rows may stand for all.
    """
    logits = scores / epsilon
    v = logits.new_zeros(*logits.shape[:-2], 1, logits.shape[-1])
    for _ in range(iterations):
        rows = logits - (logits + v).logsumexp(-1, keepdim=True)
        if mask is not None:
            rows = rows.masked_fill(~mask.unsqueeze(-1), NEGLIGIBLE)
        v = -rows.logsumexp(-2, keepdim=True)
        # Only differences between columns matter; without this an empty mask would overflow.
        v = v - v.mean(-1, keepdim=True)
    return v


def sinkhorn(
    scores: Tensor, *, epsilon: float = 0.05, iterations: int = 4, mask: Tensor | None = None
) -> Tensor:
    """Soft assignment of rows to columns in which every column receives about the same share.

    Parameters are those of :func:`column_potentials`.

    Returns
    -------
    Tensor, shape (..., N, K)
        Rows sum to 1 (those outside ``mask`` to 0); columns tend to ``n / K`` with the iterations,
        where ``n`` is the number of rows that count.
    """
    v = column_potentials(scores, epsilon=epsilon, iterations=iterations, mask=mask)
    assignment = (scores / epsilon + v).softmax(-1)
    return assignment if mask is None else assignment * mask.unsqueeze(-1)
