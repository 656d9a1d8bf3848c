"""What a strategy is given and what it gives back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pccs.events import Region, Suggestion

Map = NDArray[np.float32]


@dataclass(frozen=True)
class Candidate:
    """An item that can be suggested, at low resolution.

    ``probabilities`` float32 ``(C, h, w)``, ``uncertainty`` and ``disagreement`` float32 ``(h, w)`` in
    [0, 1]; ``None`` without a model (or without a student). ``embedding`` float64 ``(D,)``, made only for
    strategies that ask for it. One low-resolution pixel covers ``scale × scale`` pixels of the item.
    """

    item: str
    stem: str
    index: int
    shape: tuple[int, int]
    scale: int = 1
    probabilities: Map | None = None
    uncertainty: Map | None = None
    disagreement: Map | None = None
    embedding: NDArray[np.float64] | None = None
    painted: NDArray[np.bool_] | None = None
    """Where strokes lie and around them, ``(h, w)``: no place for more; ``None`` where nobody has painted."""

    @property
    def size(self) -> tuple[int, int]:
        """``(h, w)`` of its maps."""
        rows, cols = self.shape
        return -(-rows // self.scale), -(-cols // self.scale)

    @property
    def labels(self) -> NDArray[np.intp]:
        """Most likely class of each low-resolution pixel (index: 0 is background), ``(h, w)``."""
        assert self.probabilities is not None, "labels exist only where a model has looked"
        index: NDArray[np.intp] = self.probabilities.argmax(0)
        return index

    def region(self, row: int, col: int, height: int, width: int) -> Region:
        """A low-resolution window as a region of the item, cut at the item's border."""
        rows, cols = self.shape
        return (
            min(row * self.scale, rows - 1),
            min(col * self.scale, cols - 1),
            min((row + height) * self.scale, rows),
            min((col + width) * self.scale, cols),
        )


@dataclass(frozen=True)
class Pool:
    """All a strategy may look at.

    ``annotated`` ``(A, D)`` holds the embeddings of annotated items, ``rounds`` their number;
    ``total`` counts the items of the project that can be suggested: the candidates may be a sample.
    """

    candidates: Sequence[Candidate]
    class_names: Sequence[str]
    rounds: int
    total: int
    annotated: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))


class Strategy(Protocol):
    """One way to choose; a module of ``pccs.suggest.strategies`` that defines ``STRATEGY``.

    ``name`` is what the command line takes, ``title`` what a menu shows, ``summary`` one sentence on
    what it looks for. ``needs_model``: it ranks predictions. ``needs_embedding``: it compares items.
    """

    name: str
    title: str
    summary: str
    needs_model: bool
    needs_embedding: bool

    def rank(self, pool: Pool, rng: np.random.Generator, count: int) -> list[Suggestion]:
        """At most ``count`` suggestions, best first, scores falling; a reason with numbers in each."""
        ...
