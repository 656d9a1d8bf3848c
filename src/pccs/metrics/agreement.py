"""How far two people agree: Dice and Cohen's kappa of each class over the pixels that both painted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pccs.project import Project

Counts = NDArray[np.int64]


def counted(a: NDArray[Any], b: NDArray[Any], values: Sequence[int]) -> Counts:
    """How often one person painted class *i* where the other painted class *j*: ``(C, C)``.

    ``a`` and ``b`` are rasters ``(H, W)`` of class ``values``, 0 = not painted; pixels that only one of them
    painted are not counted.
    """
    position = np.full(256, -1, np.int64)
    position[list(values)] = np.arange(len(values))
    rows, columns = position[a], position[b]
    both = (rows >= 0) & (columns >= 0)
    size = len(values)
    found = np.bincount(rows[both] * size + columns[both], minlength=size * size)
    return found.reshape(size, size).astype(np.int64)


def dice(counts: Counts, k: int) -> float:
    """Dice of class ``k``; nan where neither painted it."""
    total = int(counts[k].sum() + counts[:, k].sum())
    return 2 * int(counts[k, k]) / total if total else math.nan


def kappa(counts: Counts) -> float:
    """Cohen's kappa: agreement beyond what chance gives, at most 1; nan where chance alone agrees always."""
    total = int(counts.sum())
    if not total:
        return math.nan
    observed = int(np.trace(counts)) / total
    by_chance = float((counts.sum(axis=1) / total) @ (counts.sum(axis=0) / total))
    return (observed - by_chance) / (1 - by_chance) if by_chance < 1 else math.nan


def one_against_rest(counts: Counts, k: int) -> Counts:
    """The counts ``(2, 2)`` of class ``k`` and of all others together."""
    both, row, column = int(counts[k, k]), int(counts[k].sum()), int(counts[:, k].sum())
    return np.array([[both, row - both], [column - both, int(counts.sum()) - row - column + both]])


@dataclass
class Pair:
    """Two people: the counts of the pixels that both painted, and the items those are in."""

    first: str
    second: str
    counts: Counts
    items: list[str] = field(default_factory=list)

    @property
    def pixels(self) -> int:
        """Pixels that both painted."""
        return int(self.counts.sum())

    def figures(self, names: Sequence[str]) -> dict[str, Any]:
        """All figures by the ``names`` of the classes, fit for JSON: ``None`` where there is none."""
        return {
            "people": [self.first, self.second],
            "items": self.items,
            "pixels": self.pixels,
            "kappa": _figure(kappa(self.counts)),
            "per_class": {
                name: {
                    "dice": _figure(dice(self.counts, k)),
                    "kappa": _figure(kappa(one_against_rest(self.counts, k))),
                    "pixels": [int(self.counts[k].sum()), int(self.counts[:, k].sum())],
                }
                for k, name in enumerate(names)
            },
        }


def agreement(project: Project) -> list[Pair]:
    """Every two people of ``project`` who painted the same pixels, by name.

    Counted is what each painted by hand, before it was joined or decided about, without what was taken over
    from a prediction.
    """
    values = [one.value for one in project.classes]
    pairs: dict[tuple[str, str], Pair] = {}
    for item in project.people.shared_items():
        strokes = project.people.unaided(item)
        for first, second in combinations(sorted(strokes), 2):
            counts = counted(strokes[first], strokes[second], values)
            if counts.any():
                empty = np.zeros_like(counts)
                pair = pairs.setdefault((first, second), Pair(first, second, empty))
                pair.counts = pair.counts + counts
                pair.items.append(item.name)
    return [pairs[key] for key in sorted(pairs)]


def _figure(value: float) -> float | None:
    return None if math.isnan(value) else value
