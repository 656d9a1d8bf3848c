"""One thing done on a thread of its own, for what may take as long as a network drive likes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

from pccs.errors import PccsError

GRACE = 0.1
"""Seconds the window's thread waits for an answer before it goes on without: hardly to be felt, and on most
drives enough."""

MEMORY = 5.0
"""Seconds for which a drive counts as slow after it was: waiting a moment again and again would be felt."""
_slow_until = 0.0

T_co = TypeVar("T_co", covariant=True)


class Errand(Generic[T_co]):
    """Runs ``do`` once, from now on, on a thread that nobody has to wait for.

    Parameters
    ----------
    do
        What is done; it is told what it needs beforehand and shares nothing that changes meanwhile.
    after
        An errand whose end is waited for first, so that two of them keep their order.
    """

    def __init__(self, do: Callable[[], T_co], after: Errand[object] | None = None) -> None:
        self._do, self._after = do, after
        self._done = threading.Event()
        self._results: list[T_co] = []
        self._error: Exception | None = None
        try:
            # A daemon: a drive that never answers must not keep the program from ending.
            threading.Thread(target=self._run, name="pccs-errand", daemon=True).start()
        except RuntimeError:  # no thread is to be had, as when Python itself ends: then here and now
            self._run()

    @property
    def done(self) -> bool:
        """Whether it has ended, well or badly."""
        return self._done.is_set()

    def moment(self) -> bool:
        """Wait :data:`GRACE` for its end, not at all on a drive just found slow; whether it has ended."""
        global _slow_until
        if self.done:
            return True
        now = time.monotonic()
        if now >= _slow_until and not self.wait(GRACE):
            _slow_until = time.monotonic() + MEMORY
        return self.done

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for its end, not longer than ``seconds``; whether it has ended."""
        return self._done.wait(seconds)

    def result(self) -> T_co:
        """What ``do`` gave, once it has ended; what it raised is raised here."""
        if self._error is not None:
            raise self._error
        return self._results[0]

    def _run(self) -> None:
        try:
            if self._after is not None:
                self._after.wait()
            self._results.append(self._do())
        except Exception as error:  # whoever asks for the result gets it
            self._error = error
        finally:
            self._after = None  # a chain of errands must not keep what the first of them held
            self._done.set()


class Question(Generic[T_co]):
    """Something the drive is asked again and again: the newest answer, which nobody waits long for.

    On a quick drive every answer is a fresh one. On a slow one it is the last there is, and :meth:`late`
    tells when a newer one has come.

    Parameters
    ----------
    ask
        Asks the drive; called on a thread.
    first
        What is said before there is an answer.
    """

    def __init__(self, ask: Callable[[], T_co], first: T_co) -> None:
        self._ask, self._last, self._told = ask, first, first
        self._errand: Errand[tuple[T_co, float]] | None = None
        self._slow = False

    def answer(self) -> T_co:
        """Ask, and give the newest answer there is after :data:`GRACE` seconds at most."""
        self._take()
        if self._errand is None:
            self._errand = Errand(self._timed)
            if not self._slow:
                self._slow = not self._errand.moment()
            self._take()
        self._told = self._last
        return self._last

    def late(self) -> bool:
        """Whether an answer has come that differs from what was told last; it is told herewith."""
        self._take()
        told, self._told = self._told, self._last
        return self._last != told

    def _timed(self) -> tuple[T_co, float]:
        began = time.monotonic()
        return self._ask(), time.monotonic() - began

    def _take(self) -> None:
        if self._errand is None or not self._errand.done:
            return
        errand, self._errand = self._errand, None
        with suppress(PccsError, OSError):  # the drive is away: what it said before is the best there is
            self._last, seconds = errand.result()
            self._slow = seconds > GRACE
