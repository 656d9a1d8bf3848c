"""The user's result, and how far a prediction was from it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_pccs.review import Prediction, corrective_dice, final_mask
from pccs.labels import make_class

CLASSES = (make_class(1, "background"), make_class(2, "cell"), make_class(3, "nucleus"))
painted = arrays(np.uint8, (6, 7), elements=st.integers(0, 3))
predicted = arrays(np.uint8, (6, 7), elements=st.integers(1, 3))


@given(painted, predicted, st.booleans())
def test_paint_always_wins_and_nothing_stays_open(annotation, prediction, complete) -> None:  # type: ignore[no-untyped-def]
    final = final_mask(annotation, prediction, CLASSES, complete=complete)
    assert (final[annotation > 0] == annotation[annotation > 0]).all()
    below = 1 if complete else prediction[annotation == 0]
    assert (final[annotation == 0] == below).all()


@given(predicted, predicted)
def test_dice_is_symmetric_and_bounded(one, other) -> None:  # type: ignore[no-untyped-def]
    value = corrective_dice(one, other, CLASSES)
    assert value == corrective_dice(other, one, CLASSES)
    assert value is not None
    assert 0.0 <= value <= 1.0
    assert corrective_dice(one, one, CLASSES) == 1.0


def test_dice_by_hand() -> None:
    prediction = np.ones((4, 4), np.uint8)
    prediction[0] = 2
    final = np.ones((4, 4), np.uint8)
    final[:2] = 2
    final[3] = 3
    assert corrective_dice(prediction, final, CLASSES) == pytest.approx((2 * 4 / 12 + 0) / 2)
    assert corrective_dice(prediction, final, CLASSES[:1]) is None


def test_values_of_no_class_become_unpainted() -> None:
    planes = np.array([[[1, 2], [7, 3]], [[0, 255], [51, 0]], [[0, 0], [0, 255]]], np.uint8)
    prediction = Prediction.from_snapshot("a", planes, [1, 2, 3], step=4, run="r", rev=1)
    assert prediction.labels.tolist() == [[1, 2], [0, 3]]
    assert prediction.uncertainty[0, 1] == 1.0
    assert prediction.disagreement[1, 1] == 1.0
