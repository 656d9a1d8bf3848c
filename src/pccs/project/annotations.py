"""What people painted: ``annotations/ITEM.rNNNN.tif``, newest revision wins."""

from __future__ import annotations

import os
import threading
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pccs.errors import MaskError, ProjectError, disk_remedy, disk_words
from pccs.labels import Raster
from pccs.project.items import Item, decode
from pccs.project.rasters import MARK, checked, decoded, is_marked, largest_empty, write
from pccs.project.revisions import Entry, RevisionIndex

KEEP = 5
"""Revisions kept of each item."""

PATTERN = r"(?P<key>[^.].*)\.r(?P<rev>\d{4,})\.tif"
"""Names of annotation files."""


class AnnotationStore:
    """The annotation rasters of a project.

    Only the holder of the project's lock writes here, so its own index is the truth; a reader
    (``writes=False``) looks at the folder for what the other process added.
    """

    def __init__(self, folder: Path, *, writes: bool) -> None:
        self._folder = folder
        self._writes = writes
        self._index = RevisionIndex(folder, PATTERN)
        self._painted: dict[str, tuple[int, bool]] = {}
        self._doubtful: dict[str, Path] = {}
        self._saving = threading.Lock()
        self.damaged: list[str] = []
        """A sentence for each revision that could not be read."""

    def refresh(self) -> None:
        """Notice files another process added."""
        if not self._writes:
            self._index.refresh()

    def revision(self, item: Item) -> int:
        """Newest revision, 0 when there is none."""
        self._catch_up(item)
        entry = self._index.newest(item.key)
        return entry.rev if entry else 0

    def read(self, item: Item, shape: tuple[int, int]) -> Raster:
        """The newest readable raster ``(H, W)``; zeros when there is none.

        A damaged revision is passed over, and :attr:`damaged` says so.

        Raises
        ------
        ProjectError
            If the disk cannot be read now: that is no reason to go back to an older revision.
        """
        self._catch_up(item)
        for entry in reversed(list(self._index.entries(item.key))):
            raster = self._read_entry(item, entry, shape)
            if raster is not None:
                return raster
        return np.zeros(shape, np.uint8)

    def _catch_up(self, item: Item) -> None:
        """Know this item's newest revision now, even where listing all items again must wait."""
        if self._writes:
            return
        self._index.refresh()
        newest = self._index.newest(item.key)
        if newest and not os.path.lexists(self._folder / newest.name):  # pruned: we are many revisions late
            self._index.refresh(force=True)
            newest = self._index.newest(item.key)
        path = self._path(item, newest.rev + 1 if newest else 1)
        while os.path.lexists(path):
            self._index.add(path.name)
            path = self._path(item, self._index.entries(item.key)[-1].rev + 1)

    def _read_entry(self, item: Item, entry: Entry, shape: tuple[int, int]) -> Raster | None:
        path = self._folder / entry.name
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of a damaged file, tifffile warns before it raises
                raster = decoded(path, shape)
            reason = ""
        except MaskError as error:
            raise MaskError(
                f"the annotation of {item.name!r} {error.what}", path=path, remedy=error.remedy
            ) from error
        except Exception as error:
            # Broad on purpose: on a damaged file the decoder raises almost anything, and no damage
            # to one revision may keep the older ones from being read.
            if self._unreachable(path, error):
                raise _not_now(item, path, error) from error
            reason = (str(error).splitlines() or [type(error).__name__])[0]
        if not reason:
            return raster
        self._index.drop(item.key, entry)
        sentence = f"Revision {entry.rev} of {item.name!r} is damaged ({reason}); the one before it is used."
        if sentence not in self.damaged:
            self.damaged.append(sentence)
        return None

    def save(
        self, item: Item, annotation: NDArray[Any], shape: tuple[int, int], *, mark: bool = False
    ) -> int:
        """Write a new revision and return its number; with ``mark`` its strokes are told apart by person."""
        raster = checked(item, annotation, shape)
        with self._saving:
            return self._save(item, raster, mark)

    def _save(self, item: Item, raster: Raster, mark: bool) -> int:
        rev = self.revision(item) + 1
        path = self._path(item, rev)
        while os.path.lexists(path):  # a damaged revision has left the index, but keeps its number
            rev += 1
            path = self._path(item, rev)
        try:
            write(path, raster, said=MARK if mark else "")
        except OSError as error:
            if os.path.lexists(path):
                self._replace_doubtful(item, path)
            raise ProjectError(
                f"the annotation of {item.name!r} cannot be saved ({disk_words(error)})",
                path=self._folder,
                remedy=disk_remedy(error),
            ) from error
        self._replace_doubtful(item, None)
        self._painted[item.key] = (rev, bool(raster.any()))  # first: who sees the revision must not read it
        self._index.add(path.name)
        self._index.prune(item.key, KEEP)
        return rev

    def _replace_doubtful(self, item: Item, path: Path | None) -> None:
        """Remember a revision that is in its place although the disk complained, and forget the one before.

        Otherwise every retry on a bad disk would leave one more, and push the older revisions out.
        """
        old = self._doubtful.pop(item.key, None)
        if old is not None:
            with suppress(OSError):
                old.unlink(missing_ok=True)
        if path is not None:
            self._doubtful[item.key] = path

    def _unreachable(self, path: Path, error: Exception) -> bool:
        """Whether the disk is to blame, or gone, and not the file at ``path`` or who deleted it."""
        if not isinstance(error, OSError) or error.errno is None:
            return False
        if not isinstance(error, FileNotFoundError):
            return True
        return os.path.lexists(path) or not os.path.isdir(self._folder)

    def painted(self, item: Item, shape: tuple[int, int]) -> bool:
        """Whether the newest raster has any annotated pixel."""
        entry = self._index.newest(item.key)
        if entry is None:
            return False
        known = self._painted.get(item.key)
        if known is None or known[0] != entry.rev:
            try:
                known = (entry.rev, self._look(item, entry, shape))
            except OSError:
                return True  # a file is there; what it holds is asked again when it can be read
            self._painted[item.key] = known
        return known[1]

    def _look(self, item: Item, entry: Entry, shape: tuple[int, int]) -> bool:
        path = self._folder / entry.name
        try:
            if path.stat().st_size > largest_empty(shape):
                return True
            return bool(decoded(path, shape).any())
        except Exception as error:
            if self._unreachable(path, error):
                raise
            # As in _read_entry; whether this revision is damaged is said when it is read.
            earlier = [e for e in self._index.entries(item.key) if e.rev < entry.rev]
            return bool(earlier) and self._look(item, earlier[-1], shape)

    def has(self, item: Item) -> bool:
        """Whether there is any revision, one that :meth:`keep_first` made included."""
        self._catch_up(item)
        if not self._index.entries(item.key) and os.path.lexists(self._path(item, 0)):
            self._index.add(self._path(item, 0).name)
        return bool(self._index.entries(item.key))

    def keep_first(self, item: Item, raster: Raster) -> None:
        """Write what was there before the first revision, in a folder that somebody else may write in."""
        self._folder.mkdir(parents=True, exist_ok=True)
        write(self._path(item, 0), raster)
        self._index.add(self._path(item, 0).name)

    def marked(self, item: Item) -> bool:
        """Whether the newest revision says that its strokes were told apart by person."""
        self._catch_up(item)
        entry = self._index.newest(item.key)
        return entry is not None and is_marked(self._folder / entry.name)

    def newest_marked(self, item: Item, shape: tuple[int, int]) -> Raster | None:
        """The newest raster ``(H, W)`` that says so."""
        for entry in reversed(list(self._index.entries(item.key))):
            if is_marked(self._folder / entry.name):
                return self._read_entry(item, entry, shape)
        return None

    def keys_with_files(self) -> list[str]:
        """File keys of the items that have at least one revision."""
        self.refresh()
        return self._index.keys()

    def revisions(self) -> dict[str, int]:
        """The newest revision of each file key."""
        newest = {key: self._index.newest(key) for key in self.keys_with_files()}
        return {key: entry.rev for key, entry in newest.items() if entry}

    def saved_since(self, when: float) -> list[str]:
        """Names of the items whose newest revision was written after ``when`` (seconds since 1970)."""
        newest = [(key, self._index.newest(key)) for key in self.keys_with_files()]
        return [
            name_of(key)
            for key, entry in newest
            if entry and (self._folder / entry.name).stat().st_mtime >= when
        ]

    def _path(self, item: Item, rev: int) -> Path:
        return self._folder / f"{item.key}.r{rev:04d}.tif"


def name_of(key: str) -> str:
    """The item that a file key belongs to."""
    stem, at, index = key.partition("@")
    return decode(stem) + (f":{index}" if at else "")


def _not_now(item: Item, path: Path, error: Exception) -> ProjectError:
    assert isinstance(error, OSError)
    return ProjectError(
        f"the annotation of {item.name!r} cannot be read now ({disk_words(error)})",
        path=path,
        remedy=disk_remedy(error),
    )
