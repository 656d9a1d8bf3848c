"""Pooled Dice against plain loops, its standard error against known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pccs.labels import IGNORE
from pccs.train.quality import Estimate, count, estimate

NAMES = ["background", "cell", "nucleus", "rare"]


def slow_dice(guess: np.ndarray, target: np.ndarray, classes: int) -> dict[int, float]:
    """Dice of every annotated class, pixel by pixel."""
    found = {}
    for c in range(classes):
        common = guessed = annotated = 0
        for g, t in zip(guess.ravel().tolist(), target.ravel().tolist(), strict=True):
            if t == IGNORE:
                continue
            common += g == c and t == c
            guessed += g == c
            annotated += t == c
        if annotated:
            found[c] = 2 * common / (guessed + annotated)
    return found


def slow_mean(guess: np.ndarray, target: np.ndarray, classes: int) -> float | None:
    rest = [d for c, d in slow_dice(guess, target, classes).items() if c]
    return sum(rest) / len(rest) if rest else None


def slow_estimate(guess: np.ndarray, target: np.ndarray, items: list[str], classes: int) -> Estimate:
    """Everything recomputed with one item left out after the other."""
    different = sorted(set(items))
    without = []
    for name in different:
        rest = [k for k, item in enumerate(items) if item != name]
        without.append(slow_mean(guess[rest], target[rest], classes))
    error = None
    if len(different) > 1 and None not in without:
        m, mean = len(different), sum(without) / len(without)
        error = math.sqrt((m - 1) / m * sum((w - mean) ** 2 for w in without))
    per_class = {NAMES[c]: d for c, d in slow_dice(guess, target, classes).items()}
    return Estimate(
        slow_mean(guess, target, classes), error, per_class, len(different), int((target != IGNORE).sum())
    )


def measured(guess: np.ndarray, target: np.ndarray, items: list[str], classes: int) -> Estimate:
    counts = count(torch.from_numpy(guess), torch.from_numpy(target), classes)
    assert counts.shape == (len(items), classes, 3)
    return estimate(counts.numpy(), items, NAMES[:classes])


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 4), st.integers(1, 6), st.integers(1, 4), st.floats(0, 1), st.integers(0, 2**31))
def test_equals_plain_loops(classes: int, crops: int, items: int, unknown: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    target = rng.integers(0, classes, (crops, 4, 5))
    guess = np.where(rng.random(target.shape) < 0.6, target, rng.integers(0, classes, target.shape))
    target[rng.random(target.shape) < unknown] = IGNORE
    names = [f"i{k}" for k in rng.integers(0, items, crops)]
    ours, slow = measured(guess, target, names, classes), slow_estimate(guess, target, names, classes)
    assert (ours.items, ours.pixels) == (slow.items, slow.pixels)
    assert ours.per_class == pytest.approx(slow.per_class)
    for mine, theirs in ((ours.dice, slow.dice), (ours.error, slow.error)):
        assert (mine is None) == (theirs is None)
        assert mine == pytest.approx(theirs, abs=1e-12)


def test_a_perfect_guess_is_exactly_one_and_as_sure_as_can_be() -> None:
    target = np.random.default_rng(0).integers(0, 3, (4, 8, 8))
    found = measured(target, target, list("aabc"), 3)
    assert (found.dice, found.error, found.items, found.pixels) == (1.0, 0.0, 3, 256)


def test_a_wrong_guess_is_exactly_zero() -> None:
    target = np.array([[[0, 0, 1, 1]]])
    assert measured(1 - target, target, ["a"], 2).dice == 0.0


def test_known_answer_of_the_jackknife() -> None:
    """Two items with half of all pixels each, Dice 1 and 0: each alone is as far off as can be."""
    target = np.array([[[0, 1]], [[0, 1]]])
    guess = np.array([[[0, 1]], [[1, 0]]])
    found = measured(guess, target, ["a", "b"], 2)
    assert found.dice == 0.5
    assert found.error == pytest.approx(0.5)  # sqrt(1/2 · (0.5² + 0.5²))


def test_dice_is_pooled_over_crops_and_not_averaged() -> None:
    """One wrong pixel in an image of one pixel of the class weighs as much as anywhere else."""
    target = np.array([[[1, 1, 1, 1]], [[0, 0, 0, 1]]])
    guess = np.array([[[1, 1, 1, 1]], [[0, 0, 0, 0]]])
    assert measured(guess, target, ["a", "b"], 2).dice == pytest.approx(8 / 9)


def test_one_item_has_no_error_however_many_crops() -> None:
    target = np.random.default_rng(1).integers(0, 2, (5, 4, 4))
    assert measured(target, target, ["a"] * 5, 2).error is None


def test_the_only_item_with_a_class_makes_the_error_unknown() -> None:
    target = np.array([[[0, 1]], [[0, 0]]])
    found = measured(target, target, ["a", "b"], 2)
    assert found.dice == 1.0
    assert found.error is None


def test_nothing_measured() -> None:
    target = np.full((2, 3, 3), IGNORE)
    found = measured(np.zeros_like(target), target, ["a", "b"], 2)
    assert (found.dice, found.pixels, found.per_class) == (None, 0, {})
    assert estimate(np.zeros((0, 2, 3), np.int64), [], NAMES[:2]) == Estimate()


def test_more_items_of_the_same_kind_are_surer() -> None:
    rng = np.random.default_rng(2)
    target = rng.integers(0, 2, (32, 8, 8))
    guess = np.where(rng.random(target.shape) < rng.uniform(0.4, 1, (32, 1, 1)), target, 1 - target)
    names = [f"i{k}" for k in range(32)]
    few, many = measured(guess[:4], target[:4], names[:4], 2), measured(guess, target, names, 2)
    assert few.error is not None
    assert many.error is not None
    assert 0 < many.error < few.error


def test_counting_waits_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise AssertionError("a device was read")

    target = torch.randint(0, 3, (4, 8, 8))
    for name in ("item", "cpu", "tolist", "__bool__", "__int__", "__float__", "numpy"):
        monkeypatch.setattr(torch.Tensor, name, refuse)
    counts = count(target, target, 3)
    monkeypatch.undo()
    assert int(counts[..., 2].sum()) == 4 * 64
