"""Where the model is least certain, edges taken out (see ``maps.without_edges``)."""

from __future__ import annotations

import numpy as np

from pccs.events import Suggestion
from pccs.suggest.base import Candidate, Pool
from pccs.suggest.maps import Window, best_window, take_spread, unpainted, without_edges


class Entropy:
    """Largest mean entropy within a window, away from edges."""

    name = "entropy"
    title = "Most uncertain"
    summary = "The region where the model is least certain, not counting the edges of objects"
    needs_model = True
    needs_embedding = False

    def rank(self, pool: Pool, rng: np.random.Generator, count: int) -> list[Suggestion]:
        """See :class:`pccs.suggest.base.Strategy`."""
        seen = [(c, c.uncertainty) for c in pool.candidates if c.uncertainty is not None]
        corrected = without_edges([u for _, u in seen], [c.labels for c, _ in seen])
        corrected = unpainted([c for c, _ in seen], corrected)
        windows = [best_window(u) for u in corrected]
        usual = float(np.mean([w.overall for w in windows])) if windows else 0.0
        ranked = [
            Suggestion(c.item, w.mean, _reason(c, w, pool, usual), w.region(c))
            for (c, _), w in zip(seen, windows, strict=True)
        ]
        return take_spread(pool.candidates, ranked, count)


def _reason(candidate: Candidate, window: Window, pool: Pool, usual: float) -> str:
    assert candidate.probabilities is not None
    shares = window.of(candidate.probabilities).mean((-2, -1))
    second, first = np.argsort(shares, kind="stable")[-2:]
    return (
        f"Undecided between {pool.class_names[first]} and {pool.class_names[second]} in this region:"
        f" uncertainty {window.mean:.2f} apart from edges, where {usual:.2f} is usual"
    )


STRATEGY = Entropy()
