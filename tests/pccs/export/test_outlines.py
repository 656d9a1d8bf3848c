"""Outlines cover exactly their pixels, as shapely sees it."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray

from pccs.export.outlines import outlines
from pccs.tidy import connected


def covered(objects: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pixels whose centre an outline holds, by shapely."""
    rows, cols = np.indices(objects.shape)
    seen = np.zeros_like(objects)
    for number, parts in outlines(objects).items():
        polygons = [shapely.Polygon(part.shell, part.holes) for part in parts]
        whole = shapely.MultiPolygon(polygons)
        assert whole.is_valid, shapely.is_valid_reason(whole)
        assert whole.area == (objects == number).sum()
        assert all(shapely.LinearRing(p.shell).is_ccw for p in parts)  # of y up; the rule of GeoJSON
        seen[shapely.contains_xy(whole, cols + 0.5, rows + 0.5)] = number
    return seen


@pytest.mark.parametrize("density", [0.2, 0.5, 0.7, 0.9])
def test_random_objects_are_covered_exactly(density: float) -> None:
    rng = np.random.default_rng(int(density * 10))
    for _ in range(15):
        mask = rng.random(tuple(rng.integers(1, 14, 2))) < density
        objects = connected(mask)
        assert np.array_equal(covered(objects), objects)


def test_objects_that_touch_keep_their_own_outlines() -> None:
    objects = np.random.default_rng(3).integers(0, 4, (12, 15))
    assert np.array_equal(covered(objects), objects)


def test_a_square_has_four_corners_and_a_hole_four_more() -> None:
    objects = np.zeros((7, 8), np.int64)
    objects[1:6, 2:7] = 5
    objects[3, 4] = 0
    ((number, parts),) = outlines(objects).items()
    assert (number, len(parts), len(parts[0].holes)) == (5, 1, 1)
    assert sorted(map(tuple, parts[0].shell.tolist())) == [(2, 1), (2, 6), (7, 1), (7, 6)]
    assert sorted(map(tuple, parts[0].holes[0].tolist())) == [(4, 3), (4, 4), (5, 3), (5, 4)]


def test_an_object_that_hangs_by_corners_has_parts_and_holes_that_meet_are_two() -> None:
    diagonal = connected(np.eye(3, dtype=bool))
    assert diagonal.max() == 1
    assert [len(part.shell) for part in outlines(diagonal)[1]] == [4, 4, 4]
    frame = np.ones((4, 4), bool)
    frame[1, 1] = frame[2, 2] = False
    assert len(outlines(connected(frame))[1][0].holes) == 2


def test_nothing_has_no_outline() -> None:
    assert outlines(np.zeros((5, 6), np.int64)) == {}
