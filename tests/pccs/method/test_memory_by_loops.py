"""The memory against plain loops in double precision: assignment, both movements, classifier, diversity."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pccs.method import IGNORE, UNASSIGNED, LevelPrototypes, PrototypeMemory, sinkhorn
from pccs.method.memory import EPSILON
from pccs.method.spread import CEILING, mean_cosine, spread

SEEDS = st.integers(0, 10**6)
CLASSES = st.sampled_from([2, 3, 4, 9])
NUMBERS = st.integers(1, 4)
D = 24
"""Enough dimensions that random prototypes are far from each other: nothing has to be kept apart."""


def known(C: int, K: int, seed: int) -> PrototypeMemory:
    """A memory that has seen every class five times, with directions at random."""
    g = torch.Generator().manual_seed(seed)
    memory = PrototypeMemory(C, K, D, momentum=0.9, student_momentum=0.8, generator=g)
    bank = torch.randn(C, K, D, generator=g)
    memory.bank.copy_(bank / bank.norm(dim=-1, keepdim=True))
    memory.updates += 5
    return memory


def scene(C: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, C + 1, (2, 5, 3), generator=g)
    labels[labels == C] = IGNORE
    z = 3 * torch.randn(2, D, 5, 3, generator=g, dtype=torch.float64)
    return z, labels, torch.rand(2, 5, 3, generator=g) < 0.8


def features(z: Tensor) -> np.ndarray:
    """Unit vectors, pixel by pixel."""
    rows = z.permute(0, 2, 3, 1).reshape(-1, D).numpy()
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def balance(kernel: np.ndarray, rounds: int) -> np.ndarray:
    """Sinkhorn's iteration as it is usually written: two vectors of factors."""
    v = np.ones(kernel.shape[1])
    for _ in range(rounds):
        u = 1 / (kernel @ v)
        v = 1 / (kernel.T @ u)
    return v


@given(SEEDS, st.integers(1, 12), NUMBERS)
@settings(deadline=None, max_examples=20)
def test_sinkhorn(seed: int, rows: int, K: int) -> None:
    scores = 2 * torch.rand(rows, K, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) - 1
    kernel = np.exp(scores.numpy() / 0.1)
    Q = kernel * balance(kernel, 4)
    expected = Q / Q.sum(1, keepdims=True)
    np.testing.assert_allclose(sinkhorn(scores, epsilon=0.1, iterations=4).numpy(), expected, rtol=1e-8)


@given(SEEDS, CLASSES, NUMBERS)
@settings(deadline=None, max_examples=20)
def test_assignment(seed: int, C: int, K: int) -> None:
    memory = known(C, K, seed)
    z, labels, sure = scene(C, seed)
    ours = memory.assign(z, labels, sure).flatten()
    f, y, s = features(z), labels.flatten().tolist(), sure.flatten().tolist()
    for c in range(C):
        mine = [i for i, label in enumerate(y) if label == c and s[i]]
        if not mine:
            continue
        kernel = np.exp(f[mine] @ memory.bank[c].double().numpy().T / EPSILON)
        factors = balance(kernel, 4) if len(mine) >= K else np.ones(K)  # few: each to the nearest
        best = (kernel * factors).argmax(1)
        assert [int(ours[i]) for i in mine] == [c * K + int(k) for k in best]
    left_out = [i for i, label in enumerate(y) if label == IGNORE or not s[i]]
    assert all(ours[i] == UNASSIGNED for i in left_out)


