"""The honest baseline: chance, made to fall on foreground where a model can say where that is.

Foreground-aware random is what published strategies fail to beat reliably (nnActive, arXiv
2511.19183), so it is in the product and in every comparison.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pccs.events import Region, Suggestion
from pccs.suggest.base import Candidate, Pool

_SHARE = 2 / 3
"""Share of the choices that must show foreground."""


class Random:
    """Two choices in three fall on predicted foreground, a class at a time; the rest anywhere."""

    name = "random"
    title = "Random"
    summary = "Chance, two choices in three on something that looks like foreground"
    needs_model = False
    needs_embedding = False

    def rank(self, pool: Pool, rng: np.random.Generator, count: int) -> list[Suggestion]:
        """See :class:`pccs.suggest.base.Strategy`."""
        left = [pool.candidates[k] for k in rng.permutation(len(pool.candidates))]
        shows = {c.item: _classes_shown(c) for c in left}
        chosen: list[Suggestion] = []
        while left and len(chosen) < count:
            score = 1.0 - len(chosen) / max(count, 1)
            offered = sorted(set().union(*(shows[c.item] for c in left)))
            if offered and rng.random() < _SHARE:
                wanted = offered[rng.integers(len(offered))]
                candidate = next(c for c in left if wanted in shows[c.item])
                chosen.append(_on_class(candidate, wanted, pool, rng, score))
            else:
                candidate = left[0]
                chosen.append(_anywhere(candidate, pool, rng, score))
            left.remove(candidate)
        return chosen


def _classes_shown(candidate: Candidate) -> set[int]:
    """Foreground classes predicted on at least one pixel in a thousand."""
    if candidate.probabilities is None:
        return set()
    counts = np.bincount(candidate.labels[_free(candidate)], minlength=2)
    return {int(c) for c in np.flatnonzero(counts[1:] >= max(1, candidate.labels.size // 1000)) + 1}


def _free(candidate: Candidate) -> NDArray[np.bool_]:
    """Where nobody has painted yet."""
    return np.ones(candidate.size, bool) if candidate.painted is None else ~candidate.painted


def _anywhere(candidate: Candidate, pool: Pool, rng: np.random.Generator, score: float) -> Suggestion:
    """The whole image, or a window around a random pixel where strokes lie elsewhere."""
    reason = f"Drawn at random from {pool.total} images that are not finished"
    region = None if candidate.painted is None else _window(candidate, _free(candidate), rng)
    return Suggestion(candidate.item, score, reason, region)


def _window(candidate: Candidate, among: NDArray[np.bool_], rng: np.random.Generator) -> Region:
    """A third of the shorter side around a random pixel of ``among``."""
    rows, cols = np.nonzero(among)
    k = rng.integers(len(rows))
    h, w = among.shape
    side = min(max(8, min(h, w) // 3), h, w)
    top, left = (int(np.clip(p - side // 2, 0, n - side)) for p, n in ((rows[k], h), (cols[k], w)))
    return candidate.region(top, left, side, side)


def _on_class(
    candidate: Candidate, wanted: int, pool: Pool, rng: np.random.Generator, score: float
) -> Suggestion:
    """A window around a random pixel of class ``wanted``."""
    shown = (candidate.labels == wanted) & _free(candidate)
    share = 100 * float(shown.mean())
    reason = (
        f"Drawn at random among images that seem to show {pool.class_names[wanted]}"
        f" ({share:.1f} % of this one)"
    )
    return Suggestion(candidate.item, score, reason, _window(candidate, shown, rng))


STRATEGY = Random()
