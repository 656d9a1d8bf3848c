"""The model that is shown is the newest, unless an earlier one was clearly better."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
import torch

from pccs.train.choice import Choice
from pccs.train.quality import Estimate

PIXELS = {"a": 500, "b": 500}


def weights(step: int) -> dict[str, torch.Tensor]:
    return {"w": torch.full((2,), float(step), dtype=torch.float64)}


def feed(
    choice: Choice,
    dice: list[float],
    *,
    begin: int = 0,
    error: float | None = 0.01,
    pixels: Mapping[str, int] = PIXELS,
) -> None:
    for number, value in enumerate(dice):
        step = begin + 50 * (number + 1)
        choice.measured(step, Estimate(value, error, {}, 2, 1000), pixels, weights(step))


def declined(error: float | None = 0.01) -> Choice:
    choice = Choice()
    feed(choice, [0.6, 0.7, 0.8], error=error)
    feed(choice, [0.5, 0.5, 0.5], begin=150, error=error)
    return choice


def test_the_newest_while_it_improves() -> None:
    choice = Choice()
    feed(choice, [0.3, 0.5, 0.6, 0.7, 0.7, 0.7])
    assert choice.shown_step is None
    assert choice.best is not None
    assert choice.best.step == 300
    assert choice.smoothed == pytest.approx(0.7)


def test_the_best_once_the_newest_is_clearly_worse() -> None:
    choice = declined()
    assert choice.shown_step == 150
    assert choice.weights["w"].dtype == torch.float32
    assert choice.weights["w"].tolist() == [150.0, 150.0]


def test_the_newest_again_when_it_recovers() -> None:
    choice = declined()
    feed(choice, [0.68, 0.7, 0.69], begin=300)
    assert choice.shown_step is None
    assert choice.best is not None
    assert choice.best.step == 150


def test_one_bad_validation_is_smoothed_away() -> None:
    choice = Choice()
    feed(choice, [0.70, 0.70, 0.70, 0.65])
    assert choice.shown_step is None


CLEAR = [
    (0.64, 0.001, True),
    (0.66, 0.001, False),
    (0.45, 0.2, False),
    (0.25, 0.2, True),
    (0.1, None, False),
]


@pytest.mark.parametrize(("dice", "error", "shown"), CLEAR)
def test_clearly_means_two_standard_errors_and_five_hundredths(
    dice: float, error: float | None, shown: bool
) -> None:
    choice = Choice()
    feed(choice, [0.7] * 3, error=error)
    feed(choice, [dice] * 3, begin=150, error=error)
    assert (choice.shown_step is not None) == shown


def test_fewer_than_three_validations_choose_nothing() -> None:
    choice = Choice()
    feed(choice, [0.9, 0.1])
    assert choice.best is None
    assert choice.smoothed == pytest.approx(0.5)


def test_after_a_stroke_the_newest_until_it_is_measured_again() -> None:
    choice = declined()
    choice.annotation_changed()
    assert choice.shown_step is None
    feed(choice, [0.5], begin=300)
    assert choice.shown_step == 150


@pytest.mark.parametrize("pixels", [{"a": 500, "c": 500}, {"a": 500}, {"a": 500, "b": 500, "c": 200}])
def test_other_measured_pixels_begin_anew(pixels: dict[str, int]) -> None:
    choice = declined()
    feed(choice, [0.5], begin=300, pixels=pixels)
    assert choice.best is None
    assert choice.shown_step is None
    assert choice.weights == {}
    assert choice.smoothed == 0.5


def test_a_few_pixels_more_change_nothing_but_many_times_a_few_do() -> None:
    choice = declined()
    feed(choice, [0.5], begin=300, pixels={"a": 500, "b": 550})
    assert choice.shown_step == 150
    feed(choice, [0.5], begin=350, pixels={"a": 560, "b": 550})
    assert choice.best is None


def test_nothing_measured_changes_nothing() -> None:
    choice = declined()
    choice.measured(350, Estimate(), {}, weights(350))
    assert choice.shown_step == 150


def test_the_weights_kept_do_not_move_with_the_teacher() -> None:
    choice, moving = Choice(), {"w": torch.zeros(2)}
    for step in (50, 100, 150):
        choice.measured(step, Estimate(0.5, 0.1, {}, 2, 1000), PIXELS, moving)
    moving["w"] += 1
    assert choice.weights["w"].tolist() == [0.0, 0.0]


def test_state_goes_through_json() -> None:
    choice, again = declined(), Choice()
    again.restore(json.loads(json.dumps(choice.state())), choice.weights)
    assert again.state() == choice.state()
    assert again.shown_step == 150
    feed(choice, [0.9, 0.9, 0.9], begin=300)
    feed(again, [0.9, 0.9, 0.9], begin=300)
    assert again.state() == choice.state()


def test_without_its_weights_there_is_no_best() -> None:
    again = Choice()
    again.restore(declined().state(), {})
    assert again.shown_step is None
    assert again.best is None


@pytest.mark.parametrize(
    "spoilt",
    [{"best": {"step": 5}}, {"best": {"step": 5, "dice": "much", "error": None}}, {"recent": ["a"]},
     {"recent": [1e999]}, {"measured_on": {"a": "many"}}, {"best": {"step": 5, "dice": 0.5, "error": -1}}],
)  # fmt: skip
def test_a_choice_that_nobody_can_have_made_is_damage(spoilt: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        Choice().restore({**declined().state(), **spoilt}, weights(5))
