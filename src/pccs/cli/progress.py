"""One line about progress on stderr: rewritten in a terminal, now and then in a file."""

from __future__ import annotations

import shutil
import sys
import time
from types import TracebackType
from typing import Self, TextIO

_TERMINAL, _FILE = 0.1, 10.0
"""Seconds between two lines."""


class Progress:
    """A context manager; the line is finished when it is left.

    Parameters
    ----------
    stream
        Where lines go, by default stderr.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._next = 0.0 if self._terminal else time.monotonic() + _FILE
        self._width = 0
        self._first: tuple[float, int] | None = None

    def tell(self, line: str) -> None:
        """Show ``line``, unless another was shown a moment ago."""
        now = time.monotonic()
        if now < self._next:
            return
        if self._terminal:
            self._next = now + _TERMINAL
            self._rewrite(line)
        else:
            self._next = now + _FILE
            print(line, file=self._stream, flush=True)

    def items(self, doing: str, done: int, total: int) -> None:
        """``"Segmenting 3 of 12, 40 s left"``."""
        now = time.monotonic()
        self._first = self._first or (now, done)  # not from the start: loading a model is no item
        began, at = self._first
        left = (now - began) / (done - at) * (total - done) if done > at else 0.0
        self.tell(f"{doing} {done} of {total}" + (f", {duration(left)} left" if left else ""))

    def note(self, line: str) -> None:
        """Leave ``line`` standing."""
        self._rewrite("")
        print(line, file=self._stream, flush=True)

    def _rewrite(self, line: str) -> None:
        if not self._terminal:
            return
        shown = line[: shutil.get_terminal_size().columns - 1]
        self._stream.write("\r" + shown.ljust(self._width) + ("\r" if not shown else ""))
        self._stream.flush()
        self._width = len(shown)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._rewrite("")


def duration(seconds: float) -> str:
    """``"8 s"``, ``"3 min"``, ``"2 h 05 min"``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"
