"""Results too large to be held: handed to their writer from top to bottom."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from queue import Full, Queue
from threading import Thread
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from pccs.project import Source

SIDE = 512
"""Lines that are handed over at once, and the side of the tiles and chunks they are stored in."""
_PATIENCE = 0.2
"""Seconds after which it is looked again whether the writer is still there."""


class Block(NamedTuple):
    """Some lines of a plane: its number, that of the first line, and ``(lines, W)`` or ``(C, lines, W)``."""

    plane: int
    row: int
    values: NDArray[Any]


@dataclass(frozen=True)
class Sheet:
    """What is going to be written: for ``classes`` a map each, or one without a class axis if that is 0."""

    source: Source
    kind: str
    dtype: np.dtype[Any]
    classes: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        """Of all of it, in the axis order of the source."""
        return (*([self.classes] if self.classes else []), *self.source.info.spatial_shape)


class RowWriter(Protocol):
    """A writer of results that come in blocks."""

    def write_rows(self, sheet: Sheet, blocks: Iterator[Block]) -> None:
        """Write a result; when ``blocks`` raises, nothing is left of it.

        They come plane by plane and from top to bottom, each :data:`SIDE` lines but for the last of a plane.
        """
        ...


def square_tiles(blocks: Iterator[Block]) -> Iterator[NDArray[Any]]:
    """Tiles of :data:`SIDE` pixels a side, filled up with 0 at the right and at the bottom."""
    for _, _, values in blocks:
        for left in range(0, values.shape[-1], SIDE):
            piece = values[:, left : left + SIDE]
            tile = np.zeros((SIDE, SIDE), values.dtype)
            tile[: piece.shape[0], : piece.shape[1]] = piece
            yield tile


class Feed:
    """Hands blocks to a writer that asks for them, on a thread of its own.

    Several results of an image are made at the same time, and each has a writer that wants all of it from
    one hand.
    """

    def __init__(self, write: Callable[[Iterator[Block]], None]) -> None:
        self._write = write
        self._queue: Queue[Block | None] = Queue(maxsize=1)
        self._error: BaseException | None = None
        self._given_up = False
        self._thread = Thread(target=self._run, name="rows", daemon=True)
        self._thread.start()

    def put(self, block: Block | None) -> None:
        """Hand over a block, ``None`` after the last; raises what went wrong with an earlier one."""
        while self._thread.is_alive():
            with suppress(Full):
                self._queue.put(block, timeout=_PATIENCE)
                return
        self._raise()

    def finish(self) -> None:
        """Wait until all is written; raises what went wrong."""
        self.put(None)
        self._thread.join()
        self._raise()

    def give_up(self) -> None:
        """Nothing more comes, and what was written is not wanted."""
        self._given_up = True
        while self._thread.is_alive():
            with suppress(Full):
                self._queue.put(None, timeout=_PATIENCE)
                self._thread.join()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._write(self._blocks())
        except BaseException as error:  # it is raised again where blocks come from
            self._error = error

    def _blocks(self) -> Iterator[Block]:
        while (block := self._queue.get()) is not None:
            yield block
        if self._given_up:
            raise _NotWantedError


class _NotWantedError(Exception):
    """Told to a writer so that it leaves nothing behind."""
