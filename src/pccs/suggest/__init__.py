"""What to annotate next: ranked items and regions, each with a reason.

One strategy a file in ``strategies``; the honest baseline (`random`) is among them, and nothing is
promised that the benchmark does not show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pccs.errors import ConfigError
from pccs.events import Suggestion
from pccs.project import Item, Project
from pccs.suggest.base import Candidate, Pool, Strategy
from pccs.suggest.gather import embed, look, open_items, unfinished_items
from pccs.suggest.registry import AUTOMATIC, STRATEGIES, choose
from pccs.suggest.survey import Progress, Survey

if TYPE_CHECKING:
    from pccs.predict import Predictor

_FULL = 0.9
"""Share of an image that lies near strokes, from which on nothing more is suggested on it."""

__all__ = ["AUTOMATIC", "STRATEGIES", "Candidate", "Pool", "Strategy", "Survey", "suggest", "survey_of"]


def suggest(
    project: Project,
    predictor: Predictor | None,
    *,
    count: int = 10,
    strategy: str = "auto",
    skip: Sequence[str] = (),
    seed: int = 0,
    limit: int = 200,
    progress: Progress | None = None,
) -> tuple[str, list[Suggestion]]:
    """Rank the items nobody has annotated, and places on unfinished ones when there are too few.

    Parameters
    ----------
    project
        Accepted items, complete ones and those in ``skip`` are left out. Items with strokes come in only
        when fewer than ``count`` are without, and only by regions away from their strokes.
    predictor
        The model, or ``None`` before anything is trained.
    count
        Number of suggestions wanted; fewer come back when there are fewer items. One an item.
    strategy
        A key of :data:`STRATEGIES`, or ``"auto"``: what the benchmark favours.
    seed
        The same project, model and seed give the same answer, as long as no more images were looked at.
    limit
        Most items whose predictions are looked at: of more, a sample drawn with ``seed``; the reasons say so.
        Strategies that compare images look at as many when they know fewer, and use all they know: what an
        image looks like is kept in the project.
    progress
        Called with the number of items looked at and their total.

    Returns
    -------
    strategy, suggestions
        The strategy that was used, and its suggestions, best first.

    Raises
    ------
    ConfigError
        If the strategy is unknown or a number is below 1.
    ModelError
        If the strategy ranks predictions and ``predictor`` is ``None``.
    """
    for name, value in (("count", count), ("limit", limit)):
        if value < 1:
            raise ConfigError(f"{name} cannot be {value}", allowed="whole numbers from 1")
    method = choose(strategy, model=predictor is not None)
    rng = np.random.default_rng(seed)
    items, done = open_items(project, skip), project.annotated_items()
    annotated = np.zeros((0, 0))
    if method.needs_embedding:
        survey = Survey(project, items, done)
        candidates, annotated = embed(project, survey, predictor, limit, rng, progress)
    else:
        if len(items) < count:
            items += unfinished_items(project, skip)
        candidates = look(project, _sample(items, limit, rng), predictor, progress)
        candidates = [c for c in candidates if c.painted is None or c.painted.mean() < _FULL]
    pool = Pool(candidates, [c.name for c in project.classes], len(done), len(items), annotated)
    found = [_elsewhere(s, candidates) for s in method.rank(pool, rng, count)]
    return method.name, _said(found, len(candidates), len(items))


def survey_of(project: Project, skip: Sequence[str] = ()) -> Survey:
    """What strategies that compare images know of those of ``project``, and the means to look at more."""
    return Survey(project, open_items(project, skip), project.annotated_items())


def _sample(items: list[Item], limit: int, rng: np.random.Generator) -> list[Item]:
    """``limit`` of the items, in their order; all when there are no more."""
    if len(items) <= limit:
        return items
    return [items[k] for k in np.sort(rng.choice(len(items), limit, replace=False))]


def _elsewhere(suggestion: Suggestion, candidates: Sequence[Candidate]) -> Suggestion:
    """The suggestion with a note when its image has strokes elsewhere."""
    begun = any(c.item == suggestion.item and c.painted is not None for c in candidates)
    note = "; away from the strokes that are on this image" if begun else ""
    return replace(suggestion, reason=suggestion.reason + note)


def _said(suggestions: list[Suggestion], looked: int, total: int) -> list[Suggestion]:
    """The reasons with a note when only a sample was looked at."""
    if looked >= total:
        return suggestions
    note = f" (of {looked} looked at among {total})"
    return [Suggestion(s.item, s.score, s.reason + note, s.region) for s in suggestions]
