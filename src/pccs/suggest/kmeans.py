"""Clusters and gaps among very many points, without comparing all pairs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Points = NDArray[np.float64]

FEW = 512
"""So many points are compared with all others one by one; of more, nearest ones are searched in a tree."""
_AXES, _SLACK = 8, 0.5
_SAMPLE = 4096
_ROWS = 16384


def squared_distances(points: Points, centres: Points) -> Points:
    """``(N, D), (M, D) -> (N, M)``."""
    gaps: Points = (points**2).sum(1)[:, None] - 2 * points @ centres.T + (centres**2).sum(1)
    return np.maximum(gaps, 0, out=gaps)


def gaps_to_nearest(points: Points, among: Points) -> NDArray[np.float64]:
    """Squared distance of each point to its nearest one ``among`` others, ``(N, D), (M, D) -> (N,)``.

    Infinite where there are no others. Of more than :data:`FEW` the nearest is an approximate one: it is
    searched by a k-d tree (slack 0.5) along the eight directions in which ``among`` varies most; the
    distance to the one that is found is that in all directions, so never too small.
    """
    if not len(among):
        return np.full(len(points), np.inf)
    if len(among) <= FEW:
        parts = (squared_distances(points[k : k + _ROWS], among).min(1) for k in range(0, len(points), _ROWS))
        return np.concatenate([np.zeros(0), *parts])
    middle, axes = _leading(among)
    tree = cKDTree((among - middle) @ axes)
    found = tree.query((points - middle) @ axes, eps=_SLACK)[1]
    gaps: NDArray[np.float64] = ((points - among[found]) ** 2).sum(1)
    return gaps


def _leading(points: Points) -> tuple[Points, Points]:
    """Mean, and directions ``(D, 8)`` of largest spread, of a regular sample of the points."""
    some = points[:: max(1, len(points) // _SAMPLE)]
    middle = some.mean(0)
    return middle, np.linalg.svd(some - middle, full_matrices=False)[2][:_AXES].T


def spread(points: Points, k: int, rng: np.random.Generator, served: NDArray[np.float64]) -> NDArray[np.intp]:
    """Indices of ``k`` points far apart, drawn by their squared gaps (k-means++).

    Parameters
    ----------
    points : (N, D)
        What to draw from.
    k : int
        How many, at most N.
    rng : numpy.random.Generator
        Source of the draws.
    served : (N,)
        Squared gap of each point to what needs no more; infinite when there is nothing of the kind.
    """
    gaps, taken = served.copy(), np.zeros(len(points), bool)
    chosen = np.zeros(k, np.intp)
    for number in range(k):
        odds = np.where(taken, 0.0, gaps if np.isfinite(gaps).all() else 1.0)
        odds = odds if odds.sum() > 0 else (~taken).astype(np.float64)
        one = rng.choice(len(points), p=odds / odds.sum())
        chosen[number], taken[one] = one, True
        gaps = np.minimum(gaps, squared_distances(points, points[one][None])[:, 0])
    return chosen


def cluster(
    points: Points, k: int, rng: np.random.Generator, *, served: NDArray[np.float64], iterations: int = 30
) -> tuple[Points, NDArray[np.intp]]:
    """``k`` clusters of the points that are nearer to each other than to what is ``served``.

    Parameters
    ----------
    points : (N, D)
        What to cluster.
    k : int
        Number of centres, at most N; started far apart (:func:`spread`).
    rng : numpy.random.Generator
        Source of the start.
    served : (N,)
        Squared gap of each point to the nearest one that needs no more (:func:`gaps_to_nearest`).
    iterations : int
        Most rounds; it ends earlier when nothing changes.

    Returns
    -------
    centres : (k, D)
        Means of the clusters; where it began, of a cluster without points.
    member : (N,)
        Number of the centre each point belongs to, -1 for points nearer to what is served.
    """
    centres = points[spread(points, k, rng, served)]
    member = _members(points, centres, served)
    for _ in range(iterations):
        for c in range(k):
            inside = points[member == c]
            if len(inside):
                centres[c] = inside.mean(0)
        again = _members(points, centres, served)
        if (again == member).all():
            break
        member = again
    return centres, member


def _members(points: Points, centres: Points, served: NDArray[np.float64]) -> NDArray[np.intp]:
    gaps = squared_distances(points, centres)
    nearest: NDArray[np.intp] = gaps.argmin(1)
    return np.where(gaps.min(1) < served, nearest, -1)
