"""The project folder: everything the program writes, and nothing it reads images into.

::

    NAME.pccs/
      project.json                 classes, sources, item states, settings
      annotations/ITEM.r0004.tif   what people painted; newest revision wins, five are kept
      taken/ITEM.tif               which of it was taken over from a prediction
      predictions/ITEM.r0007….npy  what the teacher sees; two are kept
      runs/0001-pccs/              settings, metrics, checkpoints of a training run
      sources/                     viewer layers that had no file
      people/NAME/                 what each of several people painted (pccs.project.people)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from pccs import images
from pccs.errors import PccsError
from pccs.images import Key
from pccs.labels import Raster
from pccs.project import mask_import, models, runs
from pccs.project.facts import ItemFacts, state_of
from pccs.project.folder import OnError, ProjectFolder
from pccs.project.items import Item
from pccs.project.lock import Lock
from pccs.project.models import ModelRef
from pccs.project.people import People
from pccs.project.predictions import SnapshotRef
from pccs.project.rasters import checked
from pccs.project.runs import Run
from pccs.project.selection import spread
from pccs.project.session import Session
from pccs.project.state import Early


class Project(ProjectFolder):
    """An open project. Make one with :meth:`create` or :meth:`open`, end it with :meth:`close`.

    Items are given by name or as :class:`Item`. Reading methods may be called from any thread;
    changing ones from one thread at a time.
    """

    def __init__(self, path: Path, session: Session | None, early: Early | None = None, me: str = "") -> None:
        super().__init__(path, session, early, me)
        if me and not self.joined:
            _ = self.people  # now, when somebody who goes by the same name can still keep one out

    @cached_property
    def people(self) -> People:
        """Everybody who paints in this project, and what they painted."""
        return People(self, self._joined, self._annotations if self.joined else None, self.me)

    def close(self) -> None:
        """Give the lock back. Everything is on disk already."""
        if "people" in self.__dict__:
            self.people.close()
        super().close()

    # ------------------------------------------------------------ items

    @property
    def items(self) -> Sequence[Item]:
        """Every plane to segment, in the order of the sources."""
        return self._state.names.items

    def item(self, name: str | Item) -> Item:
        """The item called ``name``; :class:`~pccs.errors.ProjectError` names near matches."""
        return self._state.names.one(name if isinstance(name, str) else name.name)

    def select(self, spec: str) -> list[Item]:
        """The items that a person's words mean.

        ``"all"``; ``"annotated"``; ``"unannotated"`` (no complete and no partial annotation); a
        number ``N``: N items spread evenly over all; else names and stems with commas between.
        """
        if spec == "all":
            return list(self.items)
        if spec in ("annotated", "unannotated"):
            annotated = set(self.annotated_items())
            return [i for i in self.items if (i.name in annotated) == (spec == "annotated")]
        if spec.isdecimal():
            return spread(self.items, int(spec))
        return self._state.names.listed(spec)

    def image(self, item: str | Item) -> NDArray[Any]:
        """The pixels of an item, ``(H, W, channels)`` in the file's dtype."""
        item = self.item(item)
        return images.read_plane(self._state.table.by_stem[item.stem].info, item.index)

    def shape(self, item: str | Item) -> tuple[int, int]:
        """``(H, W)`` of an item."""
        return self._state.table.by_stem[self.item(item).stem].info.plane_shape

    def item_facts(self, item: str | Item) -> ItemFacts:
        """The item's row in the table, in constant time."""
        item = self.item(item)
        record = self._state.record(item)
        revision = self._annotations.revision(item)
        snapshot = self._snapshots.latest(item)
        painted = self._is_painted(item)
        state = state_of(
            accepted=record.accepted,
            complete=record.complete,
            painted=painted,
            predicted=snapshot is not None,
        )
        return ItemFacts(
            state,
            record.complete,
            record.accepted,
            snapshot.uncertainty if snapshot else None,
            record.corrective_dice,
            revision,
        )

    def all_facts(self) -> dict[str, ItemFacts]:
        """The whole table: the facts of every item by its name, quick where most are empty."""
        known = {*self._keys(), *self._snapshots.keys()}
        records, empty = self._state.records, ItemFacts("empty", False, False, None, None, 0)
        return {
            item.name: self.item_facts(item) if item.name in records or item.key in known else empty
            for item in self.items
        }

    def is_complete(self, item: str | Item) -> bool:
        """Whether unpainted pixels are the first class (else they are unknown)."""
        return self._state.record(self.item(item)).complete

    def set_complete(self, item: str | Item, complete: bool) -> None:
        """Say whether everything of an item is painted."""
        self._update(item, complete=complete)

    def is_accepted(self, item: str | Item) -> bool:
        """Whether a person has reviewed and accepted the result."""
        return self._state.record(self.item(item)).accepted

    def set_accepted(self, item: str | Item, accepted: bool) -> None:
        """Say whether the result is reviewed and accepted."""
        self._update(item, accepted=accepted)

    def set_corrective_dice(self, item: str | Item, value: float | None) -> None:
        """Remember how well the prediction agreed with what the user made of it."""
        self._update(item, corrective_dice=value)

    # ------------------------------------------------------------ annotations

    def annotation(self, item: str | Item) -> Raster:
        """The newest annotation, uint8 ``(H, W)``: 0 = not annotated, k = class k.

        For who joined, what they painted themselves; :meth:`joined_annotation` has everybody's strokes.
        """
        item = self.item(item)
        return self.people.own(item) if self.joined else self._annotations.read(item, self.shape(item))

    def joined_annotation(self, item: str | Item) -> Raster:
        """The newest annotation of all people, as the holder of the project joined it."""
        item = self.item(item)
        return self._joined.read(item, self.shape(item))

    def joined_revision(self, item: str | Item) -> int:
        """The number of the newest one, 0 when there is none."""
        return self._joined.revision(self.item(item))

    def revision(self, item: str | Item) -> int:
        """The number of the newest annotation, 0 when there is none."""
        return self._annotations.revision(self.item(item))

    def save_annotation(self, item: str | Item, annotation: NDArray[Any]) -> int:
        """Write a new revision, atomically, and return its number.

        Raises
        ------
        MaskError
            If the shape is not the item's, or the values are not class numbers.
        """
        self._writable()
        item = self.item(item)
        shape = self.shape(item)
        if not self.people.concerns(item):
            return self._annotations.save(item, annotation, shape)
        raster = checked(item, annotation, shape)
        self.people.note(item, raster)
        return self._annotations.save(item, raster, shape, mark=True)

    def note_taken(self, item: str | Item, labels: Raster, *, own: bool = True) -> None:
        """Remember what was taken over from a prediction: class values ``(H, W)``, 0 elsewhere.

        Not ``own`` is what somebody else took over.

        On a disk that is full it is not remembered, and that is all.
        """
        self._writable()
        with suppress(OSError):
            self._taken.add(self.item(item), labels)
            if own:
                self.people.note_taken(self.item(item), labels)

    def taken(self, item: str | Item, annotation: Raster | None = None) -> NDArray[np.bool_]:
        """Annotated pixels ``(H, W)`` that are as they were taken over from a prediction, not painted.

        ``annotation`` is the newest one unless told otherwise.
        """
        item = self.item(item)
        return self._taken.among(item, self.annotation(item) if annotation is None else annotation)

    def forget_class(self, value: int) -> None:
        """Class ``value`` is deleted: what was taken over as it is no longer known."""
        self.need_held()
        for item in self.items:
            with suppress(OSError):
                self._taken.forget(item, self.shape(item), value)

    def annotated_items(self) -> list[str]:
        """Names of the items that are complete or have any painted pixel, in order."""
        keys = self._keys()
        complete = {name for name, record in self._state.records.items() if record.complete}
        if not keys and not complete:
            return []
        return [i.name for i in self.items if i.name in complete or (i.key in keys and self._is_painted(i))]

    def _keys(self) -> set[str]:
        """File keys of the items that anybody painted, as far as this process knows."""
        keys = set(self._joined.keys_with_files())
        return keys | set(self._annotations.keys_with_files()) if self.joined else keys

    def _is_painted(self, item: Item) -> bool:
        shape = self.shape(item)
        return self._joined.painted(item, shape) or (self.joined and self._annotations.painted(item, shape))

    def import_masks(
        self,
        place: str | Path,
        items: Iterable[str | Item],
        *,
        complete: bool = True,
        table: Mapping[Key, int] | None = None,
        objects: bool = False,
        boundary: bool = False,
        on_error: OnError | None = None,
    ) -> list[str]:
        """Take masks from a folder (or one file) as the annotations of ``items``.

        Files belong together by stem (:func:`pccs.project.mask_find.find_masks`); items without a
        mask are left as they are. Returns the names of the items that got one.

        Parameters
        ----------
        complete
            Whether the masks say everything. If not, the first class's value means *unknown*.
        table
            What a mask says (a number, name or ``#rrggbb``) → class value; by default what the classes'
            export values, names and colours say.
        objects, boundary
            Whether each object has a number of its own, all of them one class; and whether the edges of
            such objects are a class (:class:`pccs.images.MaskFile`).
        on_error
            Told of each mask that does not fit. Without it the first such
            :class:`~pccs.errors.MaskError` is raised, after the masks that fit were imported.
        """
        self.need_held()
        by_stem: dict[str, list[Item]] = {}
        for item in map(self.item, items):
            by_stem.setdefault(item.stem, []).append(item)
        errors: list[PccsError] = []
        with self._change():
            done = mask_import.import_masks(
                Path(place),
                by_stem,
                self,
                complete=complete,
                table=table,
                objects=objects,
                boundary=boundary,
                on_error=on_error or errors.append,
            )
        if errors:
            raise errors[0]
        return done

    # ------------------------------------------------------------ predictions and runs

    def latest_snapshot(self, item: str | Item) -> SnapshotRef | None:
        """The newest prediction of an item."""
        return self._snapshots.latest(self.item(item))

    def answer_from_memory(self) -> None:
        """From now on questions about predictions ask no drive: what others add, :meth:`look` notices."""
        self._snapshots.attentive = False

    def look(self) -> None:
        """Notice predictions of other processes; may be called from any thread."""
        self._snapshots.refresh()

    def note_snapshot(self, path: str | Path) -> None:
        """Another process says that it has written this prediction."""
        self._snapshots.note(Path(path).name)

    def read_snapshot(self, path: str | Path) -> Raster:
        """A prediction, uint8 ``(3, H, W)``: class values, uncertainty × 255, disagreement × 255.

        ``path`` may be relative to the project, as events give it.
        """
        return self._snapshots.read(self.path / path)

    def write_snapshot(self, item: str | Item, array: NDArray[Any], *, run: str, step: int) -> SnapshotRef:
        """Store a prediction (the worker's task); the two newest of an item are kept."""
        return self._snapshots.write(self.item(item), array, run=run, step=step)

    def write_part(self, name: str, array: NDArray[Any]) -> Path:
        """Store a prediction of a part of an item in ``predictions/NAME``; it is no item's newest."""
        return self._snapshots.write_part(name, array)

    def runs(self) -> list[Run]:
        """Training runs, oldest first."""
        return runs.list_runs(self.path / "runs")

    def current_run(self) -> Run | None:
        """The run in use: the newest that can predict and be resumed, unless an older one was chosen."""
        return models.chosen(self.runs(), self._state.settings.get(models.CHOSEN))[0]

    def current_model(self) -> Path | None:
        """The folder of the earlier model that was chosen; ``None`` is the newest of the run in use."""
        return models.chosen(self.runs(), self._state.settings.get(models.CHOSEN))[1]

    def models(self) -> list[ModelRef]:
        """Every model that can be used, oldest first."""
        return models.list_models(self.runs())

    def new_run(
        self, settings: BaseModel | Mapping[str, Any], start: Sequence[Mapping[str, Any]] = ()
    ) -> Run:
        """Begin a run, with the models of ``start`` if any; its folder is named by number and preset."""
        return runs.create_run(self.path / "runs", settings, start)

    @contextmanager
    def worker_lock(self, wait: float = 0) -> Iterator[None]:
        """Held while training: :class:`~pccs.errors.ProjectLocked` when another process trains here.

        ``wait`` seconds are given to one that is ending.
        """
        lock = Lock(self.path / ".worker.lock", "trains in")
        lock.acquire(wait)
        try:
            yield
        finally:
            lock.release()

    def _update(self, item: str | Item, **changes: Any) -> None:
        self.need_held()
        self._state.update(self.item(item), **changes)
