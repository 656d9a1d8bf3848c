"""Which item gets a new snapshot while training, and when."""

from __future__ import annotations

from pccs.events import Region

SHARE = 0.2
"""Largest part of the time that predicting may take."""
PAUSE = 0.7
"""Seconds between two snapshots at least: faster than that nobody sees."""
WHOLE_SHARE = 0.1
"""Largest part of the time that the whole of a large image may take, its visible part being fresh."""
INTERRUPTED = 5.0
"""Seconds until the whole of a large image is tried again after something urgent came."""
REFUSED = 5.0
"""Seconds until a prediction is tried again after the disk refused one."""
FIRST_STEP = 25
"""Step of a run from which the teacher, a moving average, means something."""


class Watchlist:
    """The watched items and the time at which the next one is due.

    The first item gets every other snapshot, the rest share the others in turn. The pause between two
    grows with what a prediction costs, so that predicting takes at most :data:`SHARE` of the time.
    """

    def __init__(self) -> None:
        self.items: tuple[str, ...] = ()
        self.region: Region | None = None
        self._turn = 0
        self._due = 0.0
        self._whole_due: float | None = None
        self._part_due = False

    def begin(self) -> None:
        """A training begins: its first snapshot does not wait for what those of another have cost."""
        self._turn, self._due, self._whole_due = 0, 0.0, None

    def set(self, items: tuple[str, ...], region: Region | None = None) -> None:
        """Watch ``items``, most urgent first, of which ``region`` is visible; the first is due at once."""
        if items != self.items:
            self.items, self._turn, self._whole_due = items, 0, None
            self._due = 0.0
        elif region != self.region:
            self._turn, self._due = 0, 0.0
        self._part_due = self._part_due or region != self.region
        self.region = region

    def visible_part(self, item: str, now: float) -> Region | None:
        """The part of a large ``item`` that is due; ``None``: its whole is."""
        if self.region is None or item != self.items[0]:
            return None
        if self._whole_due is None:
            self._whole_due = now  # right after what is visible
            self._part_due = True
        if self._part_due:
            self._part_due = False
            return self.region
        return None if now >= self._whole_due else self.region

    def due(self, now: float, step: int) -> bool:
        """Whether a snapshot should be made at time ``now`` (seconds) and ``step`` of the run."""
        return bool(self.items) and step >= FIRST_STEP and now >= self._due

    def next_item(self) -> str:
        """The item whose turn it is."""
        turn, self._turn = self._turn, self._turn + 1
        others = self.items[1:]
        return others[turn // 2 % len(others)] if turn % 2 and others else self.items[0]

    def took(self, seconds: float, now: float) -> None:
        """A prediction that took ``seconds`` has ended at ``now``."""
        self._due = now + max(PAUSE, seconds * (1 / SHARE - 1))

    def took_whole(self, seconds: float, now: float) -> None:
        """The whole of a large image took ``seconds``; what is visible of it does not wait for that."""
        self._whole_due = now + seconds * (1 / WHOLE_SHARE - 1)
        self._due = now + PAUSE

    def interrupted(self, now: float) -> None:
        """The whole of a large image had to give way."""
        self._whole_due, self._due = now + INTERRUPTED, 0.0

    def refused(self, now: float) -> None:
        """What was predicted cannot be saved now."""
        self._whole_due = self._due = now + REFUSED

    def drop(self, item: str) -> None:
        """Watch ``item`` no longer (it cannot be predicted)."""
        self.items = tuple(i for i in self.items if i != item)


class FairShare:
    """Turns between two kinds of work by the time each has had."""

    def __init__(self) -> None:
        self._had = {"train": 0.0, "segment": 0.0}

    def turn(self) -> str:
        """``"train"`` or ``"segment"``, whichever has had less."""
        return min(self._had, key=self._had.__getitem__)

    def took(self, who: str, seconds: float) -> None:
        """``who`` has worked for ``seconds``."""
        self._had[who] += seconds
