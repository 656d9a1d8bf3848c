"""Events that wait for the owner; of pictures and progress only the newest."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from pccs.events import Beat, Event, Progressed, Ready, Snapshot, StateChanged, Stepped, Validated

MOST_STEPS = 2000
"""Of the steps told while nobody is connected so many are kept; of more, every second one goes."""
MOST = 20_000
"""Events kept at most; of more, the oldest go."""


@dataclass(frozen=True)
class Entry:
    """An event and its number, counted from 1."""

    number: int
    event: Event


class Bank:
    """Events in order, from any thread; each stays until the owner has heard it."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._standing: dict[type, Event] = {}
        self._count = 0
        self._changed = threading.Condition()

    def put(self, event: Event) -> None:
        """Take in an event; heartbeats are nobody's past."""
        if isinstance(event, Beat):
            return
        with self._changed:
            self._count += 1
            superseded = _key(event)
            if superseded is not None:
                self._entries = [e for e in self._entries if _key(e.event) != superseded]
            self._entries.append(Entry(self._count, event))
            if isinstance(event, Ready | StateChanged | Stepped | Validated):
                self._standing[type(event)] = event
            self._thin()
            self._changed.notify_all()

    def wake(self) -> None:
        """Let :meth:`after` look around."""
        with self._changed:
            self._changed.notify_all()

    def after(self, number: int, wait: float = 0.0) -> Entry | None:
        """The first event after ``number``; ``None`` when none has come in ``wait`` seconds."""
        with self._changed:
            found = self._first(number)
            if found is None and wait:
                self._changed.wait(wait)
                found = self._first(number)
            return found

    def forget(self, number: int) -> None:
        """The owner has heard everything until ``number``."""
        with self._changed:
            self._entries = [e for e in self._entries if e.number > number]

    def restate(self) -> None:
        """Another owner knows nothing: tell once more how things stand, before what happens next."""
        with self._changed:
            waiting = {type(e.event) for e in self._entries}
            always = (Ready, StateChanged)  # also where it comes again: what follows makes no sense without
            standing = [e for kind, e in self._standing.items() if kind in always or kind not in waiting]
            events = [*standing, *(e.event for e in self._entries)]
            self._entries = []
        for event in events:
            self.put(event)

    def _first(self, number: int) -> Entry | None:
        return next((e for e in self._entries if e.number > number), None)

    def _thin(self) -> None:
        steps = [e for e in self._entries if isinstance(e.event, Stepped)]
        if len(steps) > MOST_STEPS:
            gone = {e.number for e in steps[:-1:2]}
            self._entries = [e for e in self._entries if e.number not in gone]
        del self._entries[: max(0, len(self._entries) - MOST)]


def _key(event: Event) -> tuple[str, ...] | None:
    """Events of one key supersede each other."""
    if isinstance(event, Snapshot):
        return ("snapshot" if event.region is None else "part", event.item)
    if isinstance(event, Progressed):
        return ("progress", event.task)
    return None
