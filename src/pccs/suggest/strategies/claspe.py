"""Class-stratified noisy entropy, after ClaSP PE (arXiv 2601.13677), on edge-corrected windows.

The score is ``log u`` plus Gumbel noise of scale ``1/β``; ``β`` grows from 1 to 100, so early choices
vary and late ones follow the model. Two thirds of the choices go round the predicted classes, so
that one difficult class does not take them all. The paper counts rounds of a fixed budget; people
annotate one image at a time, so here ``β`` grows with the number of annotated items and ends at 32.
"""

from __future__ import annotations

import numpy as np

from pccs.events import Suggestion
from pccs.suggest.base import Candidate, Map, Pool
from pccs.suggest.maps import best_window, unpainted, without_edges

_STRATIFIED = 2 / 3
_LAST_ROUND = 32


class ClaSP:
    """Noisy entropy, class by class."""

    name = "claspe"
    title = "Uncertain, class by class"
    summary = "Uncertain regions of every class in turn, with some chance so that suggestions vary"
    needs_model = True
    needs_embedding = False

    def rank(self, pool: Pool, rng: np.random.Generator, count: int) -> list[Suggestion]:
        """See :class:`pccs.suggest.base.Strategy`."""
        seen = [(c, c.uncertainty) for c in pool.candidates if c.uncertainty is not None]
        corrected = without_edges([u for _, u in seen], [c.labels for c, _ in seen])
        corrected = unpainted([c for c, _ in seen], corrected)
        pairs = [(c, u) for (c, _), u in zip(seen, corrected, strict=True)]
        spread = 1.0 / 100.0 ** min(1.0, pool.rounds / _LAST_ROUND)
        queues: dict[int | None, list[Suggestion]] = {}
        chosen: dict[str, Suggestion] = {}
        for wanted in _turns([c for c, _ in seen], count):
            if wanted not in queues:
                queues[wanted] = _noisy_order(_of_class(pairs, wanted, pool), rng, spread)
            fresh = (s for s in queues[wanted] if s.item not in chosen)
            best = next(fresh, None) if len(chosen) < count else None
            if best is not None:
                chosen[best.item] = best
        # Choices were made in turn; they are shown by how uncertain they are.
        return sorted(chosen.values(), key=lambda s: -s.score)


def _turns(seen: list[Candidate], count: int) -> list[int | None]:
    """The class each choice is made for; ``None``: any.

    Twice as many as choices, because a class may run out of images.
    """
    shown = sorted(set().union(*(np.unique(c.labels).tolist() for c in seen)))
    stratified = round(_STRATIFIED * count) if shown else 0
    by_class: list[int | None] = [int(shown[k % len(shown)]) for k in range(stratified)]
    return [*by_class, *[None] * (2 * count - stratified)]


def _noisy_order(suggestions: list[Suggestion], rng: np.random.Generator, spread: float) -> list[Suggestion]:
    """By ``log u + Gumbel(0, spread)``, largest first."""
    scores = np.log([s.score + 1e-6 for s in suggestions]) + rng.gumbel(0.0, spread, len(suggestions))
    return [suggestions[k] for k in np.argsort(-scores, kind="stable")]


def _of_class(pairs: list[tuple[Candidate, Map]], wanted: int | None, pool: Pool) -> list[Suggestion]:
    """The most uncertain window of class ``wanted`` of every candidate that shows it."""
    out = []
    for candidate, values in pairs:
        inside = np.ones(values.shape, bool) if wanted is None else candidate.labels == wanted
        if inside.any():
            window = best_window(np.where(inside, values, np.float32(0)))
            # A small object fills little of a window: its own pixels are what the score is about.
            score = window.mean * window.height * window.width / max(int(window.of(inside).sum()), 1)
            out.append(
                Suggestion(candidate.item, score, _reason(score, wanted, pool), window.region(candidate))
            )
    return out


def _reason(score: float, wanted: int | None, pool: Pool) -> str:
    what = "" if wanted is None else f" where the model sees {pool.class_names[wanted]}"
    turn = "drawn among the most uncertain" if wanted is None else "each class has its turn"
    return f"Uncertainty {score:.2f} apart from edges{what}; {turn}, with some chance"


STRATEGY = ClaSP()
