"""COCO JSON: one file, one annotation for each connected object, exact to the pixel."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage import measure

from pccs.atomic import write_json
from pccs.export.base import file_stem
from pccs.export.simple import TiffWriter
from pccs.images import disassemble
from pccs.labels import LabelClass
from pccs.project import Source

_measure: Any = measure  # scikit-image is only partly typed


class CocoWriter(TiffWriter):
    """``coco.json`` with run-length encoded objects of all sources. Float maps become TIFF.

    Each plane is an image: ``file_name`` is the source's, ``plane`` its number. Category ids are
    export values; the first class, the background, has no objects.
    """

    def __init__(self, folder: Path, classes: Sequence[LabelClass]) -> None:
        super().__init__(folder, classes)
        self._classes = classes
        self._images: list[dict[str, Any]] = []
        self._objects: list[dict[str, Any]] = []

    def write_mask(self, source: Source, mask: NDArray[Any]) -> None:
        """Take the objects of a mask."""
        for index, plane in enumerate(disassemble(source.info, mask)):
            image_id = len(self._images) + 1
            self._images.append(
                {
                    "id": image_id,
                    "file_name": source.info.path.name,
                    "stem": file_stem(source),
                    "plane": index,
                    "height": plane.shape[0],
                    "width": plane.shape[1],
                }
            )
            for one in self._classes[1:]:
                self._take(image_id, plane, one)

    def _take(self, image_id: int, plane: NDArray[Any], one: LabelClass) -> None:
        for region in _measure.regionprops(_measure.label(plane == one.export)):
            row0, col0, row1, col1 = (int(v) for v in region.bbox)
            full = np.zeros(plane.shape, dtype=bool)
            full[row0:row1, col0:col1] = region.image
            self._objects.append(
                {
                    "id": len(self._objects) + 1,
                    "image_id": image_id,
                    "category_id": one.export,
                    "bbox": [col0, row0, col1 - col0, row1 - row0],
                    "area": int(region.area),
                    "iscrowd": 0,
                    "segmentation": {"size": list(plane.shape), "counts": run_lengths(full)},
                }
            )

    def finish(self) -> None:
        """Write the file, if any mask was given."""
        if not self._images:
            return
        categories = [{"id": c.export, "name": c.name, "color": c.color} for c in self._classes[1:]]
        content = {"images": self._images, "annotations": self._objects, "categories": categories}
        write_json(self._folder / "coco.json", content)


def run_lengths(mask: NDArray[np.bool_]) -> list[int]:
    """COCO's uncompressed run lengths: down the columns, beginning with the length of zeros.

    >>> run_lengths(np.array([[False, True], [True, True]]))
    [1, 3]
    """
    flat = mask.ravel(order="F")
    turns = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    edges = [0, *turns.tolist(), flat.size]
    counts = [b - a for a, b in pairwise(edges)]
    return [0, *counts] if flat.size and flat[0] else counts
