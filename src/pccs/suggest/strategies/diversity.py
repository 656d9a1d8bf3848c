"""Typical images of every kind: medoids of clusters of what the images look like.

Works before anything is trained, where it beats chance (arXiv 2601.18532). Annotated items take part
as clusters that are already served, so a new choice is of a kind nobody has annotated yet.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pccs.events import Suggestion
from pccs.suggest.base import Pool
from pccs.suggest.kmeans import Points, cluster, gaps_to_nearest, squared_distances


class Diversity:
    """The most central image of each cluster, largest cluster first."""

    name = "diversity"
    title = "One of each kind"
    summary = "Typical images of every kind, first of kinds that nobody has annotated"
    needs_model = False
    needs_embedding = True

    def rank(self, pool: Pool, rng: np.random.Generator, count: int) -> list[Suggestion]:
        """See :class:`pccs.suggest.base.Strategy`."""
        if not pool.candidates:
            return []
        points = np.stack([np.asarray(c.embedding) for c in pool.candidates])
        served = gaps_to_nearest(points, pool.annotated)
        centres, member = cluster(points, min(count, len(points)), rng, served=served)
        medoids = sorted(_medoids(points, centres, member), key=lambda m: -m[1])
        chosen = [k for k, _ in medoids]
        medoids += [(k, 0) for k in _farthest(points, served, chosen, min(count, len(points)))]
        total, annotated = len(points), len(pool.annotated)
        return [
            Suggestion(pool.candidates[k].item, (size or 0.5) / total, _reason(size, total, annotated))
            for k, size in medoids[:count]
        ]


def _medoids(points: Points, centres: Points, member: NDArray[np.intp]) -> list[tuple[int, int]]:
    """Most central point and size of each cluster that has points."""
    out = []
    for k in range(len(centres)):
        inside = np.flatnonzero(member == k)
        if len(inside):
            nearest = squared_distances(points[inside], centres[k : k + 1])[:, 0].argmin()
            out.append((int(inside[nearest]), len(inside)))
    return out


def _farthest(points: Points, served: NDArray[np.float64], taken: list[int], count: int) -> list[int]:
    """Points farthest from everything taken or served, one after the other, until ``count`` are taken."""
    gaps, extra = np.minimum(served, gaps_to_nearest(points, points[taken])), list[int]()
    gaps[taken] = -1.0
    while len(taken) + len(extra) < count:
        extra.append(int(gaps.argmax()))
        gaps = np.minimum(gaps, squared_distances(points, points[extra[-1]][None])[:, 0])
        gaps[extra[-1]] = -1.0
    return extra


def _reason(size: int, total: int, annotated: int) -> str:
    if size == 0:
        return f"Resembles images already chosen or annotated, but the least of the {total} compared"
    if size == 1:
        return f"Looks like no other of the {total} images compared" + (
            f", nor like the {annotated} annotated ones" if annotated else ""
        )
    end = f"; nearer to each other than to the {annotated} annotated ones" if annotated else ""
    return f"The most typical of {size} images that look alike, of {total} compared{end}"


STRATEGY = Diversity()
