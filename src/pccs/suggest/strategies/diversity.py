"""Typical images of every kind: medoids of clusters of what the images look like.

Works before anything is trained, where it beats chance (arXiv 2601.18532). Annotated items take part
as clusters that are already served, so a new choice is of a kind nobody has annotated yet.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pccs.events import Suggestion
from pccs.suggest.base import Pool
from pccs.suggest.kmeans import cluster, squared_distances


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
        fixed = pool.annotated if pool.annotated.size else np.zeros((0, points.shape[1]))
        centres, member = cluster(points, min(count, len(points)), rng, fixed=fixed)
        medoids = _medoids(points, centres, member, len(fixed))
        medoids.sort(key=lambda m: -m[1])
        left = [k for k in range(len(points)) if k not in {m for m, _ in medoids}]
        medoids += [(k, 0) for k in _farthest(points, fixed, [m for m, _ in medoids], left, count)]
        total = len(points)
        return [
            Suggestion(pool.candidates[k].item, (size or 0.5) / total, _reason(size, total, len(fixed)))
            for k, size in medoids[:count]
        ]


def _medoids(
    points: NDArray[np.float64], centres: NDArray[np.float64], member: NDArray[np.intp], served: int
) -> list[tuple[int, int]]:
    """Most central point and size of each cluster that is not ``served``."""
    out = []
    for k in range(served, len(centres)):
        inside = np.flatnonzero(member == k)
        if len(inside):
            nearest = squared_distances(points[inside], centres[k : k + 1])[:, 0].argmin()
            out.append((int(inside[nearest]), len(inside)))
    return out


def _farthest(
    points: NDArray[np.float64], fixed: NDArray[np.float64], taken: list[int], left: list[int], count: int
) -> list[int]:
    """Points farthest from everything taken, one after the other, until there are ``count``."""
    extra: list[int] = []
    while left and len(taken) + len(extra) < count:
        chosen = np.concatenate([fixed, points[taken + extra]])
        gaps = squared_distances(points[left], chosen).min(1) if len(chosen) else np.ones(len(left))
        extra.append(left.pop(int(gaps.argmax())))
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