@given(SEEDS, CLASSES, NUMBERS)
@settings(deadline=None, max_examples=20)
def test_movement_towards_the_teacher(seed: int, C: int, K: int) -> None:
    memory = known(C, K, seed)
    before = memory.bank.double().numpy().reshape(C * K, D).copy()
    z, labels, sure = scene(C, seed)
    slots = memory.assign(z, labels, sure)
    memory.update_from_teacher(z, labels, slots, sure)
    f, y, slot = features(z), labels.flatten().tolist(), slots.flatten().tolist()
    keep = min(1 - 1 / 6, 0.9)
    for n in range(C * K):
        mine = [i for i in range(len(y)) if slot[i] == n]
        agreeing = [i for i in mine if int((before @ f[i]).argmax()) // K == y[i]]
        expected = before[n]
        if mine:
            mean = f[agreeing or mine].sum(0)
            moved = keep * before[n] + (1 - keep) * mean / np.linalg.norm(mean)
            expected = moved / np.linalg.norm(moved)
        np.testing.assert_allclose(memory.bank.view(C * K, D)[n].numpy(), expected, atol=1e-5)
    shown = {slot[i] // K for i in range(len(y)) if slot[i] >= 0}
    assert memory.updates.tolist() == [5 + (c in shown) for c in range(C)]


@given(SEEDS, CLASSES, NUMBERS)
@settings(deadline=None, max_examples=20)
def test_movement_towards_the_student(seed: int, C: int, K: int) -> None:
    memory = known(C, K, seed)
    memory.updates[C - 1] = 0
    before = memory.bank.double().numpy().copy()
    g = torch.Generator().manual_seed(seed)
    n = 3 * C
    vectors = torch.randn(n, D, generator=g)
    vectors = vectors / vectors.norm(dim=1, keepdim=True)
    classes, valid = torch.randint(0, C, (n,), generator=g), torch.rand(n, generator=g) < 0.7
    zeros = torch.zeros(n)
    memory.update_from_levels(LevelPrototypes(vectors, classes, zeros.long(), zeros, zeros + 1, valid))
    r = vectors.double().numpy()
    for c in range(C):
        near: dict[int, list[int]] = {}
        for i in range(n):
            if valid[i] and int(classes[i]) == c and c != C - 1:
                near.setdefault(int((before[c] @ r[i]).argmax()), []).append(i)
        for k in range(K):
            expected = before[c, k]
            if k in near:
                mean = r[near[k]].sum(0)
                moved = 0.8 * before[c, k] + 0.2 * mean / np.linalg.norm(mean)
                expected = moved / np.linalg.norm(moved)
            np.testing.assert_allclose(memory.bank[c, k].numpy(), expected, atol=1e-5)


@given(SEEDS, CLASSES, NUMBERS, st.booleans())
@settings(deadline=None, max_examples=20)
def test_classifier(seed: int, C: int, K: int, one_unseen: bool) -> None:
    memory = known(C, K, seed)
    if one_unseen:
        memory.updates[0] = 0
    z, _, _ = scene(C, seed)
    ours = memory.class_probabilities(z, 0.1).permute(0, 2, 3, 1).reshape(-1, C)
    bank = memory.bank.double().numpy()
    for i, f in enumerate(features(z)):
        best = [max(float(bank[c, k] @ f) / 0.1 for k in range(K)) for c in range(C)]
        e = [0.0 if one_unseen and c == 0 else math.exp(best[c]) for c in range(C)]
        assert ours[i].tolist() == pytest.approx([x / sum(e) for x in e], rel=1e-5, abs=1e-9)


def test_the_gradient_of_the_classifier_is_right() -> None:
    memory = known(3, 2, 0)
    z = torch.randn(1, D, 1, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: memory.class_probabilities(x, 0.3), z.requires_grad_())


@given(SEEDS, CLASSES, NUMBERS)
@settings(deadline=None, max_examples=20)
def test_diversity_and_effective_number(seed: int, C: int, K: int) -> None:
    memory = known(C, K, seed)
    memory.updates[0] = 0
    bank = memory.bank.double().numpy()
    cosines, numbers = [], []
    for c in range(1, C):
        pairs = [(j, k) for j in range(K) for k in range(K)]
        cos = {(j, k): float(bank[c, j] @ bank[c, k]) for j, k in pairs}
        apart = [cos[j, k] for j, k in pairs if j != k]
        cosines.append(sum(apart) / len(apart) if apart else 0.0)
        numbers.append(K**2 / sum(x**2 for x in cos.values()))
    assert memory.diversity().item() == pytest.approx(sum(cosines) / len(cosines), abs=1e-5)
    assert memory.effective_number().item() == pytest.approx(sum(numbers) / len(numbers), rel=1e-4)


@given(st.integers(2, 4), st.floats(0.91, 0.999))
@settings(deadline=None, max_examples=20)
def test_a_collapsed_class_is_opened_to_the_ceiling_exactly(K: int, cosine: float) -> None:
    """Prototypes at equal angles, so that the formula of the mean's length holds without rounding."""
    gram = torch.full((K, K), cosine, dtype=torch.float64).fill_diagonal_(1.0)
    bank = torch.linalg.cholesky(gram).float()[None]
    opened = spread(bank, torch.eye(K))
    assert mean_cosine(opened).item() == pytest.approx(CEILING, abs=1e-3)
    axis, before = opened.mean(1), bank.mean(1)
    assert torch.cosine_similarity(axis, before).item() == pytest.approx(1, abs=1e-4)
