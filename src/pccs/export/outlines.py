"""Outlines of objects along the edges of their pixels: exact, with holes, as valid polygons.

Every side of a pixel that has no neighbour of its own object is an edge, walked with the object on the right.
Where two pixels of an object touch by a corner alone, the walk stays with its own pixel; a ring that
comes back to a corner it has seen is cut there. So shells and holes touch themselves nowhere, as the
standard for polygons (OGC Simple Features) demands.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from skimage import measure

_measure: Any = measure  # scikit-image is only partly typed

Ring = NDArray[np.int64]
"""``(n, 2)`` corners ``x, y``, not closed; pixel ``(r, c)`` spans x from c to c + 1 and y from r to r + 1."""

# Sides in the order of the walk: top, right, bottom, left.
_STEP = np.array([(0, 1), (1, 0), (0, -1), (-1, 0)])
"""Row and column of the neighbour that the walk along a side goes towards."""
_OUT = np.array([(-1, 0), (0, 1), (1, 0), (0, -1)])
"""Row and column of the neighbour on the other side."""
_START = np.array([(0, 0), (0, 1), (1, 1), (1, 0)])
"""Corner of the pixel where a side begins."""


class Part(NamedTuple):
    """A piece of an object that hangs together by the sides of its pixels."""

    shell: Ring
    holes: list[Ring]


def outlines(objects: NDArray[Any]) -> dict[int, list[Part]]:
    """Outlines of numbered objects.

    Parameters
    ----------
    objects
        ``(H, W)`` integers, 0 where there is none.

    Returns
    -------
    dict
        Number → its parts, in ascending order of the number. An object that is split in two, or hangs
        together by corners, has several.
    """
    parts = _measure.label(objects, connectivity=1, background=0)
    numbers = np.asarray(objects).ravel()
    shells: dict[int, Ring] = {}
    holes: dict[int, list[Ring]] = {}
    owner: dict[int, int] = {}
    for pixel, part, ring, is_shell in _rings(parts):
        owner[part] = int(numbers[pixel])
        if is_shell:
            shells[part] = ring
        else:
            holes.setdefault(part, []).append(ring)
    found: dict[int, list[Part]] = {number: [] for number in sorted(set(owner.values()))}
    for part, number in owner.items():
        found[number].append(Part(shells[part], holes.get(part, [])))
    return found


def _rings(parts: NDArray[Any]) -> Iterator[tuple[int, int, Ring, bool]]:
    """A pixel (index into the flat array), its part, a ring, and whether that is the shell."""
    padded = np.pad(parts, 1)
    pixels, sides = _edges(padded)
    if not len(pixels):
        return
    order, starts = _walks(_following(padded, pixels, sides))
    turned = sides[order]
    bends = turned != turned[_before(starts, len(order))]
    rows, cols = np.divmod(pixels[order], padded.shape[1])
    corners = (np.stack([cols, rows], -1) + _START[turned][:, ::-1] - 1)[bends]
    firsts = np.concatenate([[0], np.cumsum(bends)])[starts]
    tied = _tied(corners, firsts)
    clockwise = _doubled_areas(corners, firsts) > 0
    where = ((rows - 1) * parts.shape[1] + cols - 1)[starts[:-1]].tolist()
    own = padded.ravel()[pixels[order]][starts[:-1]].tolist()
    for k, (pixel, part) in enumerate(zip(where, own, strict=True)):
        walk = corners[firsts[k] : firsts[k + 1]]
        if k not in tied:
            yield pixel, part, walk, bool(clockwise[k])
            continue
        for ring in _untied(walk):
            yield pixel, part, ring, bool(_doubled_areas(ring, np.array([0, len(ring)]))[0] > 0)


def _before(starts: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Index of the edge before each, around the walk it belongs to."""
    before = np.arange(length) - 1
    before[starts[:-1]] = starts[1:] - 1
    return before


def _doubled_areas(corners: Ring, firsts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Twice the signed area of each ring; positive when it runs clockwise on the screen (y down)."""
    x, y = corners[_before(firsts, len(corners))].T
    areas: NDArray[np.int64] = np.add.reduceat(x * corners[:, 1] - corners[:, 0] * y, firsts[:-1])
    return areas


def _tied(corners: Ring, firsts: NDArray[np.int64]) -> set[int]:
    """Which walks pass a corner twice."""
    walk = np.repeat(np.arange(len(firsts) - 1), np.diff(firsts))
    key = np.stack([walk, corners[:, 0], corners[:, 1]])
    ordered = key[:, np.lexsort(key[::-1])]
    again = (ordered[:, 1:] == ordered[:, :-1]).all(axis=0)
    return set(ordered[0, 1:][again].tolist())


def _edges(padded: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pixel (index into the flat array) and side of every edge, ordered by pixel and side."""
    inner = padded[1:-1, 1:-1]
    high, wide = padded.shape
    differs = np.stack(
        [
            (inner > 0) & (inner != padded[1 + dr : high - 1 + dr, 1 + dc : wide - 1 + dc])
            for dr, dc in _OUT.tolist()
        ],
        axis=-1,
    )
    row, col, side = np.nonzero(differs)
    return (row + 1) * wide + col + 1, side


def _following(
    padded: NDArray[Any], pixels: NDArray[np.int64], sides: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Index of the edge that follows each edge."""
    flat, width = padded.ravel(), padded.shape[1]
    ahead = pixels + _STEP[sides] @ np.array([width, 1])
    across = ahead + _OUT[sides] @ np.array([width, 1])
    straight = flat[ahead] == flat[pixels]
    inward = straight & (flat[across] == flat[pixels])
    pixel = np.where(inward, across, np.where(straight, ahead, pixels))
    side = np.where(inward, sides - 1, np.where(straight, sides, sides + 1)) % 4
    following: NDArray[np.int64] = np.searchsorted(pixels * 4 + sides, pixel * 4 + side)
    return following


def _walks(following: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Edges in the order of the walks, and where each walk begins, with the end of the last."""
    after, seen = following.tolist(), bytearray(len(following))
    order: list[int] = []
    starts = [0]
    for first in range(len(after)):
        edge = first
        while not seen[edge]:
            seen[edge] = 1
            order.append(edge)
            edge = after[edge]
        if len(order) > starts[-1]:
            starts.append(len(order))
    return np.array(order), np.array(starts)


def _untied(walk: Ring) -> list[Ring]:
    """The walk, cut at every corner it passes twice."""
    rings: list[Ring] = []
    path: list[tuple[int, int]] = []
    where: dict[tuple[int, int], int] = {}
    for x, y in walk.tolist():
        if (x, y) not in where:
            where[x, y] = len(path)
            path.append((x, y))
            continue
        cut = where[x, y]
        rings.append(np.array(path[cut:]))
        for gone in path[cut + 1 :]:
            del where[gone]
        del path[cut + 1 :]
    return [*rings, np.array(path)]
