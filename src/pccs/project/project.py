"""The project folder: everything the program writes, and nothing it reads images into.

::

    NAME.pccs/
      project.json                 classes, sources, item states, settings
      annotations/ITEM.r0004.tif   what people painted; newest revision wins, five are kept
      predictions/ITEM.r0007….npy  what the teacher sees; two are kept
      runs/0001-pccs/              settings, metrics, checkpoints of a training run
      sources/                     viewer layers that had no file
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self, TypeAlias

from numpy.typing import NDArray
from pydantic import BaseModel

from pccs import images
from pccs.errors import PccsError, ProjectError
from pccs.labels import LabelClass, Raster, check_classes, default_classes
from pccs.project import document, mask_import, runs
from pccs.project.annotations import AnnotationStore
from pccs.project.facts import ItemFacts, state_of
from pccs.project.items import Item, Source
from pccs.project.lock import Lock
from pccs.project.predictions import SnapshotRef, SnapshotStore
from pccs.project.runs import Run
from pccs.project.selection import spread
from pccs.project.session import Session
from pccs.project.sources import Standing
from pccs.project.state import State

OnError: TypeAlias = Callable[[PccsError], None]


class Project:
    """An open project. Make one with :meth:`create` or :meth:`open`, end it with :meth:`close`.

    Items are given by name or as :class:`Item`. Reading methods may be called from any thread;
    changing ones from one thread at a time.
    """

    def __init__(self, path: Path, session: Session | None) -> None:
        self.path = path
        self._session = session
        self._state = State(path, backup=session is not None)
        self._annotations = AnnotationStore(path / "annotations", writes=session is not None)
        self._snapshots = SnapshotStore(path / "predictions")
        self._recovered = session.recovered(self._annotations) if session else ""

    # ------------------------------------------------------------ opening and closing

    @classmethod
    def create(cls, path: str | Path, classes: Sequence[LabelClass] | None = None) -> Self:
        """Make the folder ``path`` (exactly that name) and open it.

        Raises
        ------
        ProjectError
            If something of that name exists, or the folder cannot be made.
        """
        folder = Path(path).absolute()
        chosen = tuple(classes) if classes is not None else default_classes()
        check_classes(chosen)
        if folder.exists():
            raise ProjectError("it exists already", path=folder, remedy="Open it, or choose another name")
        try:
            folder.mkdir(parents=True)
            document.write(folder, chosen, (), {}, {})
        except OSError as error:
            raise ProjectError(f"the folder cannot be made ({error.strerror})", path=folder) from error
        return cls.open(folder)

    @classmethod
    def open(cls, path: str | Path, *, write: bool = True) -> Self:
        """Open a project; with ``write`` also take its lock.

        Raises
        ------
        ProjectError
            If there is no project, or it is damaged or of a newer version.
        ProjectLocked
            If another living process writes to it.
        """
        folder = Path(path).absolute()
        document.read(folder, backup=False)  # refuse before anything is locked or written
        session = Session(folder) if write else None
        try:
            return cls(folder, session)
        except BaseException:
            if session:
                session.abandon()
            raise

    def close(self) -> None:
        """Give the lock back. Everything is on disk already."""
        if self._session:
            self._session.close()
            self._session = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def name(self) -> str:
        """The folder's name without ``.pccs``."""
        return self.path.name.removesuffix(".pccs")

    @property
    def read_only(self) -> bool:
        """Whether this process may not paint, add or rename anything."""
        return self._session is None

    @property
    def recovered(self) -> str:
        """What was recovered when opening (or found damaged since), in plain sentences; else ``""``."""
        return " ".join(filter(None, [self._recovered, *self._annotations.damaged]))

    # ------------------------------------------------------------ classes and settings

    @property
    def classes(self) -> tuple[LabelClass, ...]:
        """The classes; a class's position is its training target, the first is *background*."""
        return self._state.classes

    def set_classes(self, classes: Sequence[LabelClass]) -> None:
        """Replace the classes; annotations keep their values."""
        check_classes(classes)
        with self._change():
            self._state.classes = tuple(classes)

    @property
    def settings(self) -> dict[str, Any]:
        """A copy of the project's settings."""
        return dict(self._state.settings)

    def set_setting(self, key: str, value: Any) -> None:
        """Store one setting, a value JSON can hold; ``None`` removes it."""
        with self._change():
            merged = {**self._state.settings, key: value}
            self._state.settings = {k: v for k, v in merged.items() if v is not None}

    # ------------------------------------------------------------ sources

    @property
    def sources(self) -> Mapping[str, Source]:
        """Sources by stem, in the order they were added."""
        return MappingProxyType(self._state.table.by_stem)

    def add_source(self, path: str | Path, *, axes: str | None = None, stem: str | None = None) -> Source:
        """Add one image.

        Raises
        ------
        ImageError
            If the file cannot be read or ``axes`` does not fit.
        ProjectError
            If the file is in the project already, or ``stem`` is taken.
        """
        with self._change():
            source = self._state.table.add(images.probe(path, axes), stem)
            self._state.sources_changed()
        return source

    def add_sources(self, paths: Iterable[str | Path], *, on_error: OnError | None = None) -> list[Source]:
        """Add many images at once; returns those that were added.

        ``on_error`` is told of each file that cannot be added and the rest goes on; without it the
        first error is raised and nothing is added.
        """
        added: list[Source] = []
        with self._change():
            for path in paths:
                try:
                    added.append(self._state.table.add(images.probe(path), None))
                except PccsError as error:
                    if on_error is None:
                        raise
                    on_error(error)
            self._state.sources_changed()
        return added

    def add_array(
        self,
        name: str,
        array: NDArray[Any],
        axes: str,
        spacing: Sequence[float | None] | None = None,
        unit: str = "",
    ) -> Source:
        """Add a viewer layer that has no file: it is stored in the project's ``sources/``."""
        self._writable()
        stem = self._state.table.free_stem(name)
        folder = self.path / "sources"
        folder.mkdir(exist_ok=True)
        path = folder / f"{Item(stem, stem, 0).key}.tif"
        images.write_array(path, array, axes, spacing, unit)
        return self.add_source(path, axes=axes, stem=stem)

    def remove_source(self, stem: str) -> None:
        """Take a source out of the project; its file and its annotations stay on disk."""
        self._known(stem)
        with self._change():
            for item in self._state.table.remove(stem).items():
                self._state.records.pop(item.name, None)
            self._state.sources_changed()

    def relink(self, stem: str, new_path: str | Path) -> None:
        """Say where a source is now: the file, or the folder that holds a file of the same name.

        Raises
        ------
        ProjectError
            If what is there has another shape.
        """
        self._known(stem)
        with self._change():
            self._state.table.relink(stem, Path(new_path))

    def check_source(self, stem: str) -> Standing:
        """Whether a source is as it was: ``"ok"``, ``"missing"``, ``"changed"`` or ``"reshaped"``."""
        self._known(stem)
        return self._state.table.standing(stem)

    def _known(self, stem: str) -> None:
        if stem not in self._state.table.by_stem:
            self._state.names.listed(stem)  # names near matches
            raise ProjectError(f"{stem!r} is not a source but a part of one", remedy="Give the stem alone")

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
        snapshot = self._snapshots.latest(item)
        painted = self._annotations.painted(item, self.shape(item))
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
            self._annotations.revision(item),
        )

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
        """The newest annotation, uint8 ``(H, W)``: 0 = not annotated, k = class k."""
        item = self.item(item)
        return self._annotations.read(item, self.shape(item))

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
        return self._annotations.save(item, annotation, self.shape(item))

    def annotated_items(self) -> list[str]:
        """Names of the items that are complete or have any painted pixel, in order."""
        keys = set(self._annotations.keys_with_files())
        return [
            i.name
            for i in self.items
            if self._state.record(i).complete
            or (i.key in keys and self._annotations.painted(i, self.shape(i)))
        ]

    def import_masks(
        self,
        place: str | Path,
        items: Iterable[str | Item],
        *,
        complete: bool = True,
        table: Mapping[int, int] | None = None,
        on_error: OnError | None = None,
    ) -> list[str]:
        """Take masks from a folder (or one file) as the annotations of ``items``.

        Files belong together by stem (:func:`pccs.project.mask_import.find_masks`); items without a
        mask are left as they are. Returns the names of the items that got one.

        Parameters
        ----------
        complete
            Whether the masks say everything. If not, the first class's value means *unknown*.
        table
            Mask value → class value; by default the classes' export values.
        on_error
            Told of each mask that does not fit. Without it the first such
            :class:`~pccs.errors.MaskError` is raised, after the masks that fit were imported.
        """
        self._writable()
        by_stem: dict[str, list[Item]] = {}
        for item in map(self.item, items):
            by_stem.setdefault(item.stem, []).append(item)
        errors: list[PccsError] = []
        with self._change():
            done = mask_import.import_masks(
                Path(place), by_stem, self, complete=complete, table=table, on_error=on_error or errors.append
            )
        if errors:
            raise errors[0]
        return done

    # ------------------------------------------------------------ predictions and runs

    def latest_snapshot(self, item: str | Item) -> SnapshotRef | None:
        """The newest prediction of an item."""
        return self._snapshots.latest(self.item(item))

    def read_snapshot(self, path: str | Path) -> Raster:
        """A prediction, uint8 ``(3, H, W)``: class values, uncertainty × 255, disagreement × 255.

        ``path`` may be relative to the project, as events give it.
        """
        return self._snapshots.read(self.path / path)

    def write_snapshot(self, item: str | Item, array: NDArray[Any], *, run: str, step: int) -> SnapshotRef:
        """Store a prediction (the worker's task); the two newest of an item are kept."""
        return self._snapshots.write(self.item(item), array, run=run, step=step)

    def runs(self) -> list[Run]:
        """Training runs, oldest first."""
        return runs.list_runs(self.path / "runs")

    def current_run(self) -> Run | None:
        """The newest run that can predict and be resumed."""
        return next((run for run in reversed(self.runs()) if run.has_checkpoint), None)

    def new_run(self, settings: BaseModel | Mapping[str, Any]) -> Run:
        """Begin a run; its folder is named by number and preset."""
        return runs.create_run(self.path / "runs", settings)

    @contextmanager
    def worker_lock(self) -> Iterator[None]:
        """Held while training: :class:`~pccs.errors.ProjectLocked` when another process trains here."""
        lock = Lock(self.path / ".worker.lock", "trains in")
        lock.acquire()
        try:
            yield
        finally:
            lock.release()

    # ------------------------------------------------------------ the document

    def reload(self) -> bool:
        """Read ``project.json`` again if another process changed it; whether it did."""
        self._annotations.refresh()
        self._snapshots.refresh()
        return self.read_only and self._state.reload()

    def _update(self, item: str | Item, **changes: Any) -> None:
        self._writable()
        self._state.update(self.item(item), **changes)

    def _writable(self) -> None:
        if self.read_only:
            raise ProjectError("the project is open for reading only", path=self.path)

    @contextmanager
    def _change(self) -> Iterator[None]:
        self._writable()
        with self._state.change():
            yield
