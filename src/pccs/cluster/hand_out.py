"""Handing images out to the workers of a cluster, and writing down which are done.

The caller alone keeps the journal, in the order in which images are finished; workers write results and
nothing else. Only so many images are with the cluster at a time that all its workers have enough to do, so
that a hundred thousand cost the scheduler no more than a hundred.
"""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from pccs.atomic import sweep, temporary_folder
from pccs.cluster.job import SLICES, Job, Share, shares_of
from pccs.errors import ClusterError, ExportError, PccsError
from pccs.export.base import Progress
from pccs.export.formats import TOGETHER
from pccs.export.journal import Journal
from pccs.export.record import versions
from pccs.export.segment import journal_of, kinds_of
from pccs.export.stream import ResultStream, write_classes
from pccs.images import SourceInfo
from pccs.project import Item, Project

if TYPE_CHECKING:
    from distributed import Client, Future

    from pccs.predict import Predictor

_AHEAD, _FEWEST = 4, 32
"""Images with the cluster for each of its threads, and at least."""
_PATIENCE = 1.0
"""Seconds after which it is looked again how many workers there are."""


def segment_on_cluster(
    client: Client,
    project: Project,
    predictor: Predictor,
    out: str | Path,
    *,
    items: Iterable[str | Item] | None = None,
    fmt: str = "tiff",
    uncertainty: bool = False,
    probabilities: bool = False,
    device: str = "auto",
    progress: Progress | None = None,
    look: Callable[[int], object] = bool,
    lost: Callable[[str], None] | None = None,
    on_error: Callable[[PccsError], None] | None = None,
    identity: str,
    resumed: Callable[[int], None] | None = None,
) -> list[str]:
    """Do what :func:`pccs.export.segment_to_folder` does, by the workers of ``client``'s cluster.

    Project, images and ``out`` have to be on a drive that all of them see under the same name. An image is
    one task, a stack several and one that writes it. A task whose worker died is done by another.

    Parameters
    ----------
    device
        Where workers compute.
    look
        Called about every second with how many threads the cluster has; what it raises ends the call.
    lost
        Told the address of each worker that dies.

    Raises
    ------
    ClusterError
        If the connection is lost, or a worker is not fit for the task.
    ExportError
        If results cannot be written, or not by several processes in this format.
    """
    if fmt in TOGETHER:
        raise ExportError(
            f"{fmt!r} is one file for all images, which several processes cannot write",
            remedy="Choose another format, such as geojson, or leave --cluster out",
        )
    from pccs.predict.rows import rows_of_tiles

    kinds = kinds_of(uncertainty=uncertainty, probabilities=probabilities)
    folder = Path(out).absolute()
    ResultStream(project, folder, fmt, kinds)  # refuses a format that is not there, and makes the folders
    sweep(folder)  # what a command left that was killed
    write_classes(folder, project.classes)
    journal = journal_of(project, folder, kinds, fmt, identity)
    chosen = list(project.items) if items is None else [project.item(i) for i in items]
    shares = shares_of(project, chosen)
    with temporary_folder(folder) as shared:
        model = predictor.save_model(shared)
        job = Job(project.path, model, folder, fmt, tuple(kinds), device, tuple(sorted(versions().items())))
        tally = _Tally(journal, sum(len(share.planes) for share in shares), progress, on_error)
        left = (share for share in shares if not tally.was_done(share))
        with _watched(client, lost):
            rows = partial(rows_of_tiles, predictor)
            flight = _Flight(client, job, look, rows)
            for event in flight.events(left):
                tally.take(event)
    journal.close()
    for kind in kinds:
        sweep(folder / kind, everywhere=True)  # what workers were writing when they died
    if journal.skipped and resumed is not None:
        resumed(journal.skipped)
    return [share.source.stem for share in shares if share.source.stem in tally.done]


@contextmanager
def _watched(client: Client, lost: Callable[[str], None] | None) -> Iterator[None]:
    """Tell of workers that leave meanwhile, as the scheduler tells it."""
    if lost is None:
        yield
        return

    def heard(event: tuple[float, Any]) -> None:
        _, what = event
        if isinstance(what, dict) and what.get("action") == "remove-worker":
            lost(str(what.get("worker", "?")))

    client.subscribe_topic("all", heard)
    try:
        yield
    finally:
        client.unsubscribe_topic("all")


@dataclass(frozen=True)
class _Event:
    """So many planes are done; with ``ended`` the whole share, well unless there is an error."""

    share: Share
    planes: int
    ended: bool = False
    error: PccsError | None = None


