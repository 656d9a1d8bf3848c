"""What a person would have scribbled, drawn from a complete mask; and how long annotating takes.

The simulated person sets a few strokes into every class, the background included: most of them run
along the middle of a region (its skeleton), some are short and lie anywhere in it. The background gets
strokes far and near in turn, the near ones around the objects, where a person sees that a prediction
would leak. Strokes wobble, are 3 to 5 pixels wide and stay inside their region: a person who slips
undoes it. Together they cover about 1 to 3 % of the image.

The seconds are an **assumption**, not a measurement, the same for every arm; only their ratio
matters. See :class:`Pace`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter1d, label
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra
from skimage.measure import find_contours
from skimage.morphology import skeletonize

from pccs.labels import Raster

COVERAGE = 0.02
"""Share of the image that the strokes aim to cover, the same for each class."""
_BACKGROUND = 0.01
"""The same for the first class alone, which is the largest and the most varied."""
_NEAR = (3.0, 0.12)
"""Where near strokes lie: at least so many pixels, at most that share of the shorter side from an object."""
_OF_CLASS = 0.25
"""Share of a class that is painted at most: nobody fills a small object with strokes."""
_SPECK = 16
"""Pixels below which a region is not scribbled on."""
_LONGEST = 0.5
"""Longest stroke, as a share of the image's shorter side."""
_SHORT = (8, 30)
"""Length of the short strokes, in pixels."""
_SHORT_SHARE = 0.3
_WIDTHS = (3, 4, 5)
_WOBBLE = 1.2
"""Pixels by which a hand strays from the middle (standard deviation)."""
_MAX_STROKES = 6
"""Of one class in one image."""

_Line = NDArray[np.float64]
"""``(n, 2)`` row and column of the points of a stroke, about one pixel apart."""


@dataclass(frozen=True)
class Pace:
    """Seconds an annotator takes: an assumption, stated so that it can be doubted."""

    item: float = 5.0
    """To open an image and look at it."""
    stroke: float = 2.0
    """To choose the class and set the brush down."""
    stroke_speed: float = 80.0
    """Pixels a second of a loose stroke."""
    region: float = 2.0
    """To begin a contour."""
    contour_speed: float = 20.0
    """Pixels a second along a contour that has to be right."""

    def scribbles(self, lengths: list[float]) -> float:
        """Seconds for one image with strokes of these lengths, in pixels."""
        return self.item + sum(self.stroke + length / self.stroke_speed for length in lengths)

    def complete(self, truth: Raster) -> float:
        """Seconds to trace every region of an image; the first class is what remains, and free."""
        seconds = self.item
        for value in np.unique(truth[truth > 1]):
            for line in _contours(truth == value):
                length = float(np.linalg.norm(np.diff(line, axis=0), axis=1).sum())
                seconds += self.region + length / self.contour_speed
        return seconds


def scribble(truth: Raster, seed: int) -> tuple[Raster, list[float]]:
    """Strokes on one image.

    Parameters
    ----------
    truth
        Class values ``(H, W)``, no pixel unknown.
    seed
        Start of the random sequence.

    Returns
    -------
    annotation, lengths
        Class values ``(H, W)`` with 0 where nothing is painted, and the length of each stroke in pixels.
    """
    rng = np.random.default_rng(seed)
    annotation = np.zeros_like(truth)
    values = np.unique(truth)
    lengths: list[float] = []
    budget = COVERAGE * truth.size / len(values)
    for value in values:
        region = truth == value
        if value == 1 and len(values) > 1:
            lengths += _scribble_background(annotation, region, rng)
        else:
            lengths += _scribble_class(annotation, region, int(value), budget, rng)
    return annotation, lengths


def _scribble_background(
    annotation: Raster, region: NDArray[np.bool_], rng: np.random.Generator
) -> list[float]:
    """Strokes on the first class: half of them anywhere, half around the objects."""
    budget = _BACKGROUND * region.size
    away = distance_transform_edt(region)
    least, most = _NEAR
    ring = (away >= least) & (away <= max(least + 2, most * min(region.shape)))
    lengths = _scribble_class(annotation, region, 1, budget / 2, rng)
    if ring.sum() >= _SPECK:
        done = (annotation == 1).sum()
        lengths += _scribble_class(annotation, ring, 1, float(done) + budget / 2, rng)
    return lengths


def _contours(region: NDArray[np.bool_]) -> list[_Line]:
    """The outlines of ``region``, holes included."""
    return list(find_contours(np.pad(region, 1).astype(np.float32), 0.5))  # type: ignore[no-untyped-call]


