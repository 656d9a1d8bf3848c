"""Strokes on their way to disk: one item waits, one write is under way, and the newest wins.

The writing is an errand on a thread of its own, so that a drive that does not answer never holds the
brush. Everything else happens on the caller's thread: a stroke counts as saved when :meth:`save_due`
or :meth:`flush` finds that the errand has ended well, never before.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from napari_pccs.errand import Errand
from napari_pccs.review import UInt8
from napari_pccs.stroke_copies import Copies, CopyDesk
from pccs.errors import PccsError, ProjectError

SAVE_DELAY = 0.25
"""Seconds between the first unsaved stroke and its being written."""
RETRY_DELAY = 5.0
"""Seconds before a failed write (disk full, folder gone) is tried again."""
SLOW = 1.0
"""Seconds a write may take before it is told that the drive is slow."""
HUNG = 3.0
"""Seconds without an answer of the drive after which the strokes are copied elsewhere, and that is told."""
PATIENCE = 5.0
"""Seconds that somebody who needs everything on disk waits for a write under way."""
BRIEF = 0.1
"""The same once it is known that the drive does not answer."""


class Desk(CopyDesk, Protocol):
    """What strokes need of the session."""

    def saving(self, name: str, array: UInt8) -> Callable[[], None]:
        """What puts an annotation on disk or raises; it is called on another thread."""

    def written(self, name: str, array: UInt8, *, newest: bool) -> None:
        """It is on disk: tell everybody whom it concerns; ``newest``: nothing was painted since."""

    def say(self, level: str, sentence: str) -> None:
        """One sentence for the user."""


@dataclass(frozen=True)
class _Write:
    """A write under way."""

    item: str
    array: UInt8
    edition: int
    began: float
    errand: Errand[float]


class Strokes:
    """Holds the newest annotation of one item until it is written.

    Parameters
    ----------
    desk
        Who writes, and is told.
    clock
        Seconds that only grow.
    """

    def __init__(self, desk: Desk, clock: Callable[[], float]) -> None:
        self._desk, self._clock = desk, clock
        self.forget()

    def forget(self) -> None:
        """Nothing waits and nothing is known to be on disk."""
        self.pending: tuple[str, UInt8] | None = None
        """The item that is not yet on disk as it is on screen, and the array that is painted on."""
        self._saved: tuple[str, UInt8] | None = None
        self._write: _Write | None = None
        self._edition = self._through = 0
        """Counts the strokes, and those that are on disk."""
        self._untaken = False
        """Whether there are strokes that no write has taken yet."""
        self._due_at = 0.0
        self._trouble = ""
        """Why strokes cannot be saved now."""
        self._complained = self._called_slow = False
        self._copies = Copies(self._desk)

    # -------------------------------------------------------------- painting

    def touched(self, item: str, array: UInt8) -> None:
        """``array`` is now the annotation of ``item``; it is read when its write begins."""
        now = self._clock()
        if not self._untaken:
            self._untaken, self._due_at = True, now + SAVE_DELAY
        if self._copies.edition == self._edition:
            self._copies.due_at = now + SAVE_DELAY
        self._edition += 1
        self.pending = (item, array)

    def is_saved(self, item: str, array: UInt8) -> None:
        """``array`` is what is on disk for ``item``."""
        self._saved = (item, array.copy())

    def saved(self, item: str) -> UInt8 | None:
        """What is on disk for ``item``, if that is known; a copy."""
        return self._saved[1].copy() if self._saved is not None and self._saved[0] == item else None

    @property
    def edition(self) -> int:
        """The number of the newest stroke."""
        return self._edition

    def written_through(self, edition: int) -> bool:
        """Whether the stroke of that number, and all before it, are on disk."""
        return self.pending is None or self._through >= edition

    @property
    def idle(self) -> bool:
        """Whether no thread is at work for the strokes."""
        return self._write is None and self._copies.idle

    # ---------------------------------------------------------------- saving

    def save_due(self) -> None:
        """Take note of a write that has ended, begin the next; while that fails, keep a copy elsewhere."""
        self._take_note()
        now = self._clock()
        if self._write is not None:
            if now - self._write.began >= HUNG:
                self._hold(_no_answer(HUNG))
        elif self._untaken and now >= self._due_at:
            self._begin()
        self._complain()
        if self._trouble and now >= self._copies.due_at:
            self._copy()

    def flush(self) -> bool:
        """Write what waits, and wait for it, though not for ever; whether everything is on disk."""
        hangs = self._write is not None and self._trouble
        patience = BRIEF if hangs else PATIENCE
        until = time.monotonic() + patience
        if not self._ended(until, patience) and self._write is not None:
            return self._held()
        self._begin()
        return (self._ended(until, patience) and self.pending is None) or self._held()

    def hurry(self, *, wait: bool) -> bool:
        """Begin to write what waits, and wait a moment for its end; whether everything is on disk.

        Raises
        ------
        ProjectError
            If it cannot be written, as on a full disk; that a drive does not answer raises nothing.
        """
        for _ in range(2):  # the write under way, and that of what came since
            if self._write is not None and not (
                self._write.errand.moment() if wait else self._write.errand.done
            ):
                return False
            if not self._take_note():
                raise self._refusal()
            self._begin()
        return self.pending is None

    def need_saved(self) -> None:
        """Write what waits.

        Raises
        ------
        ProjectError
            If that is not possible: what would come next must not be done without it.
        """
        if not self.flush():
            raise self._refusal()

    def _refusal(self) -> ProjectError:
        hangs = self._write is not None
        return ProjectError(
            "the strokes on this image cannot be saved",
            remedy="Wait until its drive answers" if hangs else "Make room on the disk, then go on",
        )

    def safe_to_leave(self) -> bool:
        """Write what waits; whether it is in the project, or at least in a copy on another disk."""
        if self.flush():
            return True
        if self.pending is None or self._copies.place is None or self._copies.edition != self._edition:
            return False
        self._desk.say(
            "error",
            f"The strokes on {self.pending[0]} could not be saved; a copy is at {self._copies.place}, and is "
            "taken into the project when it is opened again.",
        )
        return True

    def leave(self, close: Callable[[], None]) -> bool:
        """End with the project: ``close`` it after a write under way; whether that has happened.

        A drive that does not answer keeps the project's lock until it does: nobody else may paint on what
        that write is still going to change.
        """
        write, pending, hangs = self._write, self.pending, bool(self._trouble)
        if write is None or pending is None:
            last: Callable[[], None] | None = None
        else:
            last = self._last_try(write, *pending)

        def end() -> None:
            try:
                if last is not None:
                    last()
            finally:
                close()

        errand = Errand(end, after=write.errand if write is not None else None)
        if not errand.wait(BRIEF if hangs and write is not None else 2 * PATIENCE):
            return False
        errand.result()
        return True

    # -------------------------------------------------------------------------

    def _begin(self) -> None:
        """Begin to write what waits, if it differs from what is on disk."""
        if self.pending is None or self._write is not None:
            return
        item, array = self.pending
        self._untaken = False
        if not self._trouble and self._is_on_disk(item, array):
            self.pending = None  # painted and taken back: what is on disk is true again
            return
        array = array.copy()  # the hand goes on while the thread writes
        save, clock, began = self._desk.saving(item, array), self._clock, self._clock()

        def do() -> float:
            save()
            return clock() - began

        self._write = _Write(item, array, self._edition, began, Errand(do))

    def _ended(self, until: float, patience: float) -> bool:
        """Wait for the write under way; whether there is none now that failed or goes on."""
        if self._write is None:
            return True
        if not self._write.errand.wait(max(0.0, until - time.monotonic())):
            self._hold(_no_answer(patience))
            return False
        return self._take_note()

    def _take_note(self) -> bool:
        """Of a write that has ended; whether none has failed."""
        write = self._write
        if write is None or not write.errand.done:
            return True
        self._write = None
        try:
            seconds = write.errand.result()
        except Exception as error:
            self._untaken, self._due_at = True, self._clock() + RETRY_DELAY
            if not isinstance(error, (PccsError, OSError)):
                raise
            self._hold(str(error))
            return False
        self._saved = (write.item, write.array)
        self._through = write.edition
        if write.edition == self._edition:
            self.pending, self._untaken = None, False
            self._copies.drop(write.item, self._edition)
        self._succeeded(write.item, seconds)
        self._desk.written(write.item, write.array, newest=self.pending is None)
        return True

    def _is_on_disk(self, item: str, array: UInt8) -> bool:
        return self._saved is not None and self._saved[0] == item and np.array_equal(self._saved[1], array)

    def _last_try(self, write: _Write, item: str, array: UInt8) -> Callable[[], None]:
        """What is done once a write that hung at the end has ended after all."""
        newer = write.edition != self._edition
        save, drop = self._desk.saving(item, array.copy()), self._desk.dropping(item)

        def again() -> None:
            with suppress(PccsError, OSError):  # the copy elsewhere is what is left then
                try:
                    write.errand.result()
                    if newer:
                        save()
                except (PccsError, OSError):
                    save()
                drop()

        return again

    # --------------------------------------------------------------- trouble

    def _hold(self, reason: str) -> None:
        """Strokes cannot be saved now: they stay here, and a copy is put elsewhere."""
        if not self._trouble:
            self._trouble = reason
            self._copy()

    def _held(self) -> bool:
        """Somebody needed them saved: have at least the copy, and say so."""
        self._copies.wait()
        self._copy()
        self._copies.wait()
        self._complain()
        return False

    def _copy(self) -> None:
        if self.pending is not None:
            under_way = self._write.array if self._write is not None else None
            self._copies.make(*self.pending, self._edition, under_way)

    def _complain(self) -> None:
        """Once is enough; the write is tried again and again."""
        if not self._trouble or self._complained or self.pending is None or not self._copies.idle:
            return
        self._complained = True
        place = self._copies.place
        where = f"a copy is at {place}" if place else "do not close napari"
        again = "" if self._write is not None else f" Trying again every {RETRY_DELAY:.0f} s."
        self._desk.say(
            "error",
            f"The strokes on {self.pending[0]} are not saved yet: {self._trouble} "
            f"Nothing you painted is lost: {where}.{again}",
        )

    def _succeeded(self, item: str, seconds: float) -> None:
        self._trouble = ""
        if self._complained:
            self._complained = False
            self._desk.say("info", f"The strokes on {item} are saved now.")
        elif seconds > SLOW and not self._called_slow:
            self._called_slow = True
            self._desk.say(
                "warning",
                f"Saving a stroke takes {seconds:.1f} s on this drive: so much of your work is at risk if "
                "the power fails. A project on a disk of this computer is quicker.",
            )


def _no_answer(seconds: float) -> str:
    return f"The drive of the project has not answered for {seconds:.0f} s."
