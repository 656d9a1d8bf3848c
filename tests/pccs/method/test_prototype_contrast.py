"""``l_pc`` against the formula written as loops, and in every degenerate case."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pccs.method import LevelPrototypes, prototype_contrast
from pccs.method.contrast import Direction


def protos(
    vectors: torch.Tensor, classes: list[int], valid: list[bool] | None = None, h: float | None = None
):  # type: ignore[no-untyped-def]
    n = len(classes)
    g = torch.Generator().manual_seed(n)
    return LevelPrototypes(
        vectors=vectors,
        classes=torch.tensor(classes),
        images=torch.zeros(n, dtype=torch.long),
        uncertainty=torch.rand(n, generator=g) if h is None else torch.full((n,), h),
        sizes=torch.ones(n),
        valid=torch.tensor([True] * n if valid is None else valid),
    )


def by_the_formula(p: LevelPrototypes, T: float, sign: float) -> float:
    n = len(p.classes)
    S = (p.vectors.double() @ p.vectors.double().T / T).tolist()
    rows, weights = [], []
    for i in range(n):
        if not p.valid[i]:
            continue
        plus = [j for j in range(n) if j != i and p.valid[j] and p.classes[j] == p.classes[i]]
        minus = [j for j in range(n) if p.valid[j] and p.classes[j] != p.classes[i]]
        if not plus or not minus:
            continue
        top = max(S[i][j] for j in plus)
        a = [math.exp(S[i][j] - top) for j in plus]
        a = [x / sum(a) for x in a]
        against = sum(math.exp(S[i][m]) for m in minus)
        rows.append(
            sum(w * (math.log(math.exp(S[i][j]) + against) - S[i][j]) for w, j in zip(a, plus, strict=True))
        )
        weights.append(math.exp(sign * p.uncertainty[i].item()))
    return sum(w * r for w, r in zip(weights, rows, strict=True)) / sum(weights) if rows else 0.0


def unit_vectors(n: int, seed: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    v = torch.randn(n, 4, generator=torch.Generator().manual_seed(seed), dtype=dtype)
    return v / v.norm(dim=1, keepdim=True)


CASES = st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=9)


@given(CASES, st.integers(0, 10**6), st.sampled_from([("certain", -1.0), ("uncertain", 1.0), ("none", 0.0)]))
@settings(deadline=None, max_examples=80)
def test_equals_the_formula(cases: list[tuple[int, bool]], seed: int, how: tuple[Direction, float]) -> None:
    p = protos(unit_vectors(len(cases), seed), [c for c, _ in cases], [v for _, v in cases])
    ours = prototype_contrast(p, temperature=0.1, direction=how[0])
    assert ours.item() == pytest.approx(by_the_formula(p, 0.1, how[1]), rel=1e-4, abs=1e-5)


@given(CASES, st.integers(0, 10**6), st.sampled_from([0.05, 0.01, 1.0]))
@settings(deadline=None, max_examples=80)
def test_finite_with_finite_gradient(cases: list[tuple[int, bool]], seed: int, temperature: float) -> None:
    vectors = unit_vectors(len(cases), seed).requires_grad_()
    loss = prototype_contrast(
        protos(vectors, [c for c, _ in cases], [v for _, v in cases]), temperature=temperature
    )
    loss.backward()
    assert loss.isfinite()
    assert vectors.grad is not None
    assert vectors.grad.isfinite().all()


@pytest.mark.parametrize(
    ("classes", "valid"),
    [([0], [True]), ([0, 1], [True, True]), ([0, 0, 0], [True] * 3), ([0, 0, 1, 1], [False] * 4)],
    ids=["one prototype", "one per class", "one class", "none valid"],
)
def test_nothing_to_compare_is_zero_with_zero_gradient(classes: list[int], valid: list[bool]) -> None:
    vectors = unit_vectors(len(classes), 0).requires_grad_()
    loss = prototype_contrast(protos(vectors, classes, valid))
    loss.backward()
    assert loss.item() == 0
    assert vectors.grad is not None
    assert (vectors.grad == 0).all()


def test_equal_positives_and_opposite_negatives_cost_nothing() -> None:
    axis = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]])
    assert prototype_contrast(protos(axis, [0, 0, 1, 1])).item() < 1e-6
    mixed = prototype_contrast(protos(axis, [0, 1, 0, 1]))
    assert mixed.item() > 10


def margin(r: torch.Tensor, classes: list[int]) -> float:
    """Smallest lead, over all prototypes, of the nearest positive before the nearest negative."""
    cosine = (r @ r.T).detach().fill_diagonal_(-1)
    positive = torch.tensor([[a == b for a in classes] for b in classes])
    lead = cosine.masked_fill(~positive, -1).amax(1) - cosine.masked_fill(positive, -1).amax(1)
    return lead.min().item()


def test_descending_it_separates_the_classes() -> None:
    vectors = unit_vectors(8, 3).requires_grad_()
    classes = [0, 1, 0, 1, 0, 1, 0, 1]
    assert margin(vectors, classes) < 0
    optimiser = torch.optim.SGD([vectors], lr=0.05)
    for _ in range(100):
        optimiser.zero_grad()
        r = vectors / vectors.norm(dim=1, keepdim=True)
        prototype_contrast(protos(r, classes)).backward()
        optimiser.step()
    assert margin(r, classes) > 0.2


def test_gradient_is_right_where_the_softmax_is_held() -> None:
    """With one positive per row the detached softmax is constant, so the gradient must be exact."""
    vectors = unit_vectors(4, 5, torch.float64).requires_grad_()

    def loss(v: torch.Tensor) -> torch.Tensor:
        return prototype_contrast(protos(v, [0, 0, 1, 1]), temperature=0.5)

    assert torch.autograd.gradcheck(loss, vectors)