def _scribble_class(
    annotation: Raster, region: NDArray[np.bool_], value: int, budget: float, rng: np.random.Generator
) -> list[float]:
    """Strokes of one class into ``annotation``, until they cover ``budget`` pixels."""
    parts, count = label(region, np.ones((3, 3)))
    sizes = np.bincount(parts.ravel(), minlength=count + 1)[1:]
    able = [k + 1 for k in range(count) if sizes[k] >= _SPECK] or [int(sizes.argmax()) + 1]
    chance = np.sqrt(sizes[np.array(able) - 1])  # large regions catch the eye
    order = rng.choice(able, len(able), replace=False, p=chance / chance.sum())
    skeletons: dict[int, NDArray[np.intp]] = {}
    lengths: list[float] = []
    longest = _LONGEST * min(region.shape)
    budget = min(budget, _OF_CLASS * float(region.sum()))
    for number in range(_MAX_STROKES):
        part = int(order[number % len(order)])
        here = parts == part
        if part not in skeletons:
            skeletons[part] = np.argwhere(skeletonize(here))  # type: ignore[no-untyped-call]
        short = rng.random() < _SHORT_SHARE and number > 0
        line = _short_stroke(here, rng) if short else _walk(skeletons[part], longest, rng)
        line = _by_hand(line, rng)
        annotation[_brushed(line, int(rng.choice(_WIDTHS)), here)] = value
        lengths.append(float(np.linalg.norm(np.diff(line, axis=0), axis=1).sum()))
        if (annotation == value).sum() >= budget:
            break
    return lengths


def _walk(skeleton: NDArray[np.intp], longest: float, rng: np.random.Generator) -> _Line:
    """A way along the skeleton ``(n, 2)`` from a random pixel, at most ``longest`` long."""
    start = int(rng.integers(len(skeleton)))
    distance, before = dijkstra(
        _neighbours(skeleton), directed=False, indices=start, return_predecessors=True, limit=longest
    )
    reached = np.flatnonzero(np.isfinite(distance))
    far = reached[distance[reached] >= 0.7 * distance[reached].max()]
    way = [int(rng.choice(far))]
    while way[-1] != start:
        way.append(int(before[way[-1]]))
    return skeleton[way].astype(np.float64)


def _neighbours(pixels: NDArray[np.intp]) -> coo_matrix:
    """The graph of pixels that touch by a side or a corner, weighted by their distance."""
    shape = pixels.max(axis=0) + 2
    number = np.full(shape, -1)
    number[tuple(pixels.T)] = np.arange(len(pixels))
    rows, columns, weights = [], [], []
    for step in ((0, 1), (1, -1), (1, 0), (1, 1)):
        near = number[tuple((pixels + step).T)]
        known = np.flatnonzero(near >= 0)
        rows.append(known)
        columns.append(near[known])
        weights.append(np.full(len(known), float(np.hypot(*step))))
    size = len(pixels)
    entries = (np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns)))
    return coo_matrix(entries, shape=(size, size)).tocsr()


def _short_stroke(region: NDArray[np.bool_], rng: np.random.Generator) -> _Line:
    """A short, slightly bent line from a random pixel of ``region`` to where it leaves the region."""
    pixels = np.argwhere(region)
    start = pixels[int(rng.integers(len(pixels)))]
    length = int(rng.integers(*_SHORT))
    heading = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.08, length))
    line = start + np.cumsum(np.stack([np.sin(heading), np.cos(heading)], 1), axis=0)
    inside = _at(region, line)
    end = int(np.argmin(inside)) if not inside.all() else length
    return np.concatenate([start[None].astype(np.float64), line[:end]])


def _by_hand(line: _Line, rng: np.random.Generator) -> _Line:
    """``line`` smoothed, and led by a hand that is not quite steady."""
    if len(line) < 4:
        return line
    smooth = gaussian_filter1d(line, 3.0, axis=0, mode="nearest")
    drift = gaussian_filter1d(rng.normal(0, 1, line.shape), 6.0, axis=0, mode="nearest")
    return np.asarray(smooth + _WOBBLE * drift / (drift.std() + 1e-9), np.float64)


def _brushed(line: _Line, width: int, region: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels of ``region`` under a round brush of ``width`` pixels led along ``line``."""
    half = (width - 1) / 2
    reach = int(np.ceil(half))
    disk = np.argwhere(np.hypot(*np.indices((2 * reach + 1, 2 * reach + 1)) - reach) <= half + 0.1) - reach
    dense = np.concatenate([line, (line[1:] + line[:-1]) / 2])
    places = (np.round(dense).astype(int)[:, None] + disk).reshape(-1, 2)
    inside = ((places >= 0) & (places < region.shape)).all(axis=1)
    painted = np.zeros_like(region)
    painted[tuple(places[inside].T)] = True
    painted &= region
    if not painted.any():  # a speck, or a hand that strayed: one dab where the stroke belongs
        painted[tuple(np.argwhere(region)[0])] = True
    return painted


def _at(region: NDArray[np.bool_], line: _Line) -> NDArray[np.bool_]:
    places = np.round(line).astype(int)
    inside = ((places >= 0) & (places < region.shape)).all(axis=1)
    found = np.zeros(len(line), bool)
    found[inside] = region[tuple(places[inside].T)]
    return found
