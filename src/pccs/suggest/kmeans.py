"""k-means with some centres held in place."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


def squared_distances(points: Points, centres: Points) -> Points:
    """``(N, D), (M, D) -> (N, M)``."""
    gaps: Points = ((points[:, None, :] - centres[None, :, :]) ** 2).sum(-1)
    return gaps


def cluster(
    points: Points, k: int, rng: np.random.Generator, *, fixed: Points, iterations: int = 30
) -> tuple[Points, NDArray[np.intp]]:
    """``k`` clusters beside those around the ``fixed`` centres.

    Parameters
    ----------
    points : (N, D)
        What to cluster.
    k : int
        Number of free centres, at most N; started far apart (k-means++).
    rng : numpy.random.Generator
        Source of the start.
    fixed : (F, D)
        Centres that stay.
    iterations : int
        Most rounds; it ends earlier when nothing changes.

    Returns
    -------
    centres : (F + k, D)
        The fixed ones first.
    member : (N,)
        Number of the centre each point belongs to.
    """
    centres = fixed.astype(np.float64)
    for _ in range(k):
        gaps = squared_distances(points, centres).min(1) if len(centres) else np.ones(len(points))
        odds = gaps / gaps.sum() if gaps.sum() > 0 else np.full(len(points), 1 / len(points))
        centres = np.concatenate([centres, points[rng.choice(len(points), p=odds)][None]])
    member = squared_distances(points, centres).argmin(1)
    for _ in range(iterations):
        for c in range(len(fixed), len(centres)):
            inside = points[member == c]
            if len(inside):
                centres[c] = inside.mean(0)
        again = squared_distances(points, centres).argmin(1)
        if (again == member).all():
            break
        member = again
    return centres, member
