"""Low-resolution maps: shrinking, edges taken out, windows, neighbours in a stack."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pccs.events import Suggestion
from pccs.suggest.base import Candidate
from pccs.suggest.maps import best_window, shrink, shrink_factor, take_spread, without_edges


@given(st.integers(1, 700), st.integers(1, 700))
@settings(deadline=None, max_examples=40)
def test_shrinking_bounds_the_size_and_keeps_the_range(rows: int, cols: int) -> None:
    image = np.random.default_rng(0).random((2, rows, cols), dtype=np.float32)
    small = shrink(image, shrink_factor((rows, cols)))
    assert max(small.shape[1:]) <= 128
    assert small.min() >= image.min() - 1e-6
    assert small.max() <= image.max() + 1e-6


def test_shrinking_is_the_mean_of_blocks() -> None:
    image = np.arange(16, dtype=np.uint8).reshape(4, 4)
    np.testing.assert_array_equal(shrink(image, 2), [[2.5, 4.5], [10.5, 12.5]])


def disc(side: int = 60, radius: float = 15) -> np.ndarray:
    y, x = np.mgrid[:side, :side] - side / 2
    return (np.hypot(x, y) < radius).astype(np.intp)


def test_an_edge_that_is_as_uncertain_as_edges_are_counts_nothing() -> None:
    labels = disc()
    edges = np.zeros((60, 60), np.float32)
    edges[:, :] = (np.abs(np.hypot(*(np.mgrid[:60, :60] - 30.0)) - 15) < 1.5) * 0.9
    inside = np.zeros((60, 60), np.float32)
    inside[27:33, 27:33] = 0.6
    long_contour, quiet = without_edges([edges, inside + edges], [labels, labels])
    assert best_window(long_contour).mean < 0.25 * best_window(quiet).mean
    assert edges.mean() > inside.mean(), "by the plain mean the contour would win"


def test_a_thin_structure_less_certain_than_edges_counts() -> None:
    thin = np.zeros((60, 60), np.intp)
    thin[:, 30] = 1
    ordinary = np.full((60, 60), 0.2, np.float32)
    doubtful = np.full((60, 60), 0.2, np.float32)
    doubtful[:, 29:32] = 0.9
    corrected = without_edges([ordinary, ordinary, doubtful], [disc(), disc(), thin])[2]
    assert corrected[:, 30].mean() == pytest.approx(0.7, abs=0.01)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 10**6))
@settings(deadline=None, max_examples=60)
def test_the_best_window_is_inside_and_the_best(rows: int, cols: int, seed: int) -> None:
    values = np.random.default_rng(seed).random((rows, cols), dtype=np.float32)
    w = best_window(values)
    assert 0 <= w.row <= w.row + w.height <= rows
    assert 0 <= w.col <= w.col + w.width <= cols
    assert w.of(values).mean() == pytest.approx(w.mean, abs=1e-5)
    every = [
        values[r : r + w.height, c : c + w.width].mean()
        for r in range(rows - w.height + 1)
        for c in range(cols - w.width + 1)
    ]
    assert w.mean == pytest.approx(max(every), abs=1e-5)


def test_neighbouring_slices_are_not_taken_together() -> None:
    candidates = [Candidate(f"s:{k}", "s", k, (8, 8)) for k in range(20)]
    candidates.append(Candidate("other", "other", 0, (8, 8)))
    scored = [Suggestion(c.item, 1.0 - 0.01 * c.index, "because of 1 number") for c in candidates]
    scored[-1] = Suggestion("other", 0.5, "because of 1 number")
    taken = take_spread(candidates, scored, 4)
    slices = [int(s.item[2:]) for s in taken if s.item != "other"]
    assert min(np.diff(sorted(slices))) > 2
    assert [s.score for s in taken] == sorted((s.score for s in taken), reverse=True)
    assert len({s.item for s in take_spread(candidates, scored, 99)}) == 21
