"""What one person has in a project: strokes, decisions, and what was taken over from predictions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pccs.labels import Raster
from pccs.project.annotations import AnnotationStore
from pccs.project.items import Item, decode
from pccs.project.people.names import FOLDER
from pccs.project.taken import TakenStore


@dataclass(frozen=True)
class Person:
    """One folder below ``people/``."""

    name: str
    folder: Path
    strokes: AnnotationStore
    choices: AnnotationStore

    @classmethod
    def at(cls, folder: Path, *, writes: bool, strokes: AnnotationStore | None = None) -> Person:
        """The person who writes in ``folder``; with ``writes`` that is this process.

        ``strokes`` is the store that this process has opened for them already.
        """
        return cls(
            decode(folder.name),
            folder,
            strokes or AnnotationStore(folder / "annotations", writes=writes),
            AnnotationStore(folder / "decisions", writes=writes),
        )

    @property
    def taken(self) -> TakenStore:
        """What was taken over, as it is on the disk now: a store remembers what it read."""
        return TakenStore(self.folder / "taken")

    def decisions(self, item: Item, shape: tuple[int, int]) -> Raster:
        """What was decided in an item, ``(3, H, W)`` as in :func:`pccs.project.people.join.join`."""
        return self.choices.read(item, (3 * shape[0], shape[1])).reshape(3, *shape)

    def decide(self, item: Item, decisions: Raster) -> None:
        """Write the decisions ``(3, H, W)`` of an item."""
        _, rows, columns = decisions.shape
        self.choices.save(item, decisions.reshape(3 * rows, columns), (3 * rows, columns))

    def state(self, item: Item) -> tuple[int, int]:
        """The newest revisions of strokes and decisions of an item."""
        return self.strokes.revision(item), self.choices.revision(item)

    def states(self) -> dict[str, tuple[int, int]]:
        """:meth:`state` of everything that is here, by file key."""
        strokes, choices = self.strokes.revisions(), self.choices.revisions()
        return {key: (strokes.get(key, 0), choices.get(key, 0)) for key in {*strokes, *choices}}


def folders(project: Path) -> Iterator[Path]:
    """The folders of all people of a project, by name."""
    try:
        found = sorted(os.scandir(project / FOLDER), key=lambda entry: entry.name)
    except OSError:  # nobody ever joined
        return
    for entry in found:
        if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
            yield Path(entry.path)


def nothing(shape: tuple[int, int]) -> Raster:
    """Strokes of somebody who painted nothing."""
    return np.zeros(shape, np.uint8)
