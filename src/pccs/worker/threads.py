"""How many compute threads a training step takes: tried now and then, never assumed.

On an idle machine every core makes steps faster. On one whose cores other programs use, threads wait for each
other, and one alone can be twice as fast as two. Who else computes changes while a person works, so the
numbers are tried against each other during training itself, and the faster one stays.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median

from pccs.worker.launch import most_threads

_GAIN = 0.9
"""Another number must take less than this share of the time, to be above the noise."""
_BLOCK = 5
"""Steps in a row with one number. The first takes longer, because kernels are prepared anew; medians are
compared, which do not see it."""
_SOONEST, _LATEST = 4.0, 128.0
"""Seconds between two trials: few at first, twice as many whenever nothing was gained."""


class ThreadTuner:
    """Finds the fastest of ``ladder``, one neighbour at a time.

    Parameters
    ----------
    ladder
        Two numbers of threads or more, ascending.
    first
        The one to begin with.
    apply
        Sets the number of threads.
    clock
        Seconds.
    """

    def __init__(
        self,
        ladder: Sequence[int],
        first: int,
        apply: Callable[[int], object],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.ladder, self.now, self._used = tuple(ladder), first, first
        self._apply, self._clock = apply, clock
        self._plan: list[int] = []
        self._times: dict[int, list[float]] = {}
        self._pause = _SOONEST
        self._next = clock() + _SOONEST
        self._upwards = True
        apply(first)

    @contextmanager
    def step(self) -> Iterator[None]:
        """Around one training step, which is done with the number whose turn it is."""
        if not self._plan and self._clock() >= self._next:
            self._begin_trial()
        tried = bool(self._plan)
        number = self._plan.pop(0) if tried else self.now
        self._use(number)
        began = self._clock()
        yield
        if tried:
            self._times[number].append(self._clock() - began)
            if not self._plan:
                self._end_trial()

    def _use(self, number: int) -> None:
        if number != self._used:
            self._apply(number)
            self._used = number

    def _begin_trial(self) -> None:
        other = self._neighbour()
        self._times = {self.now: [], other: []}
        order = (self.now, other, other, self.now)  # a machine that slows down harms both alike
        self._plan = [number for number in order for _ in range(_BLOCK)]

    def _neighbour(self) -> int:
        """The next number up or down, in turns."""
        place = self.ladder.index(self.now)
        beside = [n for n in (place + 1, place - 1) if 0 <= n < len(self.ladder)]
        self._upwards = not self._upwards
        return self.ladder[beside[0] if len(beside) == 1 or not self._upwards else beside[1]]

    def _end_trial(self) -> None:
        other = next(number for number in self._times if number != self.now)
        if median(self._times[other]) < _GAIN * median(self._times[self.now]):
            self.now, self._pause = other, _SOONEST
        else:
            self._pause = min(2 * self._pause, _LATEST)
        self._next = self._clock() + self._pause


def ladder_of(most: int) -> tuple[int, ...]:
    """One, doubling, one fewer than ``most`` and ``most`` itself: few, so that each is tried often enough."""
    doubling = [n for n in (1, 2, 4, 8) if n <= most]
    return tuple(sorted({*doubling, most - 1, most}))


def tuner(device: str) -> ThreadTuner | None:
    """The tuner of this process; ``None`` on an accelerator, or where there is nothing to try."""
    import torch

    most = most_threads()
    if device != "cpu" or most < 2:
        return None
    return ThreadTuner(ladder_of(most), most - 1, torch.set_num_threads)
