"""Segmenting many items, one at a time, between the steps of training."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Literal

from pccs.errors import ImageError, MaskError, MemoryShort, ProjectError
from pccs.events import Finished, Noticed, Progressed
from pccs.predict.volume import ThroughVolumes
from pccs.worker.training import Emit

Outcome = Literal["done", "stopped", "failed"]


class SegmentTask:
    """The items that are left, and the progress that is told.

    Parameters
    ----------
    items
        Names, in the order in which they are done.
    emit
        Where events go.
    """

    def __init__(self, items: tuple[str, ...], emit: Emit) -> None:
        self.total = len(items)
        self.volumes: ThroughVolumes | None = None
        """What looks at volumes, where that is not the predictor."""
        self._left = deque(items)
        self._emit = emit
        self._failed = 0
        self._began = time.monotonic()
        self._tell(None)

    @property
    def complete(self) -> bool:
        """Whether nothing is left to do."""
        return not self._left

    @property
    def _done(self) -> int:
        return self.total - len(self._left)

    def advance(self, predict: Callable[[str], None]) -> None:
        """Do the next item; one that cannot be read is told and passed over."""
        if not self._left:
            return
        item = self._left.popleft()
        try:
            predict(item)
        except (ImageError, MaskError, MemoryShort, ProjectError) as error:
            self._failed += 1
            self._emit(Noticed("warning", f"{item} was not segmented: {error}"))
        except Exception:
            self._left.appendleft(item)  # it is not done: something urgent came, or the task ends here
            raise
        self._tell(item)

    def end(self, outcome: Outcome, message: str = "") -> None:
        """Tell that the task is over."""
        done = self._done - self._failed
        said = message or f"{done} of {self.total} items are segmented."
        self._emit(Finished("segment", outcome, said))

    def _tell(self, item: str | None) -> None:
        spent, done = time.monotonic() - self._began, self._done
        left = spent / done * len(self._left) if done else None
        self._emit(Progressed("segment", done, self.total, item, left))
