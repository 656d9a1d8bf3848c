"""Balanced assignment: marginals, masks, empty cases."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pccs.method import sinkhorn


@given(st.integers(1, 30), st.integers(1, 4), st.integers(0, 10**6))
@settings(deadline=None, max_examples=30)
def test_marginals(rows: int, K: int, seed: int) -> None:
    g = torch.Generator().manual_seed(seed)
    scores = 2 * torch.rand(3, rows, K, generator=g, dtype=torch.float64) - 1
    mask = torch.rand(3, rows, generator=g) < 0.7
    Q = sinkhorn(scores, epsilon=0.2, iterations=300, mask=mask)
    torch.testing.assert_close(Q.sum(-1), mask.double())
    share = (mask.sum(-1, keepdim=True) / K).double().expand(-1, K)
    torch.testing.assert_close(Q.sum(-2), share, atol=0.02 * rows, rtol=0)


def test_four_iterations_are_nearly_balanced() -> None:
    scores = torch.randn(400, 4, generator=torch.Generator().manual_seed(0)) * 0.2
    scores[:, 0] += 0.5  # a column that would take everything
    greedy = scores.argmax(1).bincount(minlength=4)
    balanced = sinkhorn(scores).argmax(1).bincount(minlength=4)
    assert greedy[0] > 300
    assert balanced.max() < 160
    assert balanced.min() > 50


def test_a_masked_row_changes_nothing() -> None:
    scores = torch.randn(20, 3, generator=torch.Generator().manual_seed(1))
    mask = torch.ones(20, dtype=torch.bool)
    mask[4] = False
    whole = sinkhorn(scores, mask=mask)
    scores[4] = 100.0
    torch.testing.assert_close(sinkhorn(scores, mask=mask), whole)
    assert (whole[4] == 0).all()
    torch.testing.assert_close(sinkhorn(scores[mask]), whole[mask])


@pytest.mark.parametrize("rows", [1, 5])
def test_an_empty_mask_gives_zeros(rows: int) -> None:
    Q = sinkhorn(torch.randn(2, rows, 3), mask=torch.zeros(2, rows, dtype=torch.bool))
    assert torch.equal(Q, torch.zeros(2, rows, 3))


def test_extreme_scores_stay_finite() -> None:
    Q = sinkhorn(torch.tensor([[1e4, -1e4], [1e4, -1e4]]))
    assert Q.isfinite().all()
    torch.testing.assert_close(Q.sum(1), torch.ones(2))
