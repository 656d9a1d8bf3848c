"""Which annotated pixels were taken over from a prediction: ``taken/ITEM.tif``, one file an item.

A file holds the class each pixel was taken over as, 0 elsewhere, and grows whenever something is accepted. A
pixel counts as taken over while its annotation still is that class. So painting over it, erasing, undo and
redo need no bookkeeping, and a lost file costs nothing but this knowledge.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from pccs.atomic import writing
from pccs.labels import Raster
from pccs.project.items import Item


class TakenStore:
    """What was taken over in each item of a project."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._last: tuple[Path, Raster | None] | None = None
        """What was read last: the panel asks again after every stroke."""

    def add(self, item: Item, labels: Raster) -> None:
        """Remember ``labels (H, W)``, 0 where nothing was taken over, beside what was before."""
        known = self._read(self._path(item), labels.shape)
        self._write(self._path(item), labels if known is None else np.where(labels > 0, labels, known))

    def among(self, item: Item, annotation: Raster) -> NDArray[np.bool_]:
        """Pixels of ``annotation (H, W)`` that are as they were taken over."""
        known = self._read(self._path(item), annotation.shape)
        if known is None:
            return np.zeros(annotation.shape, bool)
        found: NDArray[np.bool_] = (known == annotation) & (known > 0)
        return found

    def forget(self, item: Item, shape: tuple[int, int], value: int) -> None:
        """Class ``value`` is gone; another one may get its number."""
        known = self._read(self._path(item), shape)
        if known is not None and bool((known == value).any()):
            self._write(self._path(item), np.where(known == value, np.uint8(0), known))

    def _path(self, item: Item) -> Path:
        return self._folder / f"{item.key}.tif"

    def _read(self, path: Path, shape: tuple[int, ...]) -> Raster | None:
        """The raster of a file; ``None`` where there is none, or none of this ``shape``."""
        last = self._last  # once: another thread may ask for another item
        if last is None or last[0] != path:
            last = self._last = path, _decoded(path, shape)
        known = last[1]
        return known if known is not None and known.shape == shape else None

    def _write(self, path: Path, raster: NDArray[Any]) -> None:
        known = raster.astype(np.uint8)
        self._last = path, known  # at once: who asks meanwhile must not read the drive
        try:
            self._folder.mkdir(exist_ok=True)
            with writing(path) as temporary:
                tifffile.imwrite(
                    temporary, known, compression="zlib", photometric="minisblack", metadata=None
                )
        except OSError:
            self._last = None
            raise


def _decoded(path: Path, shape: tuple[int, ...]) -> Raster | None:
    if not path.is_file():
        return None
    try:
        with tifffile.TiffFile(path) as file:
            page = file.pages.first
            if page.dtype != np.uint8 or page.shape != shape:
                return None
            raster: Raster = page.asarray()
            return raster
    except Exception:
        # Broad on purpose: on a damaged file the decoder raises almost anything, and this knowledge
        # must never keep anybody from an annotation.
        return None
