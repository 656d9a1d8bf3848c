"""What the model says of the item on screen, read on a thread while the worker goes on writing newer ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_pccs.errand import Errand
from napari_pccs.review import Prediction
from pccs.errors import PccsError
from pccs.events import Region
from pccs.project import Item, Project

if TYPE_CHECKING:
    from napari_pccs.session import Session


@dataclass(frozen=True)
class Snapshot:
    """A file of predictions: of the whole item, or of ``region`` (then ``rev`` is 0)."""

    path: str | Path
    step: int
    run: str
    rev: int = 0
    region: Region | None = None


def load(project: Project, item: Item, snapshot: Snapshot, shape: tuple[int, ...]) -> Prediction | None:
    """The prediction in a file, if it is there and of ``shape (H, W)``; may be called on any thread."""
    try:
        planes = project.read_snapshot(project.path / snapshot.path)
    except (PccsError, OSError):
        return None  # superseded or damaged: the next snapshot brings another
    if planes.shape[1:] != shape:
        return None  # made when the source was understood by other axes
    known = [label.value for label in project.classes]
    return Prediction.from_snapshot(
        item.name, planes, known, step=snapshot.step, run=snapshot.run, rev=snapshot.rev
    )


def newest_prediction(project: Project, item: Item, shape: tuple[int, ...]) -> Prediction | None:
    """The newest prediction of an item of ``shape (H, W)``; may be called on any thread."""
    project.look()
    ref = project.latest_snapshot(item)
    if ref is None:
        return None
    return load(project, item, Snapshot(ref.path, ref.step, ref.run, ref.rev), shape)


@dataclass(frozen=True)
class _Reading:
    snapshot: Snapshot
    item: Item
    errand: Errand[Prediction | None]


class Live:
    """Keeps the session's prediction the newest: one file is read at a time, and the newest waits.

    Parameters
    ----------
    session
        Whose prediction it is.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._under_way: dict[bool, _Reading] = {}
        self._waiting: dict[bool, Snapshot] = {}
        self._again: Errand[Prediction | None] | None = None
        self._again_of: Item | None = None

    def forget(self) -> None:
        """Another item, or none: what was read for the one before is dropped."""
        self._under_way, self._waiting, self._again = {}, {}, None

    def came(self, snapshot: Snapshot) -> None:
        """The worker has written a prediction of the item on screen: show it, unless a newer one is."""
        part = snapshot.region is not None
        self._waiting[part] = snapshot
        self._begin(part)
        if part in self._under_way:
            self._under_way[part].errand.moment()
        self.tick()

    def catch_up(self) -> None:
        """Show what the worker wrote of the item on screen while it was being opened."""
        session = self._session
        ref = session.need_project().latest_snapshot(session.need_item())
        if ref is not None and (session.prediction is None or session.prediction.rev < ref.rev):
            self.came(Snapshot(ref.path, ref.step, ref.run, ref.rev))

    def reread(self) -> None:
        """Take the prediction from disk again: classes or models have changed."""
        session = self._session
        if session.current is None or session.plane is None:
            session.show(None)
            return
        project, item, shape = session.need_project(), session.current, session.plane.shape[:2]
        self._again, self._again_of = Errand(lambda: newest_prediction(project, item, shape)), item
        self._again.moment()
        self.tick()

    def tick(self) -> None:
        """Show what has been read, and read on."""
        if self._again is not None and self._again.done:
            done, self._again = self._again, None
            if self._session.current == self._again_of:
                self._session.show(done.result())
        for part in [part for part, reading in self._under_way.items() if reading.errand.done]:
            reading = self._under_way.pop(part)
            self._apply(reading)
            self._begin(part)

    def _begin(self, part: bool) -> None:
        session = self._session
        if part in self._under_way or part not in self._waiting:
            return
        snapshot = self._waiting.pop(part)
        project, item, plane = session.need_project(), session.need_item(), session.plane
        if plane is None or not self._is_news(snapshot):
            return
        region = snapshot.region
        shape = plane.shape[:2] if region is None else (region[2] - region[0], region[3] - region[1])
        read: Callable[[], Prediction | None] = lambda: load(project, item, snapshot, shape)  # noqa: E731
        self._under_way[part] = _Reading(snapshot, item, Errand(read))

    def _is_news(self, snapshot: Snapshot) -> bool:
        shown = self._session.prediction
        if shown is None:
            return True
        if snapshot.region is None:
            return shown.rev < snapshot.rev
        return shown.run != snapshot.run or shown.step <= snapshot.step

    def _apply(self, reading: _Reading) -> None:
        session, found = self._session, reading.errand.result()
        if found is None or session.current != reading.item or session.plane is None:
            return
        if not self._is_news(reading.snapshot):
            return
        region = reading.snapshot.region
        if region is not None:
            found = found.placed(region, session.prediction, session.plane.shape[:2])
        session.show(found)
