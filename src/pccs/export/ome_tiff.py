"""OME-TIFF: axes, pixel size and the meaning of the values in OME-XML, which Bio-Formats and OMERO read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from pccs.atomic import writing
from pccs.export.base import axes_of, file_stem, has_classes
from pccs.labels import LabelClass
from pccs.project import Source

ORDER = "TZCYX"
"""How OME-TIFF wants its axes, slowest first."""
_UNITS = ("µm", "mm", "nm", "cm", "m")
_LARGE = 2**31


class OmeTiffWriter:
    """``STEM.ome.tif``: one channel of labels, or one channel a class for probabilities.

    Axes are put in the order T, Z, C, Y, X. A key-value annotation names the values of a mask.
    """

    def __init__(self, folder: Path, classes: Sequence[LabelClass]) -> None:
        self._folder, self._classes = folder, classes

    def write_mask(self, source: Source, mask: NDArray[Any]) -> None:
        """Write a mask in the smallest integer type."""
        named = {str(c.export): c.name for c in self._classes}
        self._write(source, mask, {"Channel": {"Name": ["labels"]}, "MapAnnotation": named})

    def write_float(self, source: Source, array: NDArray[Any]) -> None:
        """Write a float map, or one that is scaled to integers; classes are channels."""
        lead = has_classes(source, array)
        names = [c.name for c in self._classes] if lead else ["uncertainty"]
        self._write(source, array, {"Channel": {"Name": names}})

    def _write(self, source: Source, array: NDArray[Any], more: dict[str, Any]) -> None:
        axes, _ = axes_of(source, array)
        order = sorted(range(len(axes)), key=lambda k: ORDER.index(axes[k]))
        metadata = {"axes": "".join(axes[k] for k in order), "Name": source.stem, **_sizes(source), **more}
        with writing(self._folder / f"{file_stem(source)}.ome.tif") as temporary:
            tifffile.imwrite(
                temporary,
                np.ascontiguousarray(array.transpose(order)),
                ome=True,
                photometric="minisblack",
                compression="zlib",
                bigtiff=array.nbytes > _LARGE,
                metadata=metadata,
            )

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
