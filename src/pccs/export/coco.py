"""COCO JSON: one file, one annotation for each connected object, exact to the pixel."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pccs.atomic import write_text
from pccs.export.base import compact_json, file_stem
from pccs.export.outlines import Part, outlines
from pccs.export.simple import TiffWriter
from pccs.images import disassemble
from pccs.labels import LabelClass
from pccs.project import Source
from pccs.tidy import connected


class CocoWriter(TiffWriter):
    """``coco.json`` with run-length encoded objects of all sources. Float maps become TIFF.

    Each plane is an image: ``file_name`` is the source's, ``plane`` its number. Category ids are
    export values; the first class, the background, has no objects.
    """

    polygons = False

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
        objects = connected(plane == one.export)
        rings = outlines(objects) if self.polygons else {}
        for number, (rows, cols) in enumerate(ndimage.find_objects(objects), start=1):
            piece = objects[rows, cols] == number
            self._objects.append(
                {
                    "id": len(self._objects) + 1,
                    "image_id": image_id,
                    "category_id": one.export,
                    "bbox": [cols.start, rows.start, piece.shape[1], piece.shape[0]],
                    "area": int(piece.sum()),
                    "iscrowd": 0,
                    "segmentation": _polygons(rings.get(number, []))
                    or {
                        "size": list(plane.shape),
                        "counts": piece_lengths(piece, (rows.start, cols.start), plane.shape),
                    },
                }
            )

    def finish(self) -> None:
        """Write the file, if any mask was given."""
        if not self._images:
            return
        categories = [{"id": c.export, "name": c.name, "color": c.color} for c in self._classes[1:]]
        content = {"images": self._images, "annotations": self._objects, "categories": categories}
        write_text(self._folder / "coco.json", compact_json(content))


class CocoPolygonWriter(CocoWriter):
    """The same with polygons along the edges of the pixels.

    A list of polygons cannot say that there is a hole, so that an object with holes stays run-length encoded,
    which every reader of COCO takes as well; a polygon that fills the hole would be another object.
    """

    polygons = True


def _polygons(parts: Sequence[Part]) -> list[list[int]]:
    """Polygons of an object, ``[x, y, x, y, …]``; none when it has holes."""
    if any(part.holes for part in parts):
        return []
    return [part.shell.ravel().tolist() for part in parts]


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


def piece_lengths(piece: NDArray[np.bool_], corner: tuple[int, int], shape: tuple[int, ...]) -> list[int]:
    """:func:`run_lengths` of an image of ``shape`` that is empty but for ``piece``, which lies at ``corner``.

    >>> piece_lengths(np.array([[True], [True]]), (1, 1), (3, 3))
    [4, 2, 3]
    """
    cols, rows = np.nonzero(piece.T)
    places = (cols + corner[1]) * shape[0] + rows + corner[0]
    gaps = np.flatnonzero(np.diff(places) != 1)
    first = places[np.concatenate([[0], gaps + 1])]
    end = places[np.concatenate([gaps, [len(places) - 1]])] + 1
    edges = np.stack([first, end], -1).ravel().tolist()
    counts = [b - a for a, b in pairwise([0, *edges])]
    rest = shape[0] * shape[1] - edges[-1]
    return [*counts, rest] if rest else counts
