"""Which items wait for a first look, for how long, and what the looks say."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pccs.train.looks import ADMITTED_AT, FEWEST, MOST, FirstLooks, Look, plan


def names(n: int) -> list[str]:
    return [f"item-{k}" for k in range(n)]


def planned(n: int, seed: int = 0) -> dict[str, int]:
    return plan(names(n), seed, lambda name: {0, 1}, lambda name: True)


def look(item: str = "a", step: int = 100, dice: float | None = 0.4, held_out: float | None = 0.8) -> Look:
    return Look(item, step, [[5, 6, 7], [1, 2, 3]], dice, held_out)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 120), st.integers(0, 1000))
def test_a_fifth_waits_in_equal_groups_and_nobody_for_good(n: int, seed: int) -> None:
    waiting = planned(n, seed)
    assert len(waiting) == (0 if n < FEWEST else min(MOST, n // 5))
    sizes = [list(waiting.values()).count(step) for step in ADMITTED_AT]
    assert sum(sizes) == len(waiting)
    if len(waiting) > 1:
        assert max(sizes) - min(sizes) <= 1
    assert waiting == plan(names(n)[::-1], seed, lambda name: {0, 1}, lambda name: True)


def test_a_single_one_is_let_in_at_step_200() -> None:
    assert list(planned(7).values()) == [200]


def test_the_seed_chooses() -> None:
    assert len({tuple(sorted(planned(40, seed))) for seed in range(5)}) == 5


def test_no_class_is_taken_from_training() -> None:
    """Class 2 is in one item: that one never waits, whatever the seed."""
    rare = "item-3"
    for seed in range(20):
        waiting = plan(names(10), seed, lambda n: {0, 1, 2} if n == rare else {0, 1}, lambda name: True)
        assert rare not in waiting
        assert len(waiting) == 2


def test_two_items_that_share_a_class_do_not_both_wait() -> None:
    pair = {"item-1", "item-2"}
    for seed in range(20):
        waiting = plan(names(10), seed, lambda n: {0, 2} if n in pair else {0, 1}, lambda n: True)
        assert not pair <= set(waiting)


def test_what_says_nothing_does_not_wait() -> None:
    assert set(plan(names(10), 0, lambda n: {0, 1}, lambda n: n == "item-4")) == {"item-4"}
    assert plan(names(10), 0, lambda n: {1}, lambda n: False) == {}


def test_let_in_when_due_and_not_before() -> None:
    looks = FirstLooks(admitted={"a"}, waiting={"b": 100, "c": 200})
    assert looks.due(99) == []
    assert looks.due(100) == ["b"]
    looks.admit("b", look("b"))
    assert looks.withheld == {"c"}
    assert looks.due(1000) == ["c"]


def test_a_new_item_is_looked_at_once() -> None:
    looks = FirstLooks(admitted={"a"})
    looks.follow({"a", "b"}, 60, "b")
    assert looks.withheld == {"b"}
    looks.admit("b", look("b", 60))
    looks.follow({"a", "b"}, 70, "b")
    assert looks.due(70) == []


def test_a_young_run_takes_new_items_as_they_come() -> None:
    looks = FirstLooks(admitted={"a"})
    looks.follow({"a", "b"}, 49, "b")
    assert looks.withheld == set()
    assert looks.admitted == {"a", "b"}


def test_who_paints_on_an_item_that_waits_wants_it_to_count() -> None:
    looks = FirstLooks(admitted={"a"}, waiting={"b": 400})
    looks.follow({"a", "b"}, 60, "b")
    assert looks.due(60) == ["b"]
    young = FirstLooks(admitted={"a"}, waiting={"b": 400})
    young.follow({"a", "b"}, 10, "b")
    assert "b" in young.admitted


def test_an_erased_annotation_waits_no_longer() -> None:
    looks = FirstLooks(admitted={"a"}, waiting={"b": 400}, arrived={"c"})
    looks.follow({"a"}, 100, "b")
    assert looks.withheld == set()
    assert looks.admitted == {"a"}


def test_when_nothing_else_is_left_what_waits_is_let_in() -> None:
    looks = FirstLooks(admitted={"a"}, waiting={"b": 400})
    looks.follow({"b"}, 100, "a")
    assert looks.due(100) == ["b"]


def test_calibration() -> None:
    looks = FirstLooks()
    assert looks.calibration() == 1.0
    looks.looks = [look(dice=0.4, held_out=0.8), look(dice=0.75, held_out=1.0)]
    assert looks.calibration() == pytest.approx(0.625)
    looks.looks = [look(dice=None), look(held_out=None), look(dice=0.09, held_out=0.001)]
    assert looks.calibration() == 1.0
    looks.looks = [look(dice=0.9, held_out=0.6)]
    assert looks.calibration() == 1.0, "better than on known images is chance, not knowledge"


def test_the_newest_looks_count() -> None:
    looks = FirstLooks(looks=[look(str(k), step=k) for k in range(20)])
    assert [k.step for k in looks.latest] == list(range(20 - MOST, 20))


def test_state_goes_through_json() -> None:
    looks = FirstLooks({"a"}, {"b": 400}, {"c"}, [look()])
    again = FirstLooks.from_state(json.loads(json.dumps(looks.state())), classes=2)
    assert (again.admitted, again.waiting, again.looks) == (looks.admitted, looks.waiting, looks.looks)
    again.follow({"a", "b", "c"}, 500)
    assert again.arrived == {"c"}, "what had arrived arrives again"


@pytest.mark.parametrize(
    "spoilt",
    [
        {"admitted": ["a", 3]},
        {"waiting": {"a": "soon"}},
        {"looks": [{"item": "a", "step": 1, "counts": [[1, 2, 3]] * 3, "dice": 0.5, "held_out": None}]},
        {"looks": [{"item": "a", "step": 1, "counts": [[1, 2, 3], [1]], "dice": 0.5, "held_out": None}]},
        {"looks": [{"item": "a", "step": 1, "counts": [[1, 2, 3]] * 2, "dice": "much", "held_out": 0.5}]},
        {"looks": [{"item": "a", "step": 1, "counts": [[1, 2, 3]] * 2, "dice": 0.5, "held_out": 2.0}]},
        {"looks": [{"item": "a", "step": -1, "counts": [[1, 2, 3]] * 2, "dice": 0.5, "held_out": 0.5}]},
        {"looks": {}},
    ],
)
def test_looks_that_nobody_can_have_had_are_damage(spoilt: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"validation error|counts|inhomogeneous"):
        FirstLooks.from_state({**FirstLooks().state(), **spoilt}, classes=2)