class _Tally:
    """What is done, and who is told."""

    def __init__(
        self,
        journal: Journal,
        total: int,
        progress: Progress | None,
        on_error: Callable[[PccsError], None] | None,
    ) -> None:
        self._journal, self._total, self._planes = journal, total, 0
        self._progress, self._on_error = progress, on_error
        self.done: set[str] = set()

    def was_done(self, share: Share) -> bool:
        """Whether an earlier call has done this."""
        if not self._journal.has(share.source, share.items()):
            return False
        self.done.add(share.source.stem)
        self._advance(len(share.planes))
        return True

    def take(self, event: _Event) -> None:
        """Write down and tell what has happened."""
        if event.error is not None:
            if self._on_error is None or isinstance(event.error, ExportError):
                raise event.error
            self._on_error(event.error)
        elif event.ended:
            self._journal.add(event.share.source, event.share.items())
            self.done.add(event.share.source.stem)
        self._advance(event.planes)

    def _advance(self, planes: int) -> None:
        self._planes += planes
        if planes and self._progress:
            self._progress(self._planes, self._total)


@dataclass
class _Flown:
    """A share that is with the cluster."""

    share: Share
    last: Future
    parts: dict[str, tuple[Future, int]]
    """Tasks before the last by key, held until that is done, and how many planes each has."""
    left: int
    """Planes of which nothing was told yet."""


class _Flight:
    """The shares that are with the cluster; ``rows`` says in how many rows of tiles a plane is segmented."""

    def __init__(
        self, client: Client, job: Job, look: Callable[[int], object], rows: Callable[[SourceInfo], int]
    ) -> None:
        self._client, self._job, self._look, self._rows = client, job, look, rows
        self._landed: SimpleQueue[Future] = SimpleQueue()
        self._flying: dict[str, _Flown] = {}
        self._owner: dict[str, str] = {}
        self._name, self._number = uuid.uuid4().hex[:8], 0

    def events(self, shares: Iterator[Share]) -> Iterator[_Event]:
        """Give all ``shares`` to the cluster, some at a time, and tell what comes back."""
        looked, room = -math.inf, _FEWEST
        while True:
            if time.monotonic() - looked > _PATIENCE:
                looked, room = time.monotonic(), self._room()
            for share in islice(shares, max(0, room - len(self._flying))):
                self._submit(share)
            if not self._flying:
                return
            with suppress(Empty):
                yield from self._event(self._landed.get(timeout=_PATIENCE))

    def _room(self) -> int:
        """How many images to have with the cluster: its workers come and go."""
        threads: int = sum(self._client.nthreads().values())
        self._look(threads)
        return max(_FEWEST, _AHEAD * threads)

    def _submit(self, share: Share) -> None:
        from pccs.cluster import work

        rows = self._rows(share.source.info)
        if rows == 1 and len(share.planes) <= SLICES:
            last, parts = self._send(work.whole, share), []
        else:
            parts = [
                part for one in share.parts(1 if rows > 1 else SLICES) for part in self._parts(one, rows)
            ]
            last = self._send(work.written, share, [future for future, _ in parts])
        for future in (last, *(future for future, _ in parts)):
            future.add_done_callback(self._landed.put)
        held = {future.key: (future, planes) for future, planes in parts}
        self._flying[last.key] = _Flown(share, last, held, len(share.planes))
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
        self._number += 1
        key = f"{task.__name__}-{self._name}-{self._number}"
        return self._client.submit(task, self._job, share, *more, key=key, pure=False)

    def _event(self, future: Future) -> Iterator[_Event]:
        if future.key in self._owner:
            flown = self._flying.get(self._owner.pop(future.key))
            if flown is not None and future.status == "finished":
                planes = flown.parts[future.key][1]
                flown.left -= planes
                yield _Event(flown.share, planes)
            return
        flown = self._flying.pop(future.key)
        yield _Event(flown.share, flown.left, True, _error_of(future, flown.share))


def _error_of(future: Future, share: Share) -> PccsError | None:
    """What went wrong with the last task of ``share``.

    Raises
    ------
    ClusterError
        If it concerns all images.
    """
    if future.status == "finished":
        found: PccsError | None = future.result()
        if isinstance(found, ClusterError):
            raise found
        return found
    if future.status != "error":
        raise ClusterError(
            "the connection to the scheduler was lost",
            remedy="Run the same command again: it goes on where it stopped",
        )
    error = future.exception()
    if type(error).__name__ == "KilledWorker":
        return ClusterError(
            f"{share.source.stem!r} was given up: every worker that segmented it was killed",
            remedy="Give the workers more memory, or segment it without --cluster",
        )
    if isinstance(error, ImportError):
        raise ClusterError(
            f"a worker cannot load what it needs ({error})",
            remedy="Install napari-pccs with the extra 'cluster' where the workers run",
        ) from error
    raise error
