"""Whether training still gains, in words; known answers."""

from __future__ import annotations

from napari_pccs.improvement import Improvement
from napari_pccs.training import TrainingFacts
from pccs.events import StateChanged, Stepped, Validated


def rising(until: float, step: float = 10.0, by: float = 0.02) -> Improvement:
    found = Improvement()
    for count in range(int(until / step)):
        found.measured(count * step, 0.3 + by * count)
    return found


def test_one_measurement_says_nothing() -> None:
    found = Improvement()
    assert found.sentence(500.0) == ""
    found.measured(0.0, 0.5)
    assert found.sentence(500.0) == ""
    assert not found.stalled(500.0)


def test_a_gain_is_told_with_its_size_and_time() -> None:
    # 0.30 … 0.88 in steps of 10 s; smoothed over three: 0.86 at 290 s, 0.50 at 110 s
    assert rising(300).sentence(290.0) == "Still improving: Dice +0.36 in the last 3 minutes."
    assert rising(50).sentence(40.0) == "Still improving: Dice +0.06 in the last 40 seconds."


def test_three_minutes_without_gain_are_told_and_strokes_give_new_hope() -> None:
    found = rising(100)
    for when in range(100, 400, 10):
        found.measured(float(when), 0.48 + 0.004 * (when % 20 > 0))  # jitter below what anybody sees
    assert not found.stalled(250.0)
    assert found.stalled(400.0)
    assert found.sentence(400.0) == "No gain for 5 minutes: stop, or annotate the suggested places."
    found.annotated(400.0)
    assert not found.stalled(570.0)
    assert found.sentence(580.0).startswith("No gain for 3 minutes")


def test_slow_gains_add_up() -> None:
    found = Improvement()
    for when in range(0, 1000, 10):
        found.measured(float(when), 0.5 + when * 1e-4)  # 0.01 in 100 s
    assert not found.stalled(1000.0)


def test_training_that_goes_back_forgets() -> None:
    found = rising(300)
    found.measured(50.0, 0.2)
    assert found.sentence(60.0) == ""


def test_the_facts_of_training_tell_it_only_while_steps_are_made() -> None:
    training = TrainingFacts()
    training.ask()
    training.changed(StateChanged("training", "r"))
    for count in range(5):
        training.validated(Validated("r", count, 10.0 * count, 0.7, {}, 100))
    training.stepped(Stepped("r", 9, 250.0, 1.0, {}, 1.0))
    assert training.stalled
    assert training.outlook.startswith("No gain for 4 minutes")
    training.changed(StateChanged("paused", "r"))
    assert training.outlook == ""
    training.changed(StateChanged("training", "r"))
    training.annotated()
    assert not training.stalled


def test_curves_read_from_disk_carry_the_time() -> None:
    training = TrainingFacts()
    rows = [{"step": n, "seconds": 20.0 * n, "validation": 0.6} for n in range(20)]
    training.load("r", rows)
    training.changed(StateChanged("training", "r"))
    assert training.seconds == 380.0
    assert training.stalled


def test_a_training_that_is_held_instead_of_ended_can_be_ended_again() -> None:
    training = TrainingFacts()
    training.changed(StateChanged("training", "r"))
    training.ending = "keep"
    training.changed(StateChanged("training", "r", "unlabelled images are helping"))
    assert training.ending == "keep", "it has not answered yet"
    training.changed(StateChanged("paused", "r"))
    assert training.ending == ""
