"""Which images of a project were looked at, and looking at more of them.

A project may have hundreds of thousands of images, and each has to be read to be looked at. A call therefore
looks at some, in an order drawn once, and the looks are kept (:mod:`pccs.suggest.index`): later calls know
more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pccs.errors import PccsError
from pccs.images import read_region
from pccs.project import Item, Project
from pccs.suggest.appearance import describe, look_of
from pccs.suggest.index import LookIndex, key_of

Progress = Callable[[int, int], None]
_SIDE = 4096
"""Pixels on a side of what is looked at: nobody waits for all of a slide, and memory may not hold it."""
_AT_ONCE = 64
"""Looks that are written together."""
_UNREADABLE = 200
"""Images that cannot be read, one after the other, until no more are tried: the drive may be gone."""


class Survey:
    """Looks at items of a project that are open, and at annotated ones, as far as there are any yet."""

    def __init__(self, project: Project, open_: Iterable[Item], annotated: Iterable[str]) -> None:
        self._project = project
        index = LookIndex(project.path, len(project.items))
        self._open = _Part(project, index, open_)
        self._annotated = _Part(project, index, map(project.item, annotated))
        index.keep_only([*self._open.items, *self._annotated.items])

    @property
    def known(self) -> list[Item]:
        """Open items that were looked at, in the project's order."""
        return self._open.known

    @property
    def known_annotated(self) -> list[Item]:
        """Annotated items that were looked at, in the project's order."""
        return self._annotated.known

    @property
    def failure(self) -> PccsError | None:
        """Why the last open image that could not be read could not."""
        return self._open.failure

    @property
    def finished(self) -> bool:
        """Whether everything that can be read was looked at."""
        return not (self._open.waiting or self._annotated.waiting)

    def look_until(self, wanted: int, progress: Progress | None = None) -> None:
        """Look at images until ``wanted`` open and as many annotated ones are known, or there are no more."""
        self._annotated.look(wanted - len(self._annotated.known))
        self._open.look(wanted - len(self._open.known), progress)

    def look_further(self, count: int) -> None:
        """Look at ``count`` images more."""
        self._annotated.look(count)
        self._open.look(count)

    def points(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Descriptions of the known open items ``(N, D)`` and of the known annotated ones ``(A, D)``."""
        ours, theirs = self._open.looks(), self._annotated.looks()
        points = describe(np.concatenate([ours, theirs]))
        return points[: len(ours)], points[len(ours) : len(ours) + len(theirs)]


class _Part:
    """Some items of a project, those without a look in the order in which they are looked at."""

    def __init__(self, project: Project, index: LookIndex, items: Iterable[Item]) -> None:
        self._project, self._index = project, index
        sources = project.sources
        self.items = {key_of(sources[item.stem], item): item for item in items}
        self.waiting = [key for key in self.items if key not in index]
        # Always the same order: what is looked at first must not depend on who asks.
        np.random.default_rng(0).shuffle(self.waiting)
        self.failure: PccsError | None = None
        self._failed = 0

    @property
    def known(self) -> list[Item]:
        return [item for key, item in self.items.items() if key in self._index]

    def looks(self) -> NDArray[np.float32]:
        return self._index.of([key for key in self.items if key in self._index])

    def look(self, count: int, progress: Progress | None = None) -> None:
        """Look at ``count`` more, or at all there are."""
        done, total = 0, min(count, len(self.waiting))
        while done < total and self.waiting:
            new: list[tuple[bytes, NDArray[np.float32]]] = []
            try:
                while len(new) < min(_AT_ONCE, total - done) and self.waiting:
                    new += self._look_at(self.waiting.pop())
                    if progress is not None:
                        progress(done + len(new), total)
            finally:  # whoever does not wait for the end of it has seen some all the same
                self._index.add(new)
            done += len(new)

    def _look_at(self, key: bytes) -> list[tuple[bytes, NDArray[np.float32]]]:
        """One look, none if the image cannot be read: it costs nothing but itself."""
        try:
            look = look_of(_middle(self._project, self.items[key]))
        except PccsError as error:
            self.failure, self._failed = error, self._failed + 1
            if self._failed >= _UNREADABLE:
                self.waiting.clear()
            return []
        self._failed = 0
        return [(key, look)]


def _middle(project: Project, item: Item) -> NDArray[Any]:
    """The pixels of an item, of a very large one the middle."""
    info = project.sources[item.stem].info
    rows, cols = (
        slice(max(0, n - _SIDE) // 2, max(0, n - _SIDE) // 2 + min(n, _SIDE)) for n in info.plane_shape
    )
    return read_region(info, item.index, rows, cols)
