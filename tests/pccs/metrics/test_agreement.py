"""Agreement of two people: known answers, plain loops, and what is counted of a project."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from pccs.labels import make_class
from pccs.metrics.agreement import agreement, counted, dice, kappa, one_against_rest
from pccs.project import Project

VALUES = (1, 2, 4)


def kappa_by_loops(pairs: list[tuple[int, int]]) -> float:
    """Cohen's definition, pixel by pixel."""
    observed = sum(x == y for x, y in pairs) / len(pairs)
    chance = 0.0
    for value in {v for pair in pairs for v in pair}:
        first = sum(x == value for x, _ in pairs) / len(pairs)
        second = sum(y == value for _, y in pairs) / len(pairs)
        chance += first * second
    return (observed - chance) / (1 - chance)


def test_the_known_example_of_a_table() -> None:
    """Two readers, 50 proposals: 20 yes by both, 15 no by both, 5 and 10 apart: kappa is 0.4."""
    counts = np.array([[20, 5], [10, 15]])
    assert kappa(counts) == pytest.approx(0.4)
    assert dice(counts, 0) == pytest.approx(2 * 20 / (25 + 30))


def test_what_cannot_be_said_is_nan() -> None:
    assert math.isnan(kappa(np.zeros((2, 2), np.int64)))
    assert math.isnan(kappa(np.array([[7, 0], [0, 0]]))), "both painted one class alone: chance agrees too"
    assert math.isnan(dice(np.array([[7, 0], [0, 0]]), 1))
    assert kappa(np.array([[5, 0], [0, 5]])) == 1
    assert kappa(np.array([[0, 5], [5, 0]])) == -1


@pytest.mark.parametrize("seed", range(5))
def test_it_is_what_plain_loops_say(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.choice([0, *VALUES], (2, 12, 9)).astype(np.uint8)
    counts = counted(a, b, VALUES)
    pairs = [(int(x), int(y)) for x, y in zip(a.ravel(), b.ravel(), strict=True) if x and y]
    assert counts.sum() == len(pairs)
    assert kappa(counts) == pytest.approx(kappa_by_loops(pairs))
    for k, value in enumerate(VALUES):
        marked = [(int(x == value), int(y == value)) for x, y in pairs]
        overlap = 2 * sum(x and y for x, y in marked) / sum(x + y for x, y in marked)
        assert dice(counts, k) == pytest.approx(overlap)
        assert kappa(one_against_rest(counts, k)) == pytest.approx(kappa_by_loops(marked))


def test_of_a_project_what_each_painted_by_hand_is_compared(tmp_path: Path) -> None:
    classes = (make_class(1, "background"), make_class(2, "cell"))
    path = tmp_path / "p.pccs"
    rng = np.random.default_rng(1)
    with Project.create(path, classes) as made:
        for name in "abc":
            made.add_array(name, np.zeros((8, 8), np.uint8), "YX")
    with Project.open(path, name="anna") as anna, Project.join(path, "ben") as ben:
        strokes = rng.integers(0, 3, (2, 8, 8)).astype(np.uint8)
        anna.save_annotation("a", strokes[0])
        anna.save_annotation("b", strokes[0])
        ben.save_annotation("a", strokes[1])
        ben.save_annotation("c", strokes[1])
        before = counted(*strokes, (1, 2))
        assert [p.items for p in agreement(anna)] == [["a"]]
        anna.people.take_in(anna.item("a"))
        item = anna.item("a")
        anna.people.decide(item, anna.people.joined(item).conflict, "ben")
        (pair,) = agreement(anna)
        assert (pair.first, pair.second, pair.pixels) == ("anna", "ben", int(before.sum()))
        np.testing.assert_array_equal(pair.counts, before)
        ben.note_taken("a", np.where(strokes[1] == 2, strokes[1], np.uint8(0)))
        (pair,) = agreement(anna)
        assert pair.counts[:, 1].sum() == 0, "what the model said is no second opinion"
        figures = pair.figures(["background", "cell"])
        assert figures["per_class"]["cell"]["dice"] == 0
        assert figures["items"] == ["a"]
