"""What ``project.json`` says, in memory, and writing it back as one piece."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pccs.atomic import write_text
from pccs.errors import ProjectError, disk_remedy, disk_words
from pccs.labels import LabelClass
from pccs.project import document
from pccs.project.document import Document, ItemRecord
from pccs.project.items import Item, Source
from pccs.project.selection import Names
from pccs.project.sources import SourceTable

_DEFAULT = ItemRecord()
"""That of every item nobody has decided anything about; it is never changed, only copied."""


@dataclass(frozen=True)
class _Kept:
    """The state before a change."""

    classes: tuple[LabelClass, ...]
    settings: dict[str, Any]
    records: dict[str, ItemRecord]
    sources: tuple[Source, ...]


@dataclass(frozen=True)
class Early:
    """The document as it was read before the project was locked, and the stamp of its file before that."""

    stamp: tuple[int, ...]
    document: Document


@dataclass(frozen=True)
class Version:
    """All that ``project.json`` is to say, as it was after one change; it may be written on any thread."""

    number: int
    kept: _Kept
    _state: State

    def text(self) -> str:
        """What is written."""
        kept = self.kept
        return document.as_text(kept.classes, self._state.lines(kept.sources), kept.records, kept.settings)

    def write(self) -> None:
        """Put it on disk, unless a later version is there already; ProjectError if that fails."""
        self._state.write(self)


class State:
    """Classes, sources, item records and settings of the project at ``folder``."""

    classes: tuple[LabelClass, ...]
    settings: dict[str, Any]
    records: dict[str, ItemRecord]
    table: SourceTable
    names: Names

    def __init__(self, folder: Path, *, backup: bool, early: Early | None = None) -> None:
        self._folder = folder
        self._lock = threading.RLock()
        self._depth = 0
        self._stamp: tuple[int, ...] = ()
        self.hand_over: Callable[[Version], None] = Version.write
        """Who sees to it that a change reaches the disk; when this raises, the change is undone."""
        self._writing = threading.Lock()
        self.number = self.written = 0
        """Of the newest version, and of the newest that is on disk."""
        self._load(backup=backup, early=early)

    @contextmanager
    def change(self) -> Iterator[None]:
        """Changes made in this block are written once, when the outermost block ends.

        When it raises, they are undone. They are undone from memory: the disk may be what failed.
        """
        with self._lock:
            before = self._kept() if self._depth == 0 else None
            self._depth += 1
            try:
                yield
                if self._depth == 1:
                    self.number += 1
                    self.hand_over(Version(self.number, self._kept(), self))
            except BaseException:
                if before is not None:
                    self._take_back(before)
                raise
            finally:
                self._depth -= 1

    def _kept(self) -> _Kept:
        return _Kept(self.classes, self.settings, dict(self.records), tuple(self.table.by_stem.values()))

    def _take_back(self, before: _Kept) -> None:
        self.classes, self.settings, self.records = before.classes, before.settings, before.records
        self.table = SourceTable(before.sources)
        self.sources_changed()

    def sources_changed(self) -> None:
        """List the items anew after sources were added or removed."""
        self.names = Names(self.table.by_stem)

    def record(self, item: Item) -> ItemRecord:
        """What is written down about an item."""
        return self.records.get(item.name, _DEFAULT)

    def update(self, item: Item, **changes: Any) -> None:
        """Change fields of an item's record."""
        new = self.record(item).model_copy(update=changes)
        if new != self.record(item):
            with self.change():
                self.records[item.name] = new

    def reload(self) -> bool:
        """Read the file again if another process changed it; whether it did."""
        if stamp_of(self._folder) == self._stamp:
            return False
        self._load(backup=False)
        return True

    def _load(self, *, backup: bool, early: Early | None = None) -> None:
        self._stamp = stamp_of(self._folder)  # before reading: a change in between is noticed next time
        if early is not None and early.stamp == self._stamp and not early.document.migrated:
            data = early.document
        else:
            data = document.read(self._folder, backup=backup)
        self.classes, self.settings, self.records = data.classes, data.settings, data.items
        self.table = SourceTable.of(data.sources, self._folder)
        self.sources_changed()

    def lines(self, sources: tuple[Source, ...]) -> list[str]:
        """Each source as it is written down."""
        return self.table.lines(self._folder, sources)

    def write(self, version: Version) -> None:
        """Put a version on disk, unless a later one is there already."""
        with self._writing:
            if version.number <= self.written:
                return
            try:
                write_text(self._folder / document.NAME, version.text())
            except OSError as error:
                raise ProjectError(
                    f"the change cannot be saved, and was taken back ({disk_words(error)})",
                    path=self._folder / document.NAME,
                    remedy=disk_remedy(error),
                ) from error
            self.written = version.number
            self._stamp = stamp_of(self._folder)

    @property
    def stamp(self) -> tuple[int, ...]:
        """What tells the file as this process last read or wrote it from any other."""
        return self._stamp

    def restore(self, text: str) -> None:
        """Make ``text``, once rescued from a drive that did not answer, what the file says.

        Raises
        ------
        ValueError, OSError
            If that is no such text, or cannot be written; the file is as it was then.
        """
        Document.model_validate_json(text)
        write_text(self._folder / document.NAME, text)
        self._load(backup=False)


def stamp_of(folder: Path) -> tuple[int, ...]:
    """What tells one state of a project's file from another; empty where there is none."""
    try:
        stat = (folder / document.NAME).stat()
    except OSError:
        return ()
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
