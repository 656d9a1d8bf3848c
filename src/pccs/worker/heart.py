"""The worker's heartbeat: a window can tell one that works for long from one that hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from pccs.events import Beat

EVERY = 2.0
"""Seconds between two beats."""


class Heart:
    """Beats from a thread of its own, and knows how long the main thread has been at one thing.

    A beat that does not come means that the process is stopped, or held up in native code; a beat whose
    ``quiet`` grows means that the main thread alone is.

    Parameters
    ----------
    emit
        Takes a :class:`~pccs.events.Beat` every :data:`EVERY` seconds, from the heart's thread.
    """

    def __init__(self, emit: Callable[[Beat], None]) -> None:
        self._emit = emit
        self._since: float | None = time.monotonic()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="pccs-heart", daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def stop(self) -> None:
        """Beat no more."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def touch(self) -> None:
        """Something else begins."""
        self._since = time.monotonic()

    def rest(self) -> None:
        """Nothing is done until the next :meth:`touch`."""
        self._since = None

    def _beat(self) -> None:
        while not self._stopped.wait(EVERY):
            since = self._since
            self._emit(Beat(0.0 if since is None else time.monotonic() - since))
