"""Strokes on their way to disk: at most one item waits, never longer than the delay."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from napari_pccs.review import UInt8
from pccs.errors import PccsError

SAVE_DELAY = 0.25
"""Seconds between the first unsaved stroke and its being written."""
RETRY_DELAY = 5.0
"""Seconds before a failed write (disk full, folder gone) is tried again."""


class Strokes:
    """Holds the newest annotation of one item until it is written.

    Parameters
    ----------
    write
        ``write(item name, array)`` puts an annotation on disk or raises.
    complain
        Called with a sentence when writing failed; the strokes stay here and are tried again.
    clock
        Seconds that only grow.
    """

    def __init__(
        self,
        write: Callable[[str, UInt8], None],
        complain: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        self._write = write
        self._complain = complain
        self._clock = clock
        self._due_at = 0.0
        self._complained = False
        self.pending: tuple[str, UInt8] | None = None
        self._saved: tuple[str, UInt8] | None = None

    def touched(self, item: str, array: UInt8) -> None:
        """``array`` is now the annotation of ``item``; it is read when it is written."""
        if self.pending is None:
            self._due_at = self._clock() + SAVE_DELAY
        self.pending = (item, array)

    def is_saved(self, item: str, array: UInt8) -> None:
        """``array`` is what is on disk for ``item``."""
        self._saved = (item, array.copy())

    def forget(self) -> None:
        """Nothing waits and nothing is known to be on disk."""
        self.pending = self._saved = None

    def save_due(self) -> None:
        """Write what has waited long enough."""
        if self.pending is not None and self._clock() >= self._due_at:
            self.flush()

    def flush(self) -> bool:
        """Write what waits, now; whether everything is on disk."""
        if self.pending is None:
            return True
        item, array = self.pending
        if self._saved is None or self._saved[0] != item or not np.array_equal(self._saved[1], array):
            try:
                self._write(item, array)
            except (PccsError, OSError) as error:
                self._due_at = self._clock() + RETRY_DELAY
                if not self._complained:  # once is enough; the write is tried again and again
                    self._complained = True
                    again = f"Trying again every {RETRY_DELAY:.0f} s"
                    self._complain(f"The strokes on {item} are not saved yet: {error} {again}.")
                return False
            self._complained = False
            self.is_saved(item, array)
        self.pending = None
        return True
