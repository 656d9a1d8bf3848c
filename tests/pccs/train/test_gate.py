"""The unlabelled images speak when the teacher has earned it, in words a person understands."""

from __future__ import annotations

import numpy as np
import pytest

from pccs.config import MethodSettings, preset
from pccs.train.gate import Gate


def gate(**changes: object) -> Gate:
    base = {"gate": "quality", "gate_step": 100, "ramp_steps": 50, "gate_quality": 0.5}
    return Gate(MethodSettings.model_validate({**base, **changes}))


def test_silent_before_its_step_whatever_the_quality() -> None:
    g = gate()
    g.measured(50, 0.99)
    assert g.weight(99) == 0
    g.measured(100, 0.99)
    assert g.weight(101) > 0


def test_a_weak_teacher_is_not_believed() -> None:
    g = gate()
    for step in range(100, 1000, 50):
        g.measured(step, 0.2)
    assert g.weight(1000) == 0
    assert "set aside" in g.sentence(1000, any_unlabelled=True)


def test_the_weight_rises_and_falls_with_quality() -> None:
    g = gate()
    g.measured(100, 0.8)
    weights = [g.weight(s) for s in range(100, 160, 10)]
    assert weights == sorted(weights)
    assert weights[-1] == 1.0
    for step in range(200, 500, 50):
        g.measured(step, 0.1)
    assert g.weight(500) == 0
    for step in range(500, 800, 50):
        g.measured(step, 0.8)
    assert g.weight(800) == 1.0


def test_without_a_measurement_the_step_count_must_do() -> None:
    g = gate()
    g.measured(150, None)
    assert g.weight(400) == 1.0


def test_steps_and_open() -> None:
    assert gate(gate="steps").weight(99) == 0
    by_steps = gate(gate="steps")
    assert by_steps.weight(100) > 0
    assert gate(gate="open").weight(0) > 0


def test_supervised_never_listens() -> None:
    g = Gate(preset("supervised").method)
    g.measured(10_000, 1.0)
    assert g.weight(10_000) == 0
    assert "labels only" in g.sentence(10_000, any_unlabelled=True)


def test_state_goes_through_json() -> None:
    g = gate()
    g.measured(100, 0.8)
    other = gate()
    other.restore(g.state())
    assert other.weight(130) == g.weight(130) > 0


def test_the_state_is_said_in_words() -> None:
    g = gate()
    assert g.sentence(10, any_unlabelled=True) == "learning from your labels"
    g.measured(100, 0.9)
    assert g.sentence(160, any_unlabelled=True) == "unlabelled images are helping"
    assert "no unlabelled images" in g.sentence(160, any_unlabelled=False)


def test_trust_is_smooth_and_monotone_in_the_quality() -> None:
    """Zero up to half the bar, one from the bar on, the slope continuous in between."""
    trust = []
    for quality in np.linspace(0, 1, 401):
        g = gate()
        g.opened_at = 0
        g.measured(100, float(quality))
        trust.append(g.weight(10_000))
    steps = np.diff(trust)
    assert (steps >= 0).all()
    assert np.abs(np.diff(steps)).max() < 0.02 * steps.max() * 5
    assert trust[100] == 0.0  # 0.25 of a bar of 0.5
    assert trust[150] == pytest.approx(0.5, abs=1e-6)
    assert trust[200] == pytest.approx(1.0)


def test_a_young_teacher_is_not_short_of_labels_yet() -> None:
    g = gate()
    g.measured(150, 0.2)
    assert g.sentence(150, any_unlabelled=True) == "learning from your labels"
    g.measured(400, 0.2)
    assert "set aside" in g.sentence(400, any_unlabelled=True)


def test_a_teacher_that_lost_its_quality_sets_the_unlabelled_images_aside() -> None:
    g = gate()
    g.measured(100, 0.8)
    assert g.sentence(200, any_unlabelled=True) == "unlabelled images are helping"
    g.measured(250, 0.26)
    assert g.weight(300) > 0
    assert "set aside" in g.sentence(300, any_unlabelled=True), "what is hardly heard does not help"


def test_pasted_annotation_counts_from_its_step_while_the_teacher_waits() -> None:
    g = gate()
    g.measured(200, 0.1)
    assert g.shares(99, pasting=True) == (0.0, 0.0)
    loud, trust = g.shares(400, pasting=True)
    assert (loud, trust) == (1.0, 0.0)
    assert g.shares(400, pasting=False) == (0.0, 1.0), "there is nothing to paste: the stream is silent"


def test_the_shares_multiply_to_the_weight() -> None:
    for how in ("quality", "steps", "open"):
        g = gate(gate=how)
        for step in range(0, 400, 10):
            if step % 50 == 0:
                g.measured(step, min(0.9, step / 500))
            for pasting in (False, True):
                loud, trust = g.shares(step, pasting=pasting)
                assert 0 <= loud <= 1
                assert 0 <= trust <= 1
                assert loud * trust == pytest.approx(g.weight(step))


@pytest.mark.parametrize("opened", [-1, 10**60])
def test_a_gate_that_opened_beyond_reason_is_damage(opened: int) -> None:
    with pytest.raises(ValueError, match="no step"):
        gate().restore({"opened_at": opened, "quality": 0.5})
