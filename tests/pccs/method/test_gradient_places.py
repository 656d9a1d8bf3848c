"""Where each term's gradient must be zero, and where it must not: pixel by pixel, over odd images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pccs.method import (
    IGNORE,
    UNASSIGNED,
    LevelPrototypes,
    PrototypeMemory,
    agreement,
    boundary_distance,
    confident_pixels,
    level_index,
    level_prototypes,
    masked_cross_entropy,
    masked_dice,
    mean_entropy,
    memory_loss,
    prototype_contrast,
)

D = 6
SIZES = [(7, 9), (1, 8), (6, 1), (1, 1), (5, 5)]
KINDS = ["random", "one class", "absent class", "single pixel", "thin line"]


@dataclass
class Scene:
    """``labels`` after the teacher; ``targets`` of which only the first ``L`` images have any."""

    labels: Tensor
    targets: Tensor
    logits: Tensor
    z: Tensor
    U: Tensor
    C: int


@st.composite
def scenes(draw: Any) -> Scene:
    C, (h, w) = draw(st.sampled_from([2, 3, 4, 9])), draw(st.sampled_from(SIZES))
    B = draw(st.integers(1, 3))
    L = draw(st.integers(0, B))
    kind, share = draw(st.sampled_from(KINDS)), draw(st.sampled_from([0.1, 0.7, 2.0]))
    g = torch.Generator().manual_seed(draw(st.integers(0, 10**6)))
    labels = torch.randint(0, C, (B, h, w), generator=g)
    if kind == "one class":
        labels[:] = C - 1
    elif kind == "absent class":
        labels[labels == C - 1] = 0
    elif kind != "random":
        labels[:] = 0
        labels[:, h // 2, :] = 1 if kind == "thin line" else 0
        labels[0, h // 2, w // 2] = 1
    painted = torch.rand(labels.shape, generator=g) < share
    painted[L:] = False
    return Scene(
        labels=labels,
        targets=torch.where(painted, labels, IGNORE),
        logits=torch.randn(B, C, h, w, generator=g, dtype=torch.float64).requires_grad_(),
        z=torch.randn(B, D, h, w, generator=g, dtype=torch.float64).requires_grad_(),
        U=torch.rand(B, h, w, generator=g, dtype=torch.float64),
        C=C,
    )


def pulled(loss: Tensor, x: Tensor) -> Tensor:
    """Which pixels ``[B, h, w]`` of ``x`` have a gradient; it is finite everywhere."""
    assert loss.isfinite()
    (found,) = torch.autograd.grad(loss, x)
    assert found.isfinite().all()
    return (found != 0).any(1)


@given(scenes())
@settings(deadline=None, max_examples=60)
def test_labels_teach_their_own_pixels_and_no_other(s: Scene) -> None:
    known = s.targets != IGNORE
    assert torch.equal(pulled(masked_cross_entropy(s.logits, s.targets), s.logits), known)
    both = masked_cross_entropy(s.logits, s.targets) + masked_dice(s.logits, s.targets)
    assert torch.equal(pulled(both, s.logits), known)
    weight = (s.U > 0.5).double()
    soft = masked_cross_entropy(s.logits, s.targets, pixel_weight=weight)
    assert torch.equal(pulled(soft, s.logits), known & (weight > 0))


@given(scenes(), st.sampled_from(["mse", "ce"]))
@settings(deadline=None, max_examples=60)
def test_agreement_moves_where_the_branches_differ_and_the_pixel_counts(s: Scene, kind: Any) -> None:
    p = s.logits.softmax(1)
    other = p.detach().roll(1, 1)
    same = s.U < 0.3
    target = torch.where(same.unsqueeze(1), p.detach(), other).requires_grad_()
    weight = torch.where(s.U > 0.8, 0.0, s.U)
    loss = agreement(p, target, weight, kind)
    moving = pulled(loss, s.logits)
    assert not moving[weight == 0].any()
    if kind == "mse":
        assert not moving[same].any()
    assert moving[(weight > 0) & ~same].all()
    assert torch.autograd.grad(agreement(p, target, weight, kind), target, allow_unused=True) == (None,)


@given(scenes())
@settings(deadline=None, max_examples=40)
def test_doubt_is_lowered_where_it_is_asked_for(s: Scene) -> None:
    unknown = s.targets == IGNORE
    assert torch.equal(pulled(mean_entropy(s.logits.softmax(1), unknown), s.logits), unknown)


def formed(s: Scene, labels: Tensor, confident: Tensor) -> LevelPrototypes:
    levels = level_index(boundary_distance(labels), labels, 3)
    return level_prototypes(s.z, labels, levels, s.U, num_classes=s.C, num_levels=3, confident=confident)


@given(scenes(), st.sampled_from([0.0, 0.2, 1.0]))
@settings(deadline=None, max_examples=120)
def test_contrast_pulls_every_averaged_pixel_and_no_other(s: Scene, hidden: float) -> None:
    labels = torch.where(s.U.roll(1, 1) < hidden, IGNORE, s.labels)
    confident = confident_pixels(s.U, labels, 0.3, s.C)
    protos = formed(s, labels, confident)
    moving = pulled(prototype_contrast(protos, temperature=0.2), s.z)
    levels = level_index(boundary_distance(labels), labels, 3)
    group = labels * 3 + levels
    averaged = torch.zeros_like(confident)
    for b in range(len(labels)):
        for n in group[b].unique():
            here = (group[b] == n) & (labels[b] != IGNORE)
            sure = here & confident[b]
            averaged[b] |= sure if sure.any() else here
    classes = protos.classes[protos.valid].tolist()
    comparable = len(set(classes)) > 1 and any(classes.count(c) > 1 for c in classes)
    expected = averaged if comparable else torch.zeros_like(averaged)
    assert torch.equal(moving, expected)


@given(scenes(), st.integers(1, 4))
@settings(deadline=None, max_examples=60)
def test_the_memory_guides_the_pixels_it_has_a_place_for(s: Scene, K: int) -> None:
    memory = PrototypeMemory(s.C, K, D, generator=torch.Generator().manual_seed(0))
    sure = confident_pixels(s.U, s.labels, 0.3, s.C)
    slots = memory.assign(s.z.detach(), s.labels, sure)
    assert torch.equal(slots != UNASSIGNED, sure)
    memory.update_from_teacher(s.z.detach(), s.labels, slots, sure)
    moving = pulled(memory_loss(s.z, memory, slots, 0.2), s.z)
    places = K * len(s.labels[sure].unique())
    assert torch.equal(moving, sure if places > 1 else torch.zeros_like(sure))
    assert not any(b.requires_grad for b in memory.buffers())


@given(scenes(), st.integers(1, 4))
@settings(deadline=None, max_examples=60)
def test_both_branches_of_the_prototype_classifier_move(s: Scene, K: int) -> None:
    memory = PrototypeMemory(s.C, K, D, generator=torch.Generator().manual_seed(0))
    sure = torch.ones_like(s.labels, dtype=torch.bool)
    slots = memory.assign(s.z.detach(), s.labels, sure)
    memory.update_from_teacher(s.z.detach(), s.labels, slots, sure)
    head, weight = s.logits.softmax(1), (s.U > 0.4).double()
    by_prototypes = memory.class_probabilities(s.z, 0.3)
    seen = int(memory.initialised.sum())
    moving = pulled(agreement(by_prototypes, head, weight), s.z)
    assert torch.equal(moving, (weight > 0) if seen > 1 else torch.zeros_like(sure))
    assert torch.equal(pulled(agreement(head, by_prototypes, weight), s.logits), weight > 0)


@given(st.integers(0, 10**6))
@settings(deadline=None, max_examples=20)
def test_the_gradient_of_contrast_holds_the_weights_of_its_positives(seed: int) -> None:
    """Several positives a row: the gradient is that of the formula with ``a`` and ``w`` as constants."""
    raw = torch.randn(7, D, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    r = (raw / raw.norm(dim=1, keepdim=True)).requires_grad_()
    classes = [0, 0, 0, 1, 1, 1, 2]
    h = torch.linspace(0, 1, 7, dtype=torch.float64)
    n = torch.arange(7)
    ones = torch.ones(7)
    protos = LevelPrototypes(r, torch.tensor(classes), n, h, ones, ones > 0)
    (ours,) = torch.autograd.grad(prototype_contrast(protos, temperature=0.3), r)
    S, total, weights = r @ r.T / 0.3, torch.zeros((), dtype=torch.float64), 0.0
    for i, c in enumerate(classes):
        plus = [j for j in range(7) if j != i and classes[j] == c]
        minus = [j for j in range(7) if classes[j] != c]
        if not plus:
            continue
        a = S[i, plus].detach().softmax(0)
        against = S[i, minus].exp().sum()
        row = sum(a[k] * ((S[i, j].exp() + against).log() - S[i, j]) for k, j in enumerate(plus))
        total = total + float((-h[i]).exp()) * row
        weights += float((-h[i]).exp())
    (expected,) = torch.autograd.grad(total / weights, r)
    torch.testing.assert_close(ours, expected, rtol=1e-6, atol=1e-9)
