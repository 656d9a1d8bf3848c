"""A table with a row for each connected object."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage import measure

from pccs.atomic import write_text
from pccs.images import SourceInfo
from pccs.labels import LabelClass

_measure: Any = measure  # scikit-image is only partly typed
_PROPERTIES = ("area", "centroid", "bbox", "intensity_mean")
COLUMNS = (
    "item",
    "class",
    "object",
    "area_px",
    "area",
    "centroid_row",
    "centroid_col",
    "row0",
    "col0",
    "row1",
    "col1",
    "mean_intensity",
    "unit",
)
"""``area`` is in square ``unit`` when the source knows its spacing, else empty; the intensity is the
mean over the object and the channels."""


class Measurements:
    """Collects objects and writes them as ``measurements.csv``."""

    def __init__(self, classes: Sequence[LabelClass]) -> None:
        self._classes = classes
        self._rows: list[dict[str, Any]] = []

    def add(self, item: str, info: SourceInfo, image: NDArray[Any], values: NDArray[np.uint8]) -> None:
        """Measure the objects of one item.

        Parameters
        ----------
        image
            ``(H, W, channels)``.
        values
            ``(H, W)`` class values.
        """
        grey = image.astype(np.float64).mean(axis=-1)
        for one in self._classes[1:]:
            objects = _measure.label(values == one.value)
            if objects.any():
                self._rows += [
                    {"item": item, "class": one.name, **row} for row in _measured(objects, grey, info)
                ]

    def write(self, path: Path) -> None:
        """Write the table."""
        text = StringIO(newline="")
        table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(self._rows)
        write_text(path, text.getvalue())


def _measured(objects: NDArray[Any], grey: NDArray[Any], info: SourceInfo) -> Iterator[dict[str, Any]]:
    found = _measure.regionprops_table(objects, grey, properties=("label", *_PROPERTIES))
    steps = info.step("Y"), info.step("X")
    pixel = steps[0] * steps[1] if steps[0] and steps[1] else None
    for k in range(len(found["label"])):
        pick = {name: column[k].item() for name, column in found.items()}
        yield {
            "object": pick["label"],
            "area_px": int(pick["area"]),
            "area": "" if pixel is None else f"{pick['area'] * pixel:.6g}",
            "centroid_row": f"{pick['centroid-0']:.3f}",
            "centroid_col": f"{pick['centroid-1']:.3f}",
            **{name: pick[f"bbox-{i}"] for i, name in enumerate(("row0", "col0", "row1", "col1"))},
            "mean_intensity": f"{pick['intensity_mean']:.6g}",
            "unit": info.unit if pixel is not None else "",
        }
