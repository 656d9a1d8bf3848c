"""Strokes of several people as one: known answers, plain loops, and what holds whatever they paint."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pccs.labels import Raster
from pccs.project.people.join import decided, join, places, stroke

SHAPE = (3, 4)
rasters = arrays(np.uint8, SHAPE, elements=st.integers(0, 3))
nothing_decided = np.zeros((3, *SHAPE), np.uint8)


def row(*values: int) -> Raster:
    return np.array([values], np.uint8)


def by_loops(strokes: list[Raster], decisions: list[Raster]) -> tuple[Raster, np.ndarray]:
    values, conflict = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, bool)
    for place in np.ndindex(SHAPE):
        said = {int(raster[place]) for raster in strokes} - {0}
        if not said:
            continue
        held = [int(d[0][place]) for d in decisions if (d[1][place], d[2][place]) == (min(said), max(said))]
        if held:
            values[place] = held[0]
        elif len(said) == 1:
            values[place] = said.pop()
        else:
            conflict[place] = True
    return values, conflict


def test_what_one_painted_is_taken_and_what_differs_is_a_conflict() -> None:
    anna, ben = row(0, 1, 0, 2, 1), row(0, 0, 3, 2, 2)
    found = join([anna, ben], [])
    assert found.values.tolist() == [[0, 1, 3, 2, 0]]
    assert found.conflict.tolist() == [[False, False, False, False, True]]


def test_a_decision_holds_until_something_else_is_painted_there() -> None:
    anna, ben = row(1, 1, 1), row(2, 2, 0)
    made = decided(np.zeros((3, 1, 3), np.uint8), [anna, ben], row(1, 1, 0) > 0, row(2, 0, 0))
    found = join([anna, ben], [made])
    assert found.values.tolist() == [[2, 0, 1]]
    assert not found.conflict.any()
    later = join([anna, row(3, 2, 0)], [made])
    assert later.values.tolist() == [[0, 0, 1]]
    assert later.conflict.tolist() == [[True, False, False]]


def test_the_first_of_two_decisions_counts() -> None:
    anna, ben = row(1), row(2)
    one = decided(np.zeros((3, 1, 1), np.uint8), [anna, ben], row(1) > 0, row(1))
    two = decided(np.zeros((3, 1, 1), np.uint8), [anna, ben], row(1) > 0, row(2))
    assert join([anna, ben], [one, two]).values == 1
    assert join([anna, ben], [two, one]).values == 2


@settings(max_examples=60, deadline=None)
@given(st.lists(rasters, min_size=1, max_size=3), rasters, st.lists(rasters, min_size=2, max_size=3))
def test_it_is_what_plain_loops_say_in_any_order(
    strokes: list[Raster], values: Raster, earlier: list[Raster]
) -> None:
    decisions = [
        decided(nothing_decided, strokes, values > 1, values),
        decided(nothing_decided, earlier, values > 0, values),
    ]
    found = join(strokes, decisions)
    wanted, conflict = by_loops(strokes, decisions)
    np.testing.assert_array_equal(found.values, wanted)
    np.testing.assert_array_equal(found.conflict, conflict)
    again = join(strokes[::-1], decisions)
    np.testing.assert_array_equal(again.values, found.values)
    np.testing.assert_array_equal(again.conflict, found.conflict)


@settings(max_examples=60, deadline=None)
@given(rasters, rasters, rasters, rasters)
def test_what_is_painted_on_the_joined_annotation_is_what_it_becomes(
    own: Raster, ben: Raster, carla: Raster, paint: Raster
) -> None:
    """Whoever paints over what they see gets what they painted, and nobody else's strokes change."""
    before = join([own, ben, carla], [])
    after = np.where(paint > 0, paint, before.values)
    after[0] = 0  # and erases a row
    made = stroke(before.values, after, own, [ben, carla])
    decisions = decided(nothing_decided, [made.own, ben, carla], made.overruled, after)
    found = join([made.own, ben, carla], [decisions])
    changed = after != before.values
    known = changed & ~(before.conflict & (own == 0))  # of a conflict between two others nothing is known
    np.testing.assert_array_equal(found.values[known], after[known])
    np.testing.assert_array_equal(made.own[~changed], own[~changed])


def test_strokes_that_were_not_seen_become_a_conflict_and_no_decision() -> None:
    own, unseen = row(0, 3), row(2, 2)
    made = stroke(row(0, 3), row(1, 1), own, [unseen])
    assert made.own.tolist() == [[1, 1]]
    assert not made.overruled.any()
    assert join([made.own, unseen], []).conflict.all()


def test_erasing_what_others_painted_keeps_own_strokes() -> None:
    made = stroke(row(2, 2, 1), row(0, 0, 0), row(2, 0, 1), [row(2, 2, 0)])
    assert made.own.tolist() == [[2, 0, 0]]
    assert made.overruled.tolist() == [[True, True, False]]


def test_places_are_connected_also_by_corners_and_the_largest_comes_first() -> None:
    conflict = np.array([[1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]], bool)
    found = places(conflict)
    assert [box for box, _ in found] == [(1, 2, 3, 4), (0, 0, 1, 1)]
    assert [int(pixels.sum()) for _, pixels in found] == [2, 1]
    assert places(np.zeros(SHAPE, bool)) == []
