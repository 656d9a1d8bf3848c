"""The durability benchmark in its short form, and that it notices what it is there to notice."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import xvfb_display

from benchmarks import _faults, _powercut, durability
from benchmarks._durability_plant import PLANTS
from benchmarks._durability_run import Outcome, Round, Stage
from benchmarks._faults import Control

pytestmark = [
    pytest.mark.skipif(bool(_faults.why_not()), reason=_faults.why_not() or "faults can be injected"),
    pytest.mark.timeout(600),  # for a machine that is busy with other things
]
needs_power = pytest.mark.skipif(bool(_powercut.why_not()), reason=_powercut.why_not() or "power can be cut")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Where projects are written through the programming interface."""
    made = Stage(tmp_path_factory.mktemp("api").resolve(), "api")
    yield made
    made.close()


@pytest.fixture(scope="module")
def calls(stage: Stage) -> int:
    """How many calls a script makes that nobody disturbs."""
    outcome = stage.play(Round("count"))
    assert faults_in(outcome) == []
    return outcome.calls


def faults_in(outcome: Outcome) -> list[str]:
    """Everything that is wrong, but for what depends on the speed of the machine."""
    verdict = outcome.verdict
    return [*verdict.losses, *verdict.unclear, *verdict.unsaid]


def test_no_call_of_a_save_can_lose_a_stroke(stage: Stage, calls: int) -> None:
    assert calls > 100
    ways = ("SIGKILL at call k", "half a write, SIGKILL", "ENOSPC until mended", "EIO until mended")
    rounds = [one for one in durability.every_call(calls, 23, power=False) if one.way in ways]
    outcomes = [stage.play(one) for one in rounds]
    assert {one.round: faults_in(one) for one in outcomes if faults_in(one)} == {}
    assert all(one.struck for one in outcomes)
    assert any(one.inside for one in outcomes)
    assert any("did not end properly" in one.verdict.sentence for one in outcomes)
    assert any(one.verdict.refusals for one in outcomes)


def test_no_random_moment_can_lose_a_stroke(stage: Stage) -> None:
    for seed in range(4):
        outcome = stage.play(Round("random moment", seed=seed, victim="gui", strokes=400))
        assert outcome.struck
        assert faults_in(outcome) == []


@needs_power
def test_no_power_cut_can_lose_a_stroke(stage: Stage, calls: int) -> None:
    for at in range(5, calls, 37):
        outcome = stage.play(Round("cut", fault={"action": "kill", "at": at}, power=True))
        assert outcome.struck
        assert faults_in(outcome) == []


@pytest.mark.skipif(bool(xvfb_display.MISSING), reason=xvfb_display.MISSING or "there is a display")
def test_a_window_that_dies_in_a_save_loses_nothing(tmp_path: Path) -> None:
    stage = Stage(tmp_path.resolve(), "window")
    try:
        outcome = stage.play(Round("window", "window", 3, fault={"action": "kill", "at": 47}))
    finally:
        stage.close()
    assert faults_in(outcome) == []
    assert outcome.struck
    assert outcome.inside


@pytest.mark.parametrize("plant", [name for name in PLANTS if name not in ("no flush", "held")])
def test_a_planted_fault_is_noticed(stage: Stage, plant: str) -> None:
    calls = range(50, 104)  # several saves; which call is which changes with the program
    rounds = (Round(plant, fault={"action": "kill", "at": at}, plant=plant) for at in calls)
    assert any(faults_in(stage.play(one)) for one in rounds)


@needs_power
def test_only_a_power_cut_shows_that_nothing_was_flushed(stage: Stage) -> None:
    rounds = [Round("x", fault={"action": "kill", "at": at}, plant="no flush") for at in (40, 60, 80)]
    assert [fault for one in rounds for fault in faults_in(stage.play(one))] == []
    assert [fault for one in rounds for fault in faults_in(stage.play(replace(one, power=True)))]


def test_the_plan_has_as_many_kills_as_asked_for() -> None:
    for rounds in (20, 200, 333):
        plan = durability.at_random(rounds, 0)
        assert len(plan) == rounds
        assert {one.way for one in plan} == set(durability.SHARES)
    assert durability.at_random(50, 1) == durability.at_random(50, 1) != durability.at_random(50, 2)
    ways = [one.way for one in durability.every_call(7, 1, power=True)]
    assert all(ways.count(way) == 7 for way in ways)
    assert {way.split()[0] for way in ways} >= set(durability.ERRORS)


def test_a_control_is_shared_by_its_file(tmp_path: Path) -> None:
    one, other = Control(tmp_path / "control"), Control(tmp_path / "control")
    one.plan("fail", 3, error=errno.EIO, seconds=0.5)
    assert (other["action"], other["at"], other["last"], other["micros"]) == (4, 3, 3, 500_000)
    with other.saving():
        assert one["inside"] == 1
    assert one["inside"] == one["armed"] == 0
