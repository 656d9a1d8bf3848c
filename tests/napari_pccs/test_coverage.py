"""How much is painted, and when *complete* looks like a slip."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pccs.coverage import coverage, percent
from pccs.labels import make_class

CLASSES = (make_class(1, "background"), make_class(2, "cell"), make_class(3, "nucleus"))


def test_the_sentence_of_a_complete_item_has_its_figure() -> None:
    painted = np.zeros((10, 10), np.uint8)
    painted[0, :3] = 2
    facts = coverage(painted, None, CLASSES)
    assert (
        facts.complete_sentence() == "Everything unpainted on this complete item counts as background: 97 %."
    )
    assert facts.suspicious
    assert "97 % of the pixels are not painted. They are unknown" in facts.partial_sentence()


def test_a_well_painted_item_is_not_doubted() -> None:
    painted = np.ones((10, 10), np.uint8)
    painted[2:6, 2:6] = 2
    painted[0] = 0
    facts = coverage(painted, np.ones((10, 10), np.uint8), CLASSES)
    assert not facts.suspicious
    assert facts.unpainted == pytest.approx(0.1)


def test_nothing_painted_teaches_that_there_is_nothing() -> None:
    facts = coverage(np.zeros((4, 4), np.uint8), None, CLASSES)
    assert "holds no object" in facts.complete_sentence()
    only_background = coverage(np.ones((4, 4), np.uint8), None, CLASSES)
    assert only_background.suspicious
    assert only_background.partial_sentence() == "Partial, and every pixel is painted."


def test_the_model_may_doubt_it() -> None:
    painted = np.ones((10, 10), np.uint8)
    painted[5:] = 0
    painted[0, 0] = 2
    prediction = np.ones((10, 10), np.uint8)
    prediction[5:, :4] = 3  # 20 pixels nobody painted
    prediction[5, 9] = 2
    prediction[0] = 3  # painted: what the model thinks there does not matter
    facts = coverage(painted, prediction, CLASSES)
    assert facts.doubted == pytest.approx(0.21)
    assert facts.doubted_as == "nucleus"
    assert "takes 21 % of the image for nucleus there" in facts.complete_sentence()


def test_shares_never_look_like_all_or_nothing() -> None:
    assert [percent(p) for p in (0, 0.0001, 0.5, 0.9999, 1)] == [
        "0 %",
        "less than 1 %",
        "50 %",
        "more than 99 %",
        "100 %",
    ]


def test_what_was_taken_over_is_said_of_either_kind() -> None:
    painted = np.ones((10, 10), np.uint8)
    facts = coverage(painted, None, CLASSES, taken=0.25)
    assert (
        facts.partial_sentence() == "Partial, and every pixel is painted. 25 % was taken over from the model."
    )
    assert facts.complete_sentence().endswith("25 % was taken over from the model.")
    assert "model" not in coverage(painted, None, CLASSES).partial_sentence()
