"""Where student and teacher contradict each other: what the model is changing its mind about."""

from __future__ import annotations

import numpy as np

from pccs.errors import ModelError
from pccs.events import Suggestion
from pccs.suggest.base import Pool
from pccs.suggest.maps import best_window, take_spread, unpainted, without_edges


class Disagreement:
    """Largest mean difference between student and teacher within a window, away from edges."""

    name = "disagreement"
    title = "Student and teacher disagree"
    summary = "The region where the network and its moving average say different things"
    needs_model = True
    needs_embedding = False

    def rank(self, pool: Pool, rng: np.random.Generator, count: int) -> list[Suggestion]:
        """See :class:`pccs.suggest.base.Strategy`.

        Raises
        ------
        ModelError
            If the model came without its student, as an exported one does.
        """
        seen = [(c, c.disagreement) for c in pool.candidates if c.disagreement is not None]
        if pool.candidates and not seen:
            raise ModelError("this model has no student to compare with", remedy="Use the strategy 'entropy'")
        corrected = without_edges([d for _, d in seen], [c.labels for c, _ in seen])
        corrected = unpainted([c for c, _ in seen], corrected)
        windows = [best_window(d) for d in corrected]
        usual = float(np.mean([w.overall for w in windows])) if windows else 0.0
        ranked = [
            Suggestion(
                c.item,
                w.mean,
                f"Student and teacher differ by {100 * w.mean:.1f} % in this region apart from edges,"
                f" where {100 * usual:.1f} % is usual",
                w.region(c),
            )
            for (c, _), w in zip(seen, windows, strict=True)
        ]
        return take_spread(pool.candidates, ranked, count)


STRATEGY = Disagreement()
