"""Normalised entropy and the schedules built on it."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pccs.method import IGNORE, confidence_threshold, confident_pixels, normalised_entropy, ramp


@pytest.mark.parametrize("C", range(2, 10))
def test_ends_of_the_scale(C: int) -> None:
    uniform = torch.full((1, C, 2, 3), 1 / C)
    certain = torch.zeros(1, C, 2, 3)
    certain[:, 1] = 1
    torch.testing.assert_close(normalised_entropy(uniform), torch.ones(1, 2, 3))
    assert (normalised_entropy(certain) == 0).all()


def test_known_answer() -> None:
    p = torch.tensor([[[[0.25]], [[0.75]]]])
    expected = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75)) / math.log(2)
    assert normalised_entropy(p).item() == pytest.approx(expected)


def test_saturated_probabilities_have_a_finite_gradient() -> None:
    """Released program: NaN gradient at a probability of 0."""
    p = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1).requires_grad_()
    normalised_entropy(p).sum().backward()
    assert p.grad is not None
    assert p.grad.isfinite().all()
    logits = torch.tensor([1e4, -1e4]).view(1, 2, 1, 1).requires_grad_()
    normalised_entropy(logits.softmax(1)).sum().backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_half_precision_is_measured_in_full() -> None:
    p = torch.full((1, 2, 1, 1), 0.5, dtype=torch.bfloat16)
    assert normalised_entropy(p).dtype == torch.float32


@given(st.floats(-1, 2), st.floats(-1, 2))
def test_threshold_rises_between_its_ends(a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert 0.36 <= confidence_threshold(low) <= confidence_threshold(high) <= 0.72
    assert confidence_threshold(0) == pytest.approx(0.36)
    assert confidence_threshold(1) == pytest.approx(0.72)


@given(st.integers(0, 10**6), st.integers(2, 5), st.floats(0, 1), st.sampled_from([0.0, 0.01, 1.0]))
@settings(deadline=None, max_examples=60)
def test_every_class_shown_has_pixels_that_are_trusted(seed: int, C: int, least: float, width: float) -> None:
    g = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, C + 1, (2, 4, 5), generator=g)
    labels[labels == C] = IGNORE
    U = (least + width * torch.rand(2, 4, 5, generator=g)).clamp(max=1)
    sure = confident_pixels(U, labels, 0.4, C)
    assert not sure[labels == IGNORE].any()
    assert sure[(U <= 0.4) & (labels != IGNORE)].all()
    for c in range(C):
        here = labels == c
        if not here.any():
            continue
        assert sure[here].any()
        bar = max(0.4, U[here].mean().item())
        assert not sure[here & (bar + 1e-4 < U)].any()


def test_a_young_teacher_is_trusted_where_it_is_surest() -> None:
    U = torch.tensor([[[0.80, 0.90, 0.95], [0.99, 0.97, 0.93]]])
    labels = torch.tensor([[[0, 0, 0], [1, 1, 1]]])
    assert confident_pixels(U, labels, 0.36, 2).tolist() == [[[True, False, False], [False, False, True]]]


@given(st.floats(-10, 1000), st.floats(-10, 1000))
def test_ramp_rises_to_one(a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert ramp(0, 100) == pytest.approx(math.exp(-5))
    assert ramp(low, 100) <= ramp(high, 100) <= 1
    assert ramp(100, 100) == 1
    assert ramp(5, 0) == 1
