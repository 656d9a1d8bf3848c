"""A copy elsewhere of strokes that cannot be saved, made and removed on a thread of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from napari_pccs.errand import Errand
from napari_pccs.review import UInt8

PLACE = 1.5
"""Seconds that a place has for a copy before the next one is tried: a home may hang with the project."""
PATIENCE = 4.0
"""Seconds that somebody who needs the copy waits for it."""


class CopyDesk(Protocol):
    """What copies need of the session; what is given is called on another thread."""

    def copying(self, name: str, array: UInt8, under_way: UInt8 | None) -> list[Callable[[], Path | None]]:
        """What puts a copy elsewhere and says where, one for each place, the best first.

        ``under_way`` may reach the project yet.
        """

    def dropping(self, name: str) -> Callable[[], None]:
        """What removes the copy."""


class Copies:
    """The copy of one item's strokes.

    Parameters
    ----------
    desk
        Who copies.
    """

    def __init__(self, desk: CopyDesk) -> None:
        self._desk = desk
        self._copying: Errand[Path | None] | None = None
        self._dropping: Errand[None] | None = None
        self._place: Path | None = None
        self.edition = 0
        """Of the strokes, the newest that needs no further copy."""
        self.due_at = 0.0
        """When strokes that came since are to be copied."""

    @property
    def idle(self) -> bool:
        """Whether no thread is at work here."""
        return all(one is None or one.done for one in (self._copying, self._dropping))

    @property
    def place(self) -> Path | None:
        """Where the copy is; ``None``: there is none, or it is not finished."""
        if self._copying is not None and self._copying.done:
            self._place, self._copying = self._copying.result(), None
        return self._place if self._copying is None else None

    def make(self, item: str, array: UInt8, edition: int, under_way: UInt8 | None) -> None:
        """Begin to copy, unless that is done already or goes on."""
        if edition == self.edition or not self.idle:
            return
        self.edition = edition
        places = self._desk.copying(item, array.copy(), under_way)
        self._copying = Errand(lambda: _first(places))

    def drop(self, item: str, edition: int) -> None:
        """The strokes are saved: remove the copy, if there is or will be one."""
        if self._place is not None or self._copying is not None:
            self._dropping = Errand(self._desk.dropping(item), after=self._copying or self._dropping)
        self._copying = self._place = None
        self.edition = edition

    def wait(self) -> None:
        """Until the copy is made or removed, though not for ever."""
        for errand in (self._copying, self._dropping):
            if errand is not None:
                errand.wait(PATIENCE)


def _first(places: list[Callable[[], Path | None]]) -> Path | None:
    """The first copy that succeeds in time."""
    for place in places:
        errand = Errand(place)
        path = errand.result() if errand.wait(PLACE) else None
        if path is not None:
            return path
    return None
