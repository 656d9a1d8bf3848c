"""The benchmark of very many images: what it measures is there, on a few."""

from __future__ import annotations

from benchmarks.scale import TARGETS, measure, more


def test_every_figure_with_a_target_is_measured() -> None:
    found = measure(150)
    assert TARGETS.keys() <= found.keys()
    assert [key for key, value in found.items() if not value >= 0] == []
    assert found["open_s"] > 0


def test_memory_that_was_given_back_counts_as_none() -> None:
    assert (more(3 * 2**20, 2**20), more(2**20, 3 * 2**20)) == (2, 0)
