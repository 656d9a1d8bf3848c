"""Opening and closing a project folder; its classes, settings and sources."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self, TypeAlias, TypeVar

from numpy.typing import NDArray

from pccs import images
from pccs.errors import PccsError, ProjectError, disk_remedy, disk_words
from pccs.images import PixelSize
from pccs.labels import LabelClass, check_classes, default_classes
from pccs.project import document
from pccs.project.annotations import AnnotationStore
from pccs.project.items import Item, Source
from pccs.project.links import refuse_links
from pccs.project.lock import holder_of, person_lock, project_lock, refuse_holder
from pccs.project.people.names import checked_name, folder_of
from pccs.project.predictions import SnapshotStore
from pccs.project.session import Session
from pccs.project.sources import Standing
from pccs.project.state import Early, State, Version, stamp_of
from pccs.project.taken import TakenStore

SettingT = TypeVar("SettingT")
OnError: TypeAlias = Callable[[PccsError], None]


class ProjectFolder:
    """The part of :class:`~pccs.project.Project` that is about the folder and its images."""

    def __init__(self, path: Path, session: Session | None, early: Early | None = None, me: str = "") -> None:
        self.path, self.me = path, me
        self._session = session
        self.joined = session is not None and session.own
        """Whether somebody else holds the project, and this process writes beside it."""
        holds = session is not None and not self.joined
        self._state = State(path, backup=holds, early=early)
        self.desk = folder_of(path, me) if self.joined else path
        """The folder that strokes are written below."""
        self._annotations = AnnotationStore(self.desk / "annotations", writes=session is not None)
        self._joined = (
            AnnotationStore(path / "annotations", writes=False) if self.joined else self._annotations
        )
        self._snapshots = SnapshotStore(path / "predictions")
        self._taken = TakenStore(self.desk / "taken")
        self._recovered = session.recovered(self._annotations) if session else ""

    # ------------------------------------------------------------ opening and closing

    @classmethod
    def create(cls, path: str | Path, classes: Sequence[LabelClass] | None = None, *, name: str = "") -> Self:
        """Make the folder ``path`` (exactly that name) and open it as the person ``name``.

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
            with suppress(OSError):  # the next attempt finds no folder of that name
                folder.rmdir()
            raise ProjectError(
                f"the folder cannot be made ({disk_words(error)})", path=folder, remedy=disk_remedy(error)
            ) from error
        return cls.open(folder, name=name)

    @classmethod
    def open(cls, path: str | Path, *, write: bool = True, name: str = "") -> Self:
        """Open a project; with ``write`` also take its lock, as the person ``name`` (the login name).

        Raises
        ------
        ProjectError
            If there is no project, or it is damaged or of a newer version.
        ProjectLocked
            If another living process writes to it, or has joined it under that name.
        """
        me = checked_name(name) if write else ""
        return cls._opened(
            path, me, lambda folder: Session(folder, project_lock(folder, me)) if write else None
        )

    @classmethod
    def join(cls, path: str | Path, name: str = "") -> Self:
        """Open a project that somebody else holds, to paint beside them as the person ``name``.

        Raises
        ------
        ProjectError
            If there is no project, or it is damaged, of another version, or on a disk without locks.
        ProjectLocked
            If another living process goes by that name here.
        """
        me = checked_name(name)

        def begin(folder: Path) -> Session:
            refuse_holder(folder, me)
            own = folder_of(folder, me)
            return Session(own, person_lock(own, me), own=True)

        return cls._opened(path, me, begin)

    @classmethod
    def _opened(cls, path: str | Path, me: str, begin: Callable[[Path], Session | None]) -> Self:
        folder = Path(path).absolute()
        stamp = stamp_of(folder)
        # Refuse before anything is locked or written.
        early = Early(stamp, document.read(folder, backup=False))
        session = None
        try:
            refuse_links(folder)
            session = begin(folder)
            return cls(folder, session, early, me)
        except BaseException as error:
            if session:
                session.abandon()
            if isinstance(error, OSError):
                raise ProjectError(
                    f"the project cannot be opened ({disk_words(error)})",
                    path=folder,
                    remedy=disk_remedy(error),
                ) from error
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
    def holder(self) -> str:
        """The name of who holds the project, or held it last; empty where nobody has said."""
        return self.me if self.me and not self.joined else holder_of(self.path)

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

    def hand_over(self, write: Callable[[Version], None]) -> None:
        """From now on ``write`` sees to it that changes reach the disk; what it raises undoes the change."""
        self._state.hand_over = write

    @property
    def stamp(self) -> tuple[int, ...]:
        """What tells ``project.json`` as this process last read or wrote it from any other."""
        return self._state.stamp

    def restore_document(self, text: str) -> None:
        """Make ``text``, rescued from a drive that did not answer, the project's document.

        Raises
        ------
        ValueError, OSError
            If it is none, or cannot be written; the project is as it was then.
        """
        self.need_held()
        self._state.restore(text)

    @property
    def settings(self) -> dict[str, Any]:
        """A copy of the project's settings."""
        return dict(self._state.settings)

    def setting(self, key: str, default: SettingT) -> SettingT:
        """One setting, if what is stored is of the kind of ``default``: a file may hold anything."""
        stored = self._state.settings.get(key)
        return stored if isinstance(stored, type(default)) else default

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

    def add_source(
        self,
        path: str | Path,
        *,
        axes: str | None = None,
        stem: str | None = None,
        channels: Sequence[int] = (),
        window: tuple[float, float] | None = None,
    ) -> Source:
        """Add one image; ``axes``, ``channels`` and ``window`` are as in :func:`pccs.images.probe`.

        Raises
        ------
        ImageError
            If the file cannot be read, or ``axes``, ``channels`` or ``window`` do not fit.
        ProjectError
            If the file is in the project already, or ``stem`` is taken.
        """
        with self._change():
            info = images.probe(path, axes, channels=channels, window=window)
            source = self._state.table.add(info, stem)
            self._state.sources_changed()
        return source

    def choose(
        self, stem: str, *, channels: Sequence[int] = (), window: tuple[float, float] | None = None
    ) -> None:
        """Say which channels of a source are used, and which values matter; annotations stay.

        Raises
        ------
        ImageError
            If it has no such channels, or the window is empty.
        """
        self._known(stem)
        with self._change():
            self._state.table.choose(stem, channels, window)

    def set_pixel(self, stem: str, size: PixelSize | None) -> None:
        """Correct the height and width of a pixel of a source, in mm; ``None``: what its file says.

        Raises
        ------
        ImageError
            If the file is asked and cannot be read, or has other axes now.
        """
        self._known(stem)
        with self._change():
            self._state.table.set_pixel(stem, size)

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
        self.need_held()
        stem = self._state.table.free_stem(name)
        folder = self.path / "sources"
        folder.mkdir(exist_ok=True)
        path = folder / f"{Item(stem, stem, 0).key}.tif"
        images.write_array(path, array, axes, spacing, unit)
        return self.add_source(path, axes=axes, stem=stem)

    def remove_source(self, stem: str) -> None:
        """Take a source out of the project; its file and its annotations stay on disk."""
        self.remove_sources([stem])

    def remove_sources(self, stems: Iterable[str]) -> None:
        """Take many sources out at once."""
        with self._change():
            for stem in stems:
                self._known(stem)
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

    def reload(self) -> bool:
        """Read ``project.json`` again if another process changed it; whether it did."""
        self._joined.refresh()
        self._snapshots.refresh()
        return (self.read_only or self.joined) and self._state.reload()

    def _writable(self) -> None:
        if self.read_only:
            raise ProjectError("the project is open for reading only", path=self.path)

    def need_held(self) -> None:
        """Raise :class:`~pccs.errors.ProjectError` unless this process holds the project."""
        self._writable()
        if self.joined:
            raise ProjectError(
                "this is for whoever holds the project to change: you have joined it to paint",
                path=self.path,
                remedy=f"Ask {self.holder or 'them'}, or open it again when it is closed there",
            )

    @contextmanager
    def together(self) -> Iterator[None]:
        """Changes made in this block are written down once, at its end; none of them when it raises."""
        with self._change():
            yield

    @contextmanager
    def _change(self) -> Iterator[None]:
        self.need_held()
        with self._state.change():
            yield
