"""Every term against a slow and obvious version: plain loops over pixels, in double precision."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from pccs.method import (
    IGNORE,
    agreement,
    boundary_distance,
    confident_pixels,
    level_index,
    masked_cross_entropy,
    masked_dice,
    mean_entropy,
    normalised_entropy,
)

SEEDS = st.integers(0, 10**6)
CLASSES = st.sampled_from([2, 3, 4, 9])


def pixels(x: Tensor) -> list[tuple[int, int, int]]:
    return [(b, r, c) for b in range(x.shape[0]) for r in range(x.shape[-2]) for c in range(x.shape[-1])]


def case(seed: int, C: int, B: int = 2, h: int = 4, w: int = 3) -> dict[str, Tensor]:
    """Two distributions, one with exact zeros, a target with ignored pixels, and weights."""
    g = torch.Generator().manual_seed(seed)
    logits = torch.randn(B, C, h, w, generator=g, dtype=torch.float64)
    q = (1.5 * torch.randn(B, C, h, w, generator=g, dtype=torch.float64)).softmax(1)
    q[0, :, 0, 0] = torch.eye(C, dtype=torch.float64)[seed % C]
    target = torch.randint(0, C + 1, (B, h, w), generator=g)
    target[target == C] = IGNORE
    weight = torch.rand(B, h, w, generator=g, dtype=torch.float64)
    weight[0, 0] = 0
    return {"logits": logits, "p": logits.softmax(1), "q": q, "target": target, "weight": weight}


def entropy_of(p: Tensor, b: int, r: int, c: int) -> float:
    shares = [float(x) for x in p[b, :, r, c]]
    return -sum(x * math.log(x) for x in shares if x > 0) / math.log(len(shares))


@given(SEEDS, CLASSES)
@settings(deadline=None, max_examples=15)
def test_entropy(seed: int, C: int) -> None:
    data = case(seed, C)
    ours, q = normalised_entropy(data["q"]), data["q"]
    for at in pixels(ours):
        assert ours[at].item() == pytest.approx(entropy_of(q, *at), abs=1e-9)
    inside = [entropy_of(q, *at) for at in pixels(ours) if data["weight"][at] > 0.5]
    expected = sum(inside) / len(inside) if inside else 0.0
    assert mean_entropy(q, data["weight"] > 0.5).item() == pytest.approx(expected, abs=1e-6)
    every = [entropy_of(q, *at) for at in pixels(ours)]
    assert mean_entropy(q).item() == pytest.approx(sum(every) / len(every), abs=1e-9)


@given(SEEDS, CLASSES)
@settings(deadline=None, max_examples=15)
def test_agreement(seed: int, C: int) -> None:
    data = case(seed, C)
    p, q, w = data["p"], data["q"], data["weight"]
    squared, divergence = [], []
    for at in pixels(w):
        b, r, c = at
        pairs = list(zip(p[b, :, r, c].tolist(), q[b, :, r, c].tolist(), strict=True))
        squared.append(float(w[at]) * sum((x - y) ** 2 for x, y in pairs))
        divergence.append(float(w[at]) * sum(y * math.log(y / x) for x, y in pairs if y > 0))
    n = w.numel()
    assert agreement(p, q, w).item() == pytest.approx(sum(squared) / n)
    assert agreement(p, q, w, "ce").item() == pytest.approx(sum(divergence) / n, abs=1e-6)


@given(SEEDS, CLASSES, st.booleans())
@settings(deadline=None, max_examples=15)
def test_cross_entropy(seed: int, C: int, with_classes: bool) -> None:
    data = case(seed, C)
    trust = data["weight"]
    by_class = torch.linspace(0.2, 2.0, C, dtype=torch.float64) if with_classes else None
    total = share = 0.0
    for b, r, c in pixels(trust):
        t = int(data["target"][b, r, c])
        if t == IGNORE:
            continue
        x = data["logits"][b, :, r, c].tolist()
        loss = math.log(sum(math.exp(v) for v in x)) - x[t]
        factor = 1.0 if by_class is None else float(by_class[t])
        total += factor * float(trust[b, r, c]) * loss
        share += factor
    ours = masked_cross_entropy(data["logits"], data["target"], weight=by_class, pixel_weight=trust)
    assert ours.item() == pytest.approx(total / share if share else 0.0)


@given(SEEDS, CLASSES)
@settings(deadline=None, max_examples=15)
def test_dice_with_weights(seed: int, C: int) -> None:
    data = case(seed, C)
    losses = []
    for k in range(C):
        inter = predicted = true = 0.0
        for b, r, c in pixels(data["target"]):
            t, w = int(data["target"][b, r, c]), float(data["weight"][b, r, c])
            if t != IGNORE:
                inter += w * float(data["p"][b, k, r, c]) * (t == k)
                predicted += w * float(data["p"][b, k, r, c])
                true += w * (t == k)
        if true:
            losses.append(1 - 2 * inter / (predicted + true))
    ours = masked_dice(data["logits"], data["target"], pixel_weight=data["weight"])
    assert ours.item() == pytest.approx(sum(losses) / len(losses) if losses else 0.0)


@given(SEEDS, CLASSES, st.integers(2, 5), st.sampled_from([(7, 9), (1, 12), (12, 1), (5, 5)]))
@settings(deadline=None, max_examples=40)
def test_level_sets_by_scipy(seed: int, C: int, count: int, size: tuple[int, int]) -> None:
    """Depth by one transform of scipy a region, bins by the definition: equal widths of its logarithm."""
    g = np.random.default_rng(seed)
    labels = np.repeat(np.repeat(g.integers(0, C, (1, 3, 3)), 4, 1), 4, 2)[:, : size[0], : size[1]]
    ours = level_index(boundary_distance(torch.from_numpy(labels)), torch.from_numpy(labels), count)[0]
    for k in np.unique(labels):
        inside = labels[0] == k
        if inside.all():
            assert (ours == 0).all()
            continue
        depth = distance_transform_edt(inside)
        deepest = math.log(depth.max())
        for r, c in zip(*np.nonzero(inside), strict=True):
            place = count * math.log(depth[r, c]) / deepest if deepest > 0 else 0.0
            if abs(place - round(place)) > 1e-4 or depth[r, c] in (1.0, depth.max()):
                assert ours[r, c] == min(int(place), count - 1)


@given(SEEDS, CLASSES, st.floats(0, 1))
@settings(deadline=None, max_examples=15)
def test_confident_pixels(seed: int, C: int, threshold: float) -> None:
    data = case(seed, C)
    U, labels = data["weight"], data["target"]
    ours = confident_pixels(U, labels, threshold, C)
    for at in pixels(U):
        k = int(labels[at])
        if k == IGNORE:
            assert not ours[at]
            continue
        same = [float(U[other]) for other in pixels(U) if int(labels[other]) == k]
        bar = max(threshold, sum(same) / len(same))
        if abs(float(U[at]) - bar) > 1e-5:
            assert bool(ours[at]) == (float(U[at]) <= bar)
