"""The number of compute threads: what is fastest now is found, and what the user chose is kept."""

from __future__ import annotations

import pytest
import torch

from pccs import events as ev
from pccs.worker import launch, threads
from pccs.worker.threads import ThreadTuner, ladder_of
from pccs.worker.training import Session


class Machine:
    """Steps that take what ``cost`` says of the number of threads in use."""

    def __init__(self, cost: dict[int, float], ladder: tuple[int, ...], first: int) -> None:
        self.cost, self.time, self.used = cost, 0.0, 0
        self.history: list[int] = []
        self.tuner = ThreadTuner(ladder, first, self._apply, clock=lambda: self.time)

    def _apply(self, number: int) -> None:
        self.used = number

    def run(self, seconds: float) -> None:
        end = self.time + seconds
        while self.time < end:
            with self.tuner.step():
                changed = bool(self.history) and self.history[-1] != self.used
                self.time += self.cost[self.used] * (9 if changed else 1)
                self.history.append(self.used)


@pytest.mark.parametrize(
    ("cost", "first", "best"),
    [
        ({1: 0.4, 2: 0.3}, 1, 2),
        ({1: 0.3, 2: 0.6}, 2, 1),
        ({1: 0.30, 2: 0.29}, 1, 1),
        ({1: 1.0, 2: 0.6, 4: 0.4, 7: 0.3, 8: 0.5}, 1, 7),
        ({1: 0.2, 2: 0.6, 4: 1.0, 7: 1.4, 8: 2.0}, 7, 1),
    ],
)
def test_the_fastest_number_is_found(cost, first, best):
    machine = Machine(cost, tuple(cost), first)
    machine.run(900)
    assert machine.tuner.now == best


def test_a_machine_that_becomes_busy_is_followed_and_so_is_its_rest():
    machine = Machine({1: 0.4, 2: 0.25}, (1, 2), 1)
    machine.run(60)
    assert machine.tuner.now == 2
    machine.cost = {1: 0.8, 2: 1.6}
    machine.run(300)
    assert machine.tuner.now == 1
    machine.cost = {1: 0.4, 2: 0.25}
    machine.run(300)
    assert machine.tuner.now == 2


def test_trying_costs_little_in_the_end():
    machine = Machine({1: 0.3, 2: 0.6}, (1, 2), 1)
    machine.run(1800)
    assert machine.history.count(2) < 0.07 * len(machine.history)


@pytest.mark.parametrize(("most", "ladder"), [(2, (1, 2)), (4, (1, 2, 3, 4)), (8, (1, 2, 4, 7, 8))])
def test_few_numbers_are_tried(most, ladder):
    assert ladder_of(most) == ladder


def test_a_number_somebody_chose_is_kept(monkeypatch):
    assert launch.ADAPT in launch.environment(base={})
    assert launch.ADAPT not in launch.environment(threads=2, base={launch.ADAPT: "8"})
    assert launch.ADAPT not in launch.environment(base={"OMP_NUM_THREADS": "2"})
    for value in ("", "many", "-1", "0", "1"):
        monkeypatch.setenv(launch.ADAPT, value)
        assert threads.tuner("cpu") is None
    monkeypatch.setenv(launch.ADAPT, "2")
    assert threads.tuner("cuda") is None


def test_training_itself_tries_and_ends_with_the_number_it_chose(trainer, monkeypatch):
    before, tried = torch.get_num_threads(), set()
    monkeypatch.setenv(launch.ADAPT, "2")
    monkeypatch.setattr(threads, "_SOONEST", 0.0)
    session = Session(trainer, ev.Train(), lambda event: tried.add(torch.get_num_threads()))
    monkeypatch.setattr("pccs.worker.training._TELL_EVERY", 0.0)
    try:
        for _ in range(25):
            session.step()
        assert tried == {1, 2}
        assert torch.get_num_threads() in {1, 2}
    finally:
        torch.set_num_threads(before)
