"""Agreement and mean entropy: zeros, known answers, independence of batch and resolution."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pccs.method import agreement, mean_entropy

Kind = Literal["mse", "ce"]
KINDS: list[Kind] = ["mse", "ce"]


def distribution(
    seed: int, B: int = 2, C: int = 3, h: int = 4, w: int = 5, sharp: float = 2.0
) -> torch.Tensor:
    g = torch.Generator().manual_seed(seed)
    return (sharp * torch.randn(B, C, h, w, generator=g)).softmax(1)


@pytest.mark.parametrize("kind", KINDS)
@given(st.integers(0, 10**6), st.integers(2, 9), st.sampled_from([0.1, 3.0, 1000.0]))
@settings(deadline=None, max_examples=40)
def test_two_equal_distributions_agree_exactly(kind: Kind, seed: int, C: int, sharp: float) -> None:
    """Released program: raw logits against layer-normalised cosines, never 0."""
    p = distribution(seed, C=C, sharp=sharp).requires_grad_()
    loss = agreement(p, p.clone(), kind=kind)
    loss.backward()
    assert loss.item() == 0
    assert p.grad is not None
    assert p.grad.isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
@given(st.integers(0, 10**6))
@settings(deadline=None, max_examples=40)
def test_different_distributions_disagree(kind: Kind, seed: int) -> None:
    assert agreement(distribution(seed), distribution(seed + 1), kind=kind) > 0


def test_known_answers() -> None:
    p = torch.tensor([0.5, 0.5]).view(1, 2, 1, 1)
    q = torch.tensor([1.0, 0.0]).view(1, 2, 1, 1)
    assert agreement(p, q).item() == pytest.approx(0.5)
    assert agreement(p, q, kind="ce").item() == pytest.approx(0.6931, abs=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("tile", "name"), [((4, 1, 1, 1), "batch"), ((1, 1, 3, 3), "map")])
def test_independent_of_batch_and_map_size(kind: Kind, tile: tuple[int, ...], name: str) -> None:
    """Released program: a norm over the whole batch grows with its size."""
    p, q, w = (
        distribution(0),
        distribution(1),
        torch.rand(2, 4, 5, generator=torch.Generator().manual_seed(0)),
    )
    wide = w.repeat(tile[0], *tile[2:])
    torch.testing.assert_close(
        agreement(p, q, w, kind), agreement(p.repeat(tile), q.repeat(tile), wide, kind)
    )
    torch.testing.assert_close(mean_entropy(p), mean_entropy(p.repeat(tile)))
    torch.testing.assert_close(mean_entropy(p, w > 0.5), mean_entropy(p.repeat(tile), wide > 0.5))


def test_the_target_has_no_gradient() -> None:
    p, q = distribution(0).requires_grad_(), distribution(1).requires_grad_()
    agreement(p, q).backward()
    assert p.grad is not None
    assert q.grad is None


def test_a_silent_pixel_makes_no_other_louder() -> None:
    p, q = distribution(0).requires_grad_(), distribution(1)
    weight = torch.ones(2, 4, 5)
    whole = torch.autograd.grad(agreement(p, q, weight), p)[0]
    weight[0] = 0
    half = torch.autograd.grad(agreement(p, q, weight), p)[0]
    assert (half[0] == 0).all()
    torch.testing.assert_close(half[1], whole[1])


@pytest.mark.parametrize("kind", KINDS)
def test_a_saturated_mistake_is_finite(kind: Kind) -> None:
    logits = torch.tensor([200.0, -200.0]).view(1, 2, 1, 1).requires_grad_()
    target = torch.tensor([0.0, 1.0]).view(1, 2, 1, 1)
    loss = agreement(logits.softmax(1), target, kind=kind) + mean_entropy(logits.softmax(1))
    loss.backward()
    assert loss.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_is_right(kind: Kind) -> None:
    logits = torch.randn(
        1, 3, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    ).requires_grad_()
    target = distribution(3, 1, 3, 2, 2).double()
    assert torch.autograd.gradcheck(lambda x: agreement(x.softmax(1), target, kind=kind), logits)
    assert torch.autograd.gradcheck(lambda x: mean_entropy(x.softmax(1)), logits)


def test_entropy_of_nothing_is_zero() -> None:
    p = distribution(0).requires_grad_()
    loss = mean_entropy(p, torch.zeros(2, 4, 5, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0
    assert p.grad is not None
    assert (p.grad == 0).all()
