"""TIFF, PNG and NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pccs.atomic import writing
from pccs.errors import ExportError
from pccs.export.base import axes_of, file_stem
from pccs.images import disassemble, write_tiff
from pccs.labels import LabelClass
from pccs.project import Source


class TiffWriter:
    """``STEM.tif``, compressed, with axes and spacing."""

    def __init__(self, folder: Path, classes: Sequence[LabelClass]) -> None:
        self._folder = folder

    def write_mask(self, source: Source, mask: NDArray[Any]) -> None:
        """Write a mask in the smallest integer type."""
        self._write(source, mask)

    def write_float(self, source: Source, array: NDArray[Any]) -> None:
        """Write a float map; classes, if any, are the first axis ``C``."""
        self._write(source, array)

    def _write(self, source: Source, array: NDArray[Any]) -> None:
        axes, spacing = axes_of(source, array)
        write_tiff(self._folder / f"{file_stem(source)}.tif", array, axes, spacing, source.info.unit)

    def finish(self) -> None:
        """Nothing is left to write."""


class PngWriter(TiffWriter):
    """``STEM.png``; a stack becomes a folder ``STEM/STEM_0000.png`` …. Float maps become TIFF."""

    def __init__(self, folder: Path, classes: Sequence[LabelClass]) -> None:
        super().__init__(folder, classes)
        self._largest = max(c.export for c in classes)

    def write_mask(self, source: Source, mask: NDArray[Any]) -> None:
        """Write a mask of 8 or 16 bits."""
        if mask.dtype.itemsize > 2:
            raise ExportError(
                f"the export value {self._largest} does not fit in a PNG",
                allowed="export values up to 65535",
                remedy="Choose TIFF, or give the classes smaller export values",
            )
        stem = file_stem(source)
        if not source.info.is_stack:
            _save_png(self._folder / f"{stem}.png", disassemble(source.info, mask)[0])
            return
        folder = self._folder / stem
        folder.mkdir(exist_ok=True)
        for index, plane in enumerate(disassemble(source.info, mask)):
            _save_png(folder / f"{stem}_{index:04d}.png", plane)


def _save_png(path: Path, plane: NDArray[Any]) -> None:
    from skimage.io import imsave  # slow to load, and every start passes here

    with writing(path) as temporary:
        imsave(temporary, plane, check_contrast=False)


class NpyWriter:
    """``STEM.npy`` in the source's axis order, classes first."""

    def __init__(self, folder: Path, classes: Sequence[LabelClass]) -> None:
        self._folder = folder

    def write_mask(self, source: Source, mask: NDArray[Any]) -> None:
        """Write a mask."""
        self._write(source, mask)

    def write_float(self, source: Source, array: NDArray[Any]) -> None:
        """Write a float map."""
        self._write(source, array)

    def _write(self, source: Source, array: NDArray[Any]) -> None:
        with writing(self._folder / f"{file_stem(source)}.npy") as temporary, temporary.open("wb") as file:
            np.save(file, array, allow_pickle=False)

    def finish(self) -> None:
        """Nothing is left to write."""
