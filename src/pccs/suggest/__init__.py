"""What to annotate next: ranked items and regions, each with a reason.

One strategy a file in ``strategies``; the honest baseline (`random`) is among them, and nothing is
promised that the benchmark does not show.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pccs.errors import ConfigError
from pccs.events import Suggestion
from pccs.project import Project
from pccs.suggest.base import Candidate, Pool, Strategy
from pccs.suggest.gather import Progress, embed, look, open_items
from pccs.suggest.registry import AUTOMATIC, STRATEGIES, choose

if TYPE_CHECKING:
    from pccs.predict import Predictor

__all__ = ["AUTOMATIC", "STRATEGIES", "Candidate", "Pool", "Strategy", "suggest"]


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
    """Rank the items nobody has annotated.

    Parameters
    ----------
    project
        Items with strokes, accepted items and those in ``skip`` are left out.
    predictor
        The model, or ``None`` before anything is trained.
    count
        Number of suggestions wanted; fewer come back when there are fewer items.
    strategy
        A key of :data:`STRATEGIES`, or ``"auto"``: `entropy` with a model, `diversity` without.
    seed
        The same project, model and seed give the same answer.
    limit
        Most items that are looked at: of more, a sample drawn with ``seed``; the reasons say so.
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
    items = open_items(project, skip)
    total = len(items)
    if total > limit:
        items = [items[k] for k in np.sort(rng.choice(total, limit, replace=False))]
    uses_maps = method.needs_model or not method.needs_embedding
    candidates = look(project, items, predictor if uses_maps else None, progress)
    annotated = project.annotated_items()
    references = np.zeros((0, 0))
    if method.needs_embedding:
        candidates, references = embed(project, candidates, annotated, predictor)
    names = [c.name for c in project.classes]
    pool = Pool(candidates, names, len(annotated), total, references)
    return method.name, _said(method.rank(pool, rng, count), len(candidates), total)


def _said(suggestions: list[Suggestion], looked: int, total: int) -> list[Suggestion]:
    """The reasons with a note when only a sample was looked at."""
    if looked >= total:
        return suggestions
    note = f" (of {looked} looked at among {total})"
    return [Suggestion(s.item, s.score, s.reason + note, s.region) for s in suggestions]
