"""OME-TIFF: axes, pixel size and the meaning of the values in OME-XML, which Bio-Formats and OMERO read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from pccs.atomic import writing
from pccs.export.base import axes_of, file_stem, has_classes
from pccs.export.planes import VALUES
from pccs.export.sheet import SIDE, Block, Sheet, square_tiles
from pccs.images.write import LARGE_TIFF
from pccs.labels import LabelClass
from pccs.project import Source

ORDER = "TZCYX"
"""How OME-TIFF wants its axes, slowest first."""
_UNITS = ("µm", "mm", "nm", "cm", "m")


class OmeTiffWriter:
    """``STEM.ome.tif``: one channel of labels, or one channel a class for probabilities.

    Axes are put in the order T, Z, C, Y, X. A key-value annotation names the values of a mask.
    """

    def __init__(self, folder: Path, classes: Sequence[LabelClass]) -> None:
        self._folder, self._classes = folder, classes

    def write_mask(self, source: Source, mask: NDArray[Any]) -> None:
        """Write a mask in the smallest integer type."""
        self._write(source, mask, self._of_masks())

    def write_float(self, source: Source, array: NDArray[Any]) -> None:
        """Write a float map, or one that is scaled to integers; classes are channels."""
        lead = has_classes(source, array.shape)
        names = [c.name for c in self._classes] if lead else ["uncertainty"]
        self._write(source, array, {"Channel": {"Name": names}})

    def write_rows(self, sheet: Sheet, blocks: Iterator[Block]) -> None:
        """Write a result without a class axis as it comes, in tiles."""
        mask = sheet.kind in VALUES
        more = self._of_masks() if mask else {"Channel": {"Name": ["uncertainty"]}}
        described, _ = self._described(sheet.source, sheet.shape, sheet.dtype, more)
        with writing(self._path(sheet.source)) as temporary:
            tifffile.imwrite(
                temporary,
                square_tiles(blocks),
                shape=sheet.shape,
                dtype=sheet.dtype,
                tile=(SIDE, SIDE),
                **described,
            )

    def _of_masks(self) -> dict[str, Any]:
        named = {str(c.export): c.name for c in self._classes}
        return {"Channel": {"Name": ["labels"]}, "MapAnnotation": named}

    def _write(self, source: Source, array: NDArray[Any], more: dict[str, Any]) -> None:
        described, order = self._described(source, array.shape, array.dtype, more)
        with writing(self._path(source)) as temporary:
            tifffile.imwrite(temporary, np.ascontiguousarray(array.transpose(order)), **described)

    def _path(self, source: Source) -> Path:
        return self._folder / f"{file_stem(source)}.ome.tif"

    def _described(
        self, source: Source, shape: tuple[int, ...], dtype: np.dtype[Any], more: dict[str, Any]
    ) -> tuple[dict[str, Any], list[int]]:
        """How tifffile writes a result, and the order of its axes."""
        axes, _ = axes_of(source, shape)
        order = sorted(range(len(axes)), key=lambda k: ORDER.index(axes[k]))
        metadata = {"axes": "".join(axes[k] for k in order), "Name": source.stem, **_sizes(source), **more}
        return {
            "ome": True,
            "photometric": "minisblack",
            "compression": "zlib",
            "bigtiff": prod(shape) * dtype.itemsize > LARGE_TIFF,
            "metadata": metadata,
        }, order

    def finish(self) -> None:
        """Nothing is left to write."""


def _sizes(source: Source) -> dict[str, Any]:
    """Pixel sizes whose unit OME knows; others would be taken for micrometres."""
    info = source.info
    if info.unit not in _UNITS:
        return {}
    steps = {axis: info.step(axis) for axis in "XYZ"}
    known = {axis: step for axis, step in steps.items() if step}
    return {f"PhysicalSize{a}": s for a, s in known.items()} | {
        f"PhysicalSize{a}Unit": info.unit for a in known
    }
