"""The tasks that are with a cluster: given to it, some at a time, and what comes back."""

from __future__ import annotations

import math
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from pccs.cluster.batches import Batches
from pccs.cluster.fate import KILLED, LOST, given_up, outcome_of
from pccs.cluster.job import SLICES, Batch, Found, Job, Share
from pccs.cluster.tally import Event
from pccs.errors import ClusterError, PccsError
from pccs.images import SourceInfo

if TYPE_CHECKING:
    from distributed import Future

_AHEAD, _FEWEST = 4, 32
"""Tasks with the cluster for each of its threads, and at least; all that belong to an image count as one."""
_DEATHS = 4
"""Workers that an image may kill before it is given up."""
_PATIENCE = 1.0
"""Seconds after which it is looked again how many workers there are."""


@dataclass
class _Flown:
    """Images that are with the cluster."""

    shares: tuple[Share, ...]
    last: Future
    parts: dict[str, tuple[Future, int]] = field(default_factory=dict)
    """Tasks before the last by key, held until that is done, and how many planes each has."""
    told: int = 0
    """Planes that were told of already."""


class Flight:
    """What is with the cluster of ``client``.

    Parameters
    ----------
    look
        Called about every second with how many threads the cluster has.
    rows
        In how many rows of tiles a plane is segmented.
    """

    def __init__(
        self, client: Any, job: Job, look: Callable[[int], object], rows: Callable[[SourceInfo], int]
    ) -> None:
        self._client, self._job, self._look, self._rows = client, job, look, rows
        self._landed: SimpleQueue[Future] = SimpleQueue()
        self._lost: list[Future] = []
        """Those that had landed, but what they gave back was gone with its worker: they are asked again."""
        self._flying: dict[str, _Flown] = {}
        self._owner: dict[str, str] = {}
        self._name, self._number = uuid.uuid4().hex[:8], 0
        self._suspects: dict[str, str] = {}
        """Names of the batches of images that may kill workers, by stem."""
        self._blamed: Counter[str] = Counter()
        """How often Dask said so of one that was alone."""

    def events(self, shares: Iterable[Share]) -> Iterator[Event]:
        """Give all ``shares`` to the cluster, and tell what comes back."""
        batches, looked, threads = Batches(shares, self._rows), -math.inf, 0
        while True:
            if time.monotonic() - looked > _PATIENCE:  # workers come and go
                looked, threads = time.monotonic(), sum(self._client.nthreads().values())
                self._look(threads)
                while self._lost:
                    self._landed.put(self._lost.pop())
            while len(self._flying) < max(_FEWEST, _AHEAD * threads) and (some := batches.next(threads)):
                self._submit(some, small=batches.small(some[0]))
            if not self._flying:
                return
            with suppress(Empty):
                yield from self._event(self._landed.get(timeout=_PATIENCE), batches)

    def _submit(self, shares: tuple[Share, ...], *, small: bool) -> None:
        from pccs.cluster import work

        if small:
            key, stem = self._key(work.several), shares[0].source.stem
            name = key if len(shares) > 1 else self._suspects.get(stem, "")
            last = self._client.submit(work.several, self._job, Batch(name, shares), key=key, pure=False)
            parts = []
        else:
            share, rows = shares[0], self._rows(shares[0].source.info)
            parts = [
                part for one in share.parts(1 if rows > 1 else SLICES) for part in self._parts(one, rows)
            ]
            last = self._send(work.written, share, [future for future, _ in parts])
        for future in (last, *(future for future, _ in parts)):
            future.add_done_callback(self._landed.put)
        held = {future.key: (future, planes) for future, planes in parts}
        self._flying[last.key] = _Flown(shares, last, held)
        self._owner |= dict.fromkeys(held, last.key)

    def _parts(self, share: Share, rows: int) -> Iterator[tuple[Future, int]]:
        """The tasks that segment ``share``, and how many planes are done with each."""
        from pccs.cluster import work

        if rows == 1:
            yield self._send(work.part, share), len(share.planes)
            return
        weights, above = self._send(work.settled, share), None
        for number in range(rows):
            shares = self._send(work.row, share, number, weights)
            yield self._send(work.lines, share, number, shares, above), int(number == rows - 1)
            above = self._client.submit(work.last_line, shares, key=f"{shares.key}-last", pure=False)

    def _send(self, task: Callable[..., Any], share: Share, *more: Any) -> Future:
        return self._client.submit(task, self._job, share, *more, key=self._key(task), pure=False)

    def _key(self, task: Callable[..., Any]) -> str:
        self._number += 1
        return f"{task.__name__}-{self._name}-{self._number}"

    def _event(self, future: Future, batches: Batches) -> Iterator[Event]:
        if future.key in self._owner:
            flown = self._flying.get(self._owner.pop(future.key))
            if flown is not None and future.status == "finished":
                planes = flown.parts[future.key][1]
                flown.told += planes
                yield Event(flown.shares[0], planes)
            return
        found = outcome_of(future)
        if found is LOST:
            self._lost.append(future)
            return
        flown = self._flying.pop(future.key)
        batches.landed(flown.shares)
        if not flown.parts and self._deserves_another(flown, found):
            for share in flown.shares:
                self._suspects.setdefault(share.source.stem, f"{self._name}-{share.source.stem}")
            batches.again(flown.shares)
        elif found is KILLED:
            yield _ended(flown.shares[0], flown, given_up(flown.shares[0].source.stem))
        else:
            yield from self._told(found, flown, batches)

    def _told(self, found: Any, flown: _Flown, batches: Batches) -> Iterator[Event]:
        """What a task gave back, image by image."""
        if isinstance(found, Found):
            batches.took(found.seconds, flown.shares)
        errors = found.errors if isinstance(found, Found) else (found,)
        for share, error in zip(flown.shares, errors, strict=False):
            if isinstance(error, ClusterError):
                raise error  # of the worker: the others would have it as well
            yield _ended(share, flown, error)

    def _deserves_another(self, flown: _Flown, found: Any) -> bool:
        """Whether images are to be tried once more, each alone.

        Dask blames all tasks that a worker had when it died, also those that it had not begun.
        """
        if len(flown.shares) > 1:
            return found is KILLED or found is None
        if found is not KILLED:
            return False
        stem = flown.shares[0].source.stem
        self._blamed[stem] += 1
        return self._blamed[stem] <= _DEATHS and self._job.times_begun(self._suspects.get(stem, "")) < _DEATHS


def _ended(share: Share, flown: _Flown, error: PccsError | None) -> Event:
    return Event(share, len(share.planes) - flown.told, True, error)
