"""What the teacher sees: ``predictions/ITEM.rNNNN.….npy``, written by the worker while it trains.

Every fact about a snapshot is in its file name, so that one listing of the folder knows them all and
nothing can be out of step: ``KEY.r0007.u0312.s450.0001-pccs.npy`` is revision 7, mean uncertainty
0.0312, step 450 of run ``0001-pccs``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pccs.errors import ProjectError
from pccs.labels import Raster
from pccs.npy import write_npy
from pccs.project.items import Item
from pccs.project.revisions import Entry, RevisionIndex

KEEP = 2
"""Snapshots kept of each item: the newest, and the one a reader may be reading."""

_PATTERN = r"(?P<key>[^.].*)\.r(?P<rev>\d{4,})\.u(?P<u>\d+)\.s(?P<step>\d+)\.(?P<run>[^.]+)\.npy"
_UNITS = 10_000


@dataclass(frozen=True)
class SnapshotRef:
    """One prediction of one item; ``uncertainty`` is its mean, in [0, 1]."""

    path: Path
    rev: int
    uncertainty: float
    run: str
    step: int


class SnapshotStore:
    """The predictions of a project."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._index = RevisionIndex(folder, _PATTERN)
        self.attentive = True
        """Whether each question looks at the folder; otherwise only :meth:`refresh` does."""

    def refresh(self) -> None:
        """Notice files another process added."""
        self._index.refresh()

    def _ask(self) -> None:
        if self.attentive:
            self.refresh()

    def note(self, name: str) -> None:
        """Take note of a file another process added."""
        self._index.add(name)

    def latest(self, item: Item) -> SnapshotRef | None:
        """The newest snapshot of an item."""
        self._ask()
        entry = self._index.newest(item.key)
        return self._ref(entry) if entry else None

    def keys(self) -> list[str]:
        """File keys of the items that have a snapshot."""
        self._ask()
        return self._index.keys()

    def read(self, path: Path) -> Raster:
        """``(3, H, W)``: class values, uncertainty × 255, disagreement × 255."""
        self._index.add(path.name)
        try:
            # Mapped first: a header that claims more than the file holds must not cost that memory.
            array: NDArray[Any] = np.array(np.load(path, mmap_mode="r", allow_pickle=False))
        except Exception as error:
            # Broad on purpose: a damaged header makes numpy raise almost anything.
            raise ProjectError(
                "the prediction cannot be read", path=path, remedy="Predict it again"
            ) from error
        if array.dtype != np.uint8 or array.ndim != 3 or array.shape[0] != 3:
            raise ProjectError("this is not a prediction", path=path, allowed="uint8 of shape (3, H, W)")
        return array

    def write(self, item: Item, array: NDArray[Any], *, run: str, step: int) -> SnapshotRef:
        """Write the next snapshot of an item; the two newest are kept."""
        if array.dtype != np.uint8 or array.ndim != 3 or array.shape[0] != 3:
            raise ValueError(f"a snapshot is uint8 (3, H, W), not {array.dtype} {array.shape}")
        self._folder.mkdir(exist_ok=True)
        before = self._index.stamp()
        newest = self._index.newest(item.key)
        rev = newest.rev + 1 if newest else 1
        units = round(float(array[1].mean()) / 255 * _UNITS)
        name = f"{item.key}.r{rev:04d}.u{units:04d}.s{step}.{run.replace('.', '-')}.npy"
        write_npy(self._folder / name, array)
        self._index.add(name)
        self._index.prune(item.key, KEEP)
        self._index.changed_here(before)
        return SnapshotRef(self._folder / name, rev, units / _UNITS, run, step)

    def write_part(self, name: str, array: NDArray[Any]) -> Path:
        """Write a part under a name that is no snapshot's."""
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_npy(path, array)
        return path

    def _ref(self, entry: Entry) -> SnapshotRef:
        fields = entry.fields
        return SnapshotRef(
            self._folder / entry.name,
            entry.rev,
            int(fields["u"]) / _UNITS,
            fields["run"],
            int(fields["step"]),
        )


def forget_run(folder: Path, run: str) -> None:
    """Delete the snapshots that ``run`` made, in the predictions folder ``folder``."""
    for path in folder.glob(f"*.{run}.npy"):
        path.unlink(missing_ok=True)
