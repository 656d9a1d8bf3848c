"""Level sets: each region cut by depth, within itself only."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pccs.method import boundary_distance, level_index

LABELS = arrays(
    np.int64, st.tuples(st.just(2), st.integers(1, 14), st.integers(1, 14)), elements=st.integers(0, 2)
)


@given(LABELS, st.integers(2, 6))
@settings(deadline=None, max_examples=150)
def test_boundary_and_innermost_levels_exist(labels: np.ndarray, count: int) -> None:
    target = torch.from_numpy(labels)
    depth = boundary_distance(target)
    level = level_index(depth, target, count)
    assert level.min() >= 0
    assert level.max() < count
    for b in range(len(labels)):
        for c in np.unique(labels[b]):
            region = target[b] == c
            inside, levels = depth[b][region], level[b][region]
            if len(inside.unique()) < 2:
                assert (levels == 0).all()
                continue
            assert (levels[inside == inside.min()] == 0).all()
            assert (levels[inside == inside.max()] == count - 1).all()
            deeper = inside.argsort()
            assert (levels[deeper].diff() >= 0).all()


def test_single_label_image_is_one_level() -> None:
    labels = torch.ones(1, 6, 6, dtype=torch.long)
    assert (level_index(boundary_distance(labels), labels, 4) == 0).all()


def test_magnification_keeps_the_levels_of_a_square() -> None:
    """Log-width bins are relative: the innermost share of a region does not depend on its size."""
    shares = []
    for side in (24, 48):
        labels = torch.zeros(1, 2 * side, 2 * side, dtype=torch.long)
        labels[0, side // 2 : -side // 2, side // 2 : -side // 2] = 1
        level = level_index(boundary_distance(labels), labels, 3)
        inside = level[labels == 1]
        shares.append([(inside == k).float().mean().item() for k in range(3)])
    assert max(shares[0]) < 0.75
    assert abs(shares[0][2] - shares[1][2]) < 0.12


def test_ignored_pixels_do_not_deepen_a_class() -> None:
    labels = torch.full((1, 20, 20), 255)
    labels[0, 8:11, 8:11] = 1
    level = level_index(boundary_distance(labels), labels, 4)
    assert level[0, 9, 9] == 3
    assert level[0, 8, 8] == 0
