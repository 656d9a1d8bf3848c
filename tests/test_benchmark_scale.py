"""The benchmark of very many images: what it measures is there, on a few."""

from __future__ import annotations

from benchmarks.scale import TARGETS, measure


def test_every_figure_with_a_target_is_measured() -> None:
    found = measure(150)
    assert TARGETS.keys() <= found.keys()
    assert all(value >= 0 for key, value in found.items() if key != "memory_mib")  # it may be given back
    assert found["open_s"] > 0
