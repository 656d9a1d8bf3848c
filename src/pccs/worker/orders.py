"""What the worker has been told and not yet done; what of it is urgent; and that the worker is not stuck."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from queue import Empty

from pccs import events as ev
from pccs.worker.heart import Heart
from pccs.worker.pipe import Inbox

IDLE_WAIT = 60.0
"""Seconds between two looks at the log's size while nothing happens."""
URGENT: tuple[type, ...] = (ev.Pause, ev.Stop, ev.Cancel, ev.Suggest, ev.Shutdown, ev.StopSegment)
"""Commands that do not wait for a ranking, or for the tiles of a large image, to end."""


class OvertakenError(Exception):
    """A command came that makes the answer unwanted."""


class Orders:
    """Commands in the order they came.

    Parameters
    ----------
    inbox
        Where they arrive; ``None`` ends the worker.
    heart
        Told whenever something else is begun, and when nothing is left to do.
    """

    def __init__(self, inbox: Inbox, heart: Heart) -> None:
        self._inbox, self._heart = inbox, heart
        self._pending: deque[ev.Command | None] = deque()
        self.urgent = URGENT

    def waiting(self, busy: Callable[[], bool]) -> Iterator[ev.Command | None]:
        """What is waiting; unless ``busy``, wait for the next. Ends without any after :data:`IDLE_WAIT`."""
        while True:
            self._heart.touch()
            if self._pending:
                yield self._pending.popleft()
                continue
            try:
                yield self._inbox.get_nowait() if busy() else self._rest()
            except Empty:
                return
            if self._inbox.empty() and not self._pending:
                return

    def _rest(self) -> ev.Command | None:
        self._heart.rest()
        try:
            return self._inbox.get(timeout=IDLE_WAIT)
        finally:
            self._heart.touch()

    def look(self) -> None:
        """Take in what was said meanwhile; what is urgent does not wait for the work at hand.

        Raises
        ------
        OvertakenError
            If something urgent was said.
        """
        self._heart.touch()
        with contextlib.suppress(Empty):
            while True:
                self._pending.append(self._inbox.get_nowait())
        if any(c is None or isinstance(c, self.urgent) for c in self._pending):
            raise OvertakenError
