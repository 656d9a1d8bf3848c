"""A table with a row for each connected object of all images."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pccs.atomic import write_text, writing
from pccs.errors import ExportError
from pccs.export.shapes import Columns, means, shapes
from pccs.images import SourceInfo
from pccs.labels import LabelClass
from pccs.project import Item
from pccs.tidy import connected

TABLES = ("csv", "parquet")
"""Files the table can be written as."""
_FIRST = ("item", "image", "plane", "class", "value", "object")
_SHAPES = (
    "area_px", "area", "centroid_row", "centroid_col", "centroid_y", "centroid_x",
    "row0", "col0", "row1", "col1",
    "perimeter", "equivalent_diameter", "major_axis", "minor_axis", "eccentricity",
)  # fmt: skip
_WORDS = ("item", "image", "class", "unit")
_WHOLE = ("plane", "value", "object", "area_px", "row0", "col0", "row1", "col1")
_PIXELS = ("centroid_row", "centroid_col")


def columns(channels: int) -> tuple[str, ...]:
    """Names of the columns, with an intensity for each of ``channels``."""
    intensities = tuple(f"intensity_{k}" for k in range(1, channels + 1))
    return (*_FIRST, *_SHAPES, "mean_intensity", *intensities, "mean_uncertainty", "unit")


class Measurements:
    """Collects objects and writes them as ``measurements.csv`` or ``measurements.parquet``.

    Lengths are in ``unit``, areas in its square; ``"px"`` when the pixel size of an image is not known.
    ``mean_uncertainty`` is empty where a person, not the model, said what is there.

    Parameters
    ----------
    classes
        The first is the background, which has no objects.
    channels
        The most channels that an image has.
    kind
        Of :data:`TABLES`.

    Raises
    ------
    ExportError
        If there is no such kind of table, or its package is not installed.
    """

    def __init__(self, classes: Sequence[LabelClass], channels: int = 1, kind: str = "csv") -> None:
        if kind not in TABLES:
            raise ExportError(f"there is no table {kind!r}", allowed=", ".join(TABLES))
        self._classes, self._columns, self.kind = classes, columns(channels), kind
        self._pieces: list[Columns] = []
        self._parquet = _import_pyarrow() if kind == "parquet" else None

    @property
    def counts(self) -> dict[str, int]:
        """How many objects each class has."""
        counts = {one.name: 0 for one in self._classes[1:]}
        for piece in self._pieces:
            counts[str(piece["class"][0])] += len(piece["class"])
        return counts

    def add(
        self,
        item: Item,
        info: SourceInfo,
        image: NDArray[Any],
        values: NDArray[np.uint8],
        uncertainty: NDArray[np.float32] | None = None,
    ) -> None:
        """Measure the objects of one item.

        Parameters
        ----------
        image
            ``(H, W, channels)``.
        values
            ``(H, W)`` class values.
        uncertainty
            ``(H, W)`` in [0, 1], if a model said what is there.
        """
        spacing, unit = _spacing(info)
        for one in self._classes[1:]:
            objects = connected(values == one.value)
            count = int(objects.max(initial=0))
            if not count:
                continue
            facts = {
                "item": item.name, "image": info.path.name, "plane": item.index,
                "class": one.name, "value": one.export, "unit": unit,
            }  # fmt: skip
            piece: Columns = {name: np.full(count, fact) for name, fact in facts.items()}
            channels = [means(objects, image[..., k]) for k in range(image.shape[-1])]
            piece |= {"object": np.arange(1, count + 1), **shapes(objects, spacing)}
            piece |= {f"intensity_{k}": mean for k, mean in enumerate(channels, start=1)}
            piece["mean_intensity"] = np.mean(channels, axis=0)
            if uncertainty is not None:
                piece["mean_uncertainty"] = means(objects, uncertainty)
            self._pieces.append(piece)

    def write(self, folder: Path) -> Path:
        """Write the table and return its path."""
        path = folder / f"measurements.{self.kind}"
        if self.kind == "csv":
            write_text(path, self._as_csv())
        else:
            self._write_parquet(path)
        return path

    def _as_csv(self) -> str:
        text = StringIO(newline="")
        table = csv.writer(text, lineterminator="\n")
        table.writerow(self._columns)
        for piece in self._pieces:
            shown = [list(_shown(name, piece)) for name in self._columns]
            table.writerows(zip(*shown, strict=True))
        return text.getvalue()

    def _write_parquet(self, path: Path) -> None:
        arrow, parquet = self._parquet or _import_pyarrow()
        arrays = {name: arrow.array(*self._column(name, arrow)) for name in self._columns}
        with writing(path) as temporary:
            parquet.write_table(arrow.table(arrays), temporary)

    def _column(self, name: str, arrow: Any) -> tuple[list[Any], Any]:
        kind = arrow.string() if name in _WORDS else arrow.int64() if name in _WHOLE else arrow.float64()
        found: list[Any] = []
        for piece in self._pieces:
            found += piece[name].tolist() if name in piece else [None] * len(piece["object"])
        return found, kind


def _spacing(info: SourceInfo) -> tuple[tuple[float, float], str]:
    high, wide = info.step("Y"), info.step("X")
    return ((high, wide), info.unit or "units") if high and wide else ((1.0, 1.0), "px")


def _shown(name: str, piece: Columns) -> Iterator[str]:
    if name not in piece:
        return iter([""] * len(piece["object"]))
    values = piece[name].tolist()
    if name in _WORDS or name in _WHOLE:
        return map(str, values)
    return (f"{v:.3f}" for v in values) if name in _PIXELS else (f"{v:.6g}" for v in values)


def _import_pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ExportError(
            "Parquet needs the package 'pyarrow', which is not installed",
            remedy="Run: pip install 'napari-pccs[formats]', or take a CSV",
        ) from error
    return pyarrow, pyarrow.parquet
