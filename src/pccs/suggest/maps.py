"""Maps at low resolution: shrinking, taking the edges' share out of the uncertainty, windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pccs.events import Region, Suggestion
from pccs.suggest.base import Candidate, Map

SIDE = 128
"""Longest side of a map that strategies look at, in low-resolution pixels."""


def shrink_factor(shape: tuple[int, int]) -> int:
    """Pixels of an item on a side of one low-resolution pixel."""
    return max(1, -(-max(shape) // SIDE))


def shrink(array: NDArray[np.generic], factor: int) -> Map:
    """Block means of the last two axes, ``(..., H, W) -> (..., ceil(H/factor), ceil(W/factor))``."""
    values = np.asarray(array, dtype=np.float32)
    if factor == 1:
        return values
    rows, cols = values.shape[-2:]
    pad = [(0, 0)] * (values.ndim - 2) + [(0, -rows % factor), (0, -cols % factor)]
    values = np.pad(values, pad, mode="edge")
    blocks = values.reshape(*values.shape[:-2], values.shape[-2] // factor, factor, -1, factor)
    means: Map = blocks.mean((-3, -1))
    return means


def edge_band(labels: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Two pixels on either side of a boundary between predicted classes: as wide as edges are blurred."""
    flat = labels.astype(np.uint8)
    edges: NDArray[np.bool_] = ndimage.maximum_filter(flat, 5) != ndimage.minimum_filter(flat, 5)
    return edges


def without_edges(maps: Sequence[Map], labels: Sequence[NDArray[np.intp]]) -> list[Map]:
    """Maps less what any edge has.

    Uncertainty is always high on edges, so its plain mean ranks images by the length of their
    contours. On the band along predicted boundaries only what exceeds the pool's typical (median)
    edge is kept; away from it, everything. Structures so thin that all of them is edge still count
    when they are less certain than edges usually are.
    """
    bands = [edge_band(each) for each in labels]
    on_edges = np.concatenate([np.zeros(0, np.float32), *(m[b] for m, b in zip(maps, bands, strict=True))])
    typical = np.float32(np.median(on_edges)) if on_edges.size else np.float32(0)
    return [
        np.where(b, np.maximum(m - typical, 0), m).astype(np.float32)
        for m, b in zip(maps, bands, strict=True)
    ]


def around(strokes: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Strokes and what lies near them, a tenth of the longer side: what a person saw while painting."""
    reach = max(2, max(strokes.shape) // 10)
    near: NDArray[np.bool_] = ndimage.distance_transform_edt(~strokes) <= reach
    return near


def unpainted(candidates: Sequence[Candidate], maps: Sequence[Map]) -> list[Map]:
    """Maps that are 0 wherever a person has painted."""
    return [
        m if c.painted is None else np.where(c.painted, np.float32(0), m)
        for c, m in zip(candidates, maps, strict=True)
    ]


@dataclass(frozen=True)
class Window:
    """The part of a map with the largest mean: where it is, how much, and the map's own mean."""

    row: int
    col: int
    height: int
    width: int
    mean: float
    overall: float

    def of(self, array: NDArray[np.generic]) -> NDArray[np.generic]:
        """The same part of another map (last two axes)."""
        return array[..., self.row : self.row + self.height, self.col : self.col + self.width]

    def region(self, candidate: Candidate) -> Region:
        """In pixels of the item."""
        return candidate.region(self.row, self.col, self.height, self.width)


def best_window(values: Map) -> Window:
    """The window, a third of the shorter side (8 pixels at least), whose mean is largest."""
    rows, cols = values.shape
    side = max(8, min(rows, cols) // 3)
    height, width = min(side, rows), min(side, cols)
    sums = np.pad(values.astype(np.float64), ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    boxes = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
    row, col = np.unravel_index(int(boxes.argmax()), boxes.shape)
    mean = float(boxes[row, col]) / (height * width)
    return Window(int(row), int(col), height, width, max(mean, 0.0), float(values.mean()))


def take_spread(
    candidates: Sequence[Candidate], suggestions: Sequence[Suggestion], count: int
) -> list[Suggestion]:
    """The best ``count``, each choice lowering the scores of its neighbours in the same stack.

    Slices next to each other show nearly the same; annotating both teaches little. The score of a
    slice ``n`` away from one already taken is multiplied by ``1 - 0.8 exp(-(n - 1)/3)``.
    """
    place = {c.item: (c.stem, c.index) for c in candidates}
    left = {s.item: s for s in suggestions}
    taken: list[Suggestion] = []
    while left and len(taken) < count:
        best = max(left.values(), key=lambda s: s.score)
        taken.append(left.pop(best.item))
        stem, index = place[best.item]
        for name, other in left.items():
            if place[name][0] == stem:
                apart = abs(place[name][1] - index)
                factor = 1.0 - 0.8 * float(np.exp(-(apart - 1) / 3))
                left[name] = replace(other, score=other.score * factor)
    return taken
