"""A person of bounded patience at one suggested place: strokes where nothing is known, corrections where
the prediction is wrong.

Without a prediction the person sets strokes class by class, objects first, as ``_scribbles`` draws them.
With one, the person looks for what is wrong in the place, largest error first, and sets one stroke of
the true class along its middle; then one stroke on what is right of every class still without, so that
it is known to be right. Nobody sees errors of a few pixels, nobody works longer at a place than
:attr:`Annotator.seconds`, and who finds nothing to mend goes on sooner. The seconds are those of
``_scribbles.Pace``: an assumption, the same for every strategy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label
from skimage.morphology import skeletonize

from benchmarks._scribbles import _WIDTHS, Pace, _brushed, _by_hand, _walk
from pccs.events import Region
from pccs.labels import Raster

_SEEN = 0.0004
"""Smallest error that is seen, as a share of the image: 26 pixels of 256 × 256."""
_LEAST = 16
"""Pixels of the smallest part that gets a stroke."""
_LONGEST = 0.35
"""Longest stroke, as a share of the image's shorter side."""


@dataclass(frozen=True)
class Visit:
    """What was painted at one place, and what it cost."""

    annotation: Raster
    """Class values ``(H, W)``, 0 where nothing is painted."""
    seconds: float
    strokes: int


@dataclass(frozen=True)
class Annotator:
    """How long a person stays at a place, the opening of the image included."""

    seconds: float = 20.0
    pace: Pace = field(default_factory=Pace)

    def visit(self, truth: Raster, guess: Raster | None, region: Region | None, seed: int) -> Visit:
        """Annotate one place.

        Parameters
        ----------
        truth, guess
            Class values ``(H, W)``; what is there, and what the model says it is (``None``: no model).
        region
            Where the person was sent; ``None``: anywhere in the image.
        seed
            Start of the random sequence: the same place is painted alike.
        """
        rng = np.random.default_rng(seed)
        rows, cols = _slices(region, truth.shape)
        here, said = truth[rows, cols], None if guess is None else guess[rows, cols]
        painted, spent, strokes = np.zeros_like(truth), self.pace.item, 0
        for part, value in _parts(here, said, painted[rows, cols], truth.size):
            stroke, length = _draw(part, min(truth.shape), rng)
            cost = self.pace.stroke + length / self.pace.stroke_speed
            if strokes and spent + cost > self.seconds:
                break
            painted[rows, cols][stroke] = value
            spent, strokes = spent + cost, strokes + 1
        return Visit(painted, spent, strokes)


def _slices(region: Region | None, shape: tuple[int, ...]) -> tuple[slice, slice]:
    row0, col0, row1, col1 = region or (0, 0, *shape)
    return slice(row0, row1), slice(col0, col1)


def _parts(
    truth: Raster, guess: Raster | None, painted: Raster, image: int
) -> Iterator[tuple[NDArray[np.bool_], int]]:
    """What the person paints next, and as which class; ``painted`` is looked at as it grows."""
    if guess is None:
        yield from _in_turn(truth, painted)
        return
    yield from _errors(truth, guess, max(_LEAST, round(_SEEN * image)))
    for value in _classes(truth):
        right = (truth == value) & (guess == value)
        if not (painted == value).any() and right.sum() >= _LEAST:
            yield _largest(right), value


def _in_turn(truth: Raster, painted: Raster) -> Iterator[tuple[NDArray[np.bool_], int]]:
    """The classes one after the other, objects first; within a class the largest part without a stroke."""
    while True:  # until patience ends
        for value in _classes(truth):
            parts, count = label(truth == value, np.ones((3, 3)))
            touched = set(np.unique(parts[painted == value]).tolist())
            sizes = np.bincount(parts.ravel(), minlength=count + 1)
            able = [k for k in range(1, count + 1) if sizes[k] >= _LEAST] or [int(sizes[1:].argmax()) + 1]
            fresh = [k for k in able if k not in touched] or able
            yield parts == max(fresh, key=lambda k: sizes[k]), value


def _errors(truth: Raster, guess: Raster, least: int) -> Iterator[tuple[NDArray[np.bool_], int]]:
    """Connected parts of one true class where the prediction is wrong, largest first."""
    found: list[tuple[int, int, NDArray[np.bool_]]] = []
    for value in _classes(truth):
        parts, _ = label((truth == value) & (guess != truth))
        for number, box in enumerate(find_objects(parts), 1):
            part = parts[box] == number
            if part.sum() >= least:
                whole = np.zeros(truth.shape, bool)
                whole[box] = part
                found.append((int(part.sum()), value, whole))
    for _, value, part in sorted(found, key=lambda f: -f[0]):
        yield part, value


def _classes(truth: Raster) -> list[int]:
    """Class values of what is there, the first class last."""
    return sorted((int(v) for v in np.unique(truth)), key=lambda v: (v == 1, v))


def _largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    parts, _ = label(mask, np.ones((3, 3)))
    largest: NDArray[np.bool_] = parts == int(np.bincount(parts.ravel())[1:].argmax()) + 1
    return largest


def _draw(part: NDArray[np.bool_], side: int, rng: np.random.Generator) -> tuple[NDArray[np.bool_], float]:
    """A stroke along the middle of ``part``, and its length."""
    (box,) = find_objects(part.astype(np.uint8))
    inside = np.pad(part[box], 1)
    skeleton = np.argwhere(skeletonize(inside))  # type: ignore[no-untyped-call]
    line = _by_hand(_walk(skeleton, _LONGEST * side, rng), rng)
    whole = np.zeros_like(part)
    whole[box] = _brushed(line, int(rng.choice(_WIDTHS)), inside)[1:-1, 1:-1]
    return whole, float(np.linalg.norm(np.diff(line, axis=0), axis=1).sum())
