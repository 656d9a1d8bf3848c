"""Which images are one task: small ones together, so that the scheduler has less to do than the workers."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable

from pccs.cluster.job import SLICES, Share
from pccs.images import SourceInfo

_SECONDS = 3.0
"""What a task of small images should take."""
_SEVERAL = 4
"""Tasks that what is left makes for each thread, at least: the last one must not be waited for by all."""
_MOST = 256
"""Images of a task at most: it travels to the worker, and is done again when that dies."""
_REMEMBERED = 32
"""Tasks of which it is known what they took."""


class Batches:
    """Takes ``shares`` in their order, as many at a time as make a good task.

    Parameters
    ----------
    rows
        In how many rows of tiles a plane is segmented.
    """

    def __init__(self, shares: Iterable[Share], rows: Callable[[SourceInfo], int]) -> None:
        self._left, self._rows = deque(shares), rows
        self._alone: deque[Share] = deque()
        self._tried: Share | None = None
        self._took: deque[tuple[float, int, int]] = deque(maxlen=_REMEMBERED)

    def next(self, threads: int) -> tuple[Share, ...]:
        """What is to be handed out next to a cluster of so many threads; nothing when all is, for now."""
        if self._alone and self._tried is None:
            self._tried = self._alone.popleft()
            return (self._tried,)
        if not self._left:
            return ()
        most = min(_MOST, len(self._left) // (_SEVERAL * max(1, threads)))
        chosen = [self._left.popleft()]
        seconds = self._seconds(chosen[0]) if self.small(chosen[0]) else math.inf
        while len(chosen) < most and self.small(self._left[0]):
            seconds += self._seconds(self._left[0])
            if seconds > _SECONDS:
                break
            chosen.append(self._left.popleft())
        return tuple(chosen)

    def small(self, share: Share) -> bool:
        """Whether it is a whole task at most."""
        return len(share.planes) <= SLICES and self._rows(share.source.info) == 1

    def again(self, shares: Iterable[Share]) -> None:
        """Hand these out once more, one after the other: a worker has died of one of them.

        One that waited behind it would be blamed with it.
        """
        self._alone.extend(shares)

    def landed(self, shares: tuple[Share, ...]) -> None:
        """These are with the cluster no longer."""
        if shares[0] is self._tried:
            self._tried = None

    def took(self, seconds: float, shares: Iterable[Share]) -> None:
        """Learn from a task that was done."""
        pixels = [_pixels(share) for share in shares]
        self._took.append((seconds, len(pixels), sum(pixels)))

    def _seconds(self, share: Share) -> float:
        """What it will take, by number and by size of those that are done, whichever is more."""
        if not self._took:
            return math.inf
        seconds = sum(one for one, _, _ in self._took)
        images, pixels = (sum(one[column] for one in self._took) for column in (1, 2))
        return max(seconds / images, seconds / pixels * _pixels(share))


def _pixels(share: Share) -> int:
    return len(share.planes) * math.prod(share.source.info.plane_shape)
