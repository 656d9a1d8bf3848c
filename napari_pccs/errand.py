"""One thing done on a thread of its own, for what may take as long as a network drive likes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

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
