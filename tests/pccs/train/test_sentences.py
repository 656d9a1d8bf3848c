"""What people are told about the model's quality."""

from __future__ import annotations

from pccs.train.quality import Estimate
from pccs.train.sentences import showing, summary

NOTHING = Estimate()
HELD = Estimate(0.72, 0.05, {}, 8, 9000)
LOOKS = Estimate(0.48, 0.06, {}, 3, 9000)


def test_both_estimates() -> None:
    assert summary(HELD, LOOKS, [200, 200, 200], 10) == (
        "Dice about 0.72 ± 0.05 on strokes it has not seen in 8 images it knows; "
        "0.48 ± 0.06 on 3 images it had never seen (at step 200)"
    )


def test_one_image_cannot_tell() -> None:
    words = "One image is annotated: nobody can know yet how good the model is on others."
    assert summary(Estimate(0.9, None, {}, 1, 500), NOTHING, [], 1) == words
    assert summary(NOTHING, NOTHING, [], 1) == words


def test_one_of_each_without_an_error() -> None:
    held, looks = Estimate(0.5, None, {}, 1, 10), Estimate(0.4, None, {}, 1, 10)
    assert summary(held, looks, [400], 4) == (
        "Dice about 0.50 on strokes it has not seen in 1 image it knows; "
        "0.40 on 1 image it had never seen (at step 400)"
    )


def test_looks_at_different_steps() -> None:
    assert summary(NOTHING, LOOKS, [400, 100, 200], 10).endswith("(at steps 100 to 400)")


def test_nothing_measured_says_what_to_do() -> None:
    assert "paint more strokes" in summary(NOTHING, NOTHING, [], 3)
    assert "other classes" in summary(Estimate(None, None, {}, 2, 50), NOTHING, [], 3)


def test_showing() -> None:
    assert showing(None) == ""
    assert showing(600) == (
        "showing the model of step 600: the newer ones did worse on strokes it has not seen"
    )
