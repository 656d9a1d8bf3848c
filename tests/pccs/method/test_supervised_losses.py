"""Cross-entropy and Dice on labelled pixels only."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from pccs.method import IGNORE, masked_cross_entropy, masked_dice


def case(seed: int, C: int = 3, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, C, 4, 5, generator=g, dtype=dtype)
    target = torch.randint(0, C + 1, (2, 4, 5), generator=g)
    target[target == C] = IGNORE
    return logits, target


def perfect(target: torch.Tensor, C: int) -> torch.Tensor:
    """Logits that are sure of the target (and of class 0 where there is none)."""
    index = torch.where(target == IGNORE, 0, target)
    return 1000.0 * F.one_hot(index, C).permute(0, 3, 1, 2).float()


@given(st.integers(0, 10**6), st.integers(2, 9))
@settings(deadline=None, max_examples=60)
def test_a_perfect_prediction_scores_zero(seed: int, C: int) -> None:
    """Released program: Dice without the 2, a perfect prediction scores 0.5."""
    _, target = case(seed, C)
    logits = perfect(target, C)
    assert masked_dice(logits, target).item() == 0
    assert masked_cross_entropy(logits, target).item() == 0
    weight = torch.rand(2, 4, 5, generator=torch.Generator().manual_seed(seed))
    assert masked_dice(logits, target, pixel_weight=weight).item() == pytest.approx(0, abs=1e-6)


@given(st.integers(0, 10**6), st.integers(2, 5))
@settings(deadline=None, max_examples=40)
def test_dice_equals_plain_loops(seed: int, C: int) -> None:
    logits, target = case(seed, C, torch.float64)
    p = logits.softmax(1)
    losses = []
    for c in range(C):
        inter = predicted = true = 0.0
        for b in range(2):
            for y in range(4):
                for x in range(5):
                    t = int(target[b, y, x])
                    if t == IGNORE:
                        continue
                    inter += float(p[b, c, y, x]) * (t == c)
                    predicted += float(p[b, c, y, x])
                    true += t == c
        if true:
            losses.append(1 - 2 * inter / (predicted + true))
    expected = sum(losses) / len(losses)
    assert masked_dice(logits, target).item() == pytest.approx(expected)


@given(st.integers(0, 10**6))
@settings(deadline=None, max_examples=40)
def test_cross_entropy_equals_torch_with_class_weights(seed: int) -> None:
    logits, target = case(seed)
    if (target == IGNORE).all():
        return
    w = torch.tensor([0.2, 1.0, 3.0])
    theirs = F.cross_entropy(logits, target, weight=w, ignore_index=IGNORE)
    plain = F.cross_entropy(logits, target, ignore_index=IGNORE)
    known = target != IGNORE
    by_hand = (F.cross_entropy(logits, target, ignore_index=IGNORE, reduction="none")[known]).mean()
    torch.testing.assert_close(masked_cross_entropy(logits, target), plain)
    torch.testing.assert_close(by_hand, plain)
    share = w[target[known]] / w[target[known]].sum()
    each = F.cross_entropy(logits, target, ignore_index=IGNORE, reduction="none")[known]
    torch.testing.assert_close(masked_cross_entropy(logits, target, weight=w), (share * each).sum())
    torch.testing.assert_close(masked_cross_entropy(logits, target, weight=w), theirs)


def test_unlabelled_pixels_have_no_gradient() -> None:
    logits, target = case(1)
    logits.requires_grad_()
    (masked_cross_entropy(logits, target) + masked_dice(logits, target)).backward()
    assert logits.grad is not None
    hidden = (target == IGNORE).unsqueeze(1).expand_as(logits)
    assert (logits.grad[hidden] == 0).all()
    assert (logits.grad[~hidden] != 0).all()


def test_no_label_at_all_is_zero_with_zero_gradient() -> None:
    logits, target = case(0)
    logits.requires_grad_()
    target[:] = IGNORE
    loss = masked_cross_entropy(logits, target, weight=torch.ones(3)) + masked_dice(logits, target)
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert (logits.grad == 0).all()


def test_an_absent_class_is_not_scored_but_costs_what_it_displaces() -> None:
    target = torch.zeros(1, 4, 4, dtype=torch.long)
    target[0, :, 2:] = 1
    right = perfect(target, 3)
    assert masked_dice(right, target).item() == 0
    wrong = perfect(torch.where(target == 1, 2, target), 3)
    assert masked_dice(wrong, target).item() == pytest.approx(0.5)


def test_pixel_weight_softens_without_making_others_louder() -> None:
    logits, target = case(3)
    logits.requires_grad_()
    weight = torch.ones(2, 4, 5)
    whole = torch.autograd.grad(masked_cross_entropy(logits, target, pixel_weight=weight), logits)[0]
    weight[0] = 0.5
    soft = torch.autograd.grad(masked_cross_entropy(logits, target, pixel_weight=weight), logits)[0]
    torch.testing.assert_close(soft[0], 0.5 * whole[0])
    torch.testing.assert_close(soft[1], whole[1])
    weight[0] = 0
    dice = torch.autograd.grad(masked_dice(logits, target, pixel_weight=weight), logits)[0]
    assert (dice[0] == 0).all()


@pytest.mark.parametrize("scale", [1e4, 1e-8])
def test_extreme_logits_stay_finite(scale: float) -> None:
    logits, target = case(2)
    logits = (scale * logits).requires_grad_()
    loss = masked_cross_entropy(logits, target) + masked_dice(logits, target)
    loss.backward()
    assert loss.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_gradients_are_right() -> None:
    logits, target = case(5, dtype=torch.float64)
    logits.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: masked_dice(x, target), logits)
    assert torch.autograd.gradcheck(lambda x: masked_cross_entropy(x, target), logits)


def test_half_precision_logits_are_summed_in_full() -> None:
    target = torch.zeros(1, 256, 256, dtype=torch.long)
    target[:, 128:] = 1
    logits = perfect(target, 2).bfloat16()
    assert masked_dice(logits, target).item() == 0
    assert masked_dice(logits, target).dtype == torch.float32
