"""Strokes on their way to disk: at most one item waits, never longer than the delay."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np

from napari_pccs.review import UInt8
from pccs.errors import PccsError, ProjectError

SAVE_DELAY = 0.25
"""Seconds between the first unsaved stroke and its being written."""
RETRY_DELAY = 5.0
"""Seconds before a failed write (disk full, folder gone) is tried again."""
SLOW = 1.0
"""Seconds a write may take before it is told that the drive is slow."""


class Desk(Protocol):
    """What strokes need of the session."""

    def write(self, name: str, array: UInt8) -> None:
        """Put an annotation on disk or raise."""

    def written(self, name: str, array: UInt8) -> None:
        """It is on disk: tell everybody whom it concerns."""

    def rescue(self, name: str, array: UInt8) -> Path | None:
        """It cannot be written: put a copy elsewhere, and say where."""

    def say(self, level: str, sentence: str) -> None:
        """One sentence for the user."""


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
        self._desk = desk
        self._clock = clock
        self._due_at = self._copy_at = 0.0
        self._pause = 0.0
        self._complained = self._called_slow = self._uncopied = False
        self._copy: Path | None = None
        self.pending: tuple[str, UInt8] | None = None
        self._saved: tuple[str, UInt8] | None = None

    def touched(self, item: str, array: UInt8) -> None:
        """``array`` is now the annotation of ``item``; it is read when it is written."""
        if self.pending is None:
            self._due_at = self._clock() + max(SAVE_DELAY, self._pause)
        if not self._uncopied:
            self._uncopied, self._copy_at = True, self._clock() + SAVE_DELAY
        self.pending = (item, array)

    def is_saved(self, item: str, array: UInt8) -> None:
        """``array`` is what is on disk for ``item``."""
        self._saved = (item, array.copy())

    def saved(self, item: str) -> UInt8 | None:
        """What is on disk for ``item``, if that is known; a copy."""
        return self._saved[1].copy() if self._saved is not None and self._saved[0] == item else None

    def forget(self) -> None:
        """Nothing waits and nothing is known to be on disk."""
        self.pending = self._saved = self._copy = None
        self._complained = self._called_slow = self._uncopied = False
        self._pause = 0.0

    def save_due(self) -> None:
        """Write what has waited long enough; while that fails, keep the copy elsewhere fresh."""
        if self.pending is None:
            return
        if self._clock() >= self._due_at:
            self.flush()
        elif self._complained and self._uncopied and self._clock() >= self._copy_at:
            self._rescue()

    def flush(self) -> bool:
        """Write what waits, now; whether everything is on disk."""
        if self.pending is None:
            return True
        item, array = self.pending
        if not self._complained and self._is_on_disk(item, array):
            self.pending = None  # painted and taken back: what is on disk is true again
            return True
        began = self._clock()
        try:
            self._desk.write(item, array)
        except (PccsError, OSError) as error:
            self._due_at = self._clock() + RETRY_DELAY
            self._rescue()
            self._complain(item, error)
            return False
        self._pause = self._clock() - began
        self.is_saved(item, array)
        self.pending = self._copy = None
        self._uncopied = False
        self._succeeded(item)
        self._desk.written(item, array)
        return True

    def need_saved(self) -> None:
        """Write what waits.

        Raises
        ------
        ProjectError
            If that is not possible: what would come next must not be done without it.
        """
        if not self.flush():
            raise ProjectError(
                "the strokes on this image cannot be saved", remedy="Make room on the disk, then go on"
            )

    def safe_to_leave(self) -> bool:
        """Write what waits; whether it is in the project, or at least in a copy on another disk."""
        if self.flush():
            return True
        if self._copy is None or self.pending is None:
            return False
        self._desk.say(
            "error",
            f"The strokes on {self.pending[0]} could not be saved; a copy is at {self._copy}, and is taken "
            "into the project when it is opened again.",
        )
        return True

    def _is_on_disk(self, item: str, array: UInt8) -> bool:
        return self._saved is not None and self._saved[0] == item and np.array_equal(self._saved[1], array)

    def _rescue(self) -> None:
        if self.pending is not None and self._uncopied:
            self._uncopied = False
            self._copy = self._desk.rescue(*self.pending)

    def _complain(self, item: str, error: Exception) -> None:
        if self._complained:  # once is enough; the write is tried again and again
            return
        self._complained = True
        where = f"a copy is at {self._copy}" if self._copy else "do not close napari"
        self._desk.say(
            "error",
            f"The strokes on {item} are not saved yet: {error} Nothing you painted is lost: {where}. "
            f"Trying again every {RETRY_DELAY:.0f} s.",
        )

    def _succeeded(self, item: str) -> None:
        if self._complained:
            self._complained = False
            self._desk.say("info", f"The strokes on {item} are saved now.")
        if self._pause > SLOW and not self._called_slow:
            self._called_slow = True
            self._desk.say(
                "warning",
                f"Saving a stroke takes {self._pause:.1f} s on this drive, and the window waits for it; "
                "a project on a disk of this computer is quicker.",
            )
