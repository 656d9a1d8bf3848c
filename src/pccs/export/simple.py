"""TIFF, PNG and NumPy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray
from PIL import Image

from pccs.atomic import write_bytes, writing
from pccs.errors import ExportError
from pccs.export.base import axes_of, file_stem
from pccs.export.sheet import Block, Sheet, square_tiles
from pccs.images import disassemble, write_tiff
from pccs.images.write import write_tiff_tiles
from pccs.labels import LabelClass
from pccs.npy import write_npy
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
        axes, spacing = axes_of(source, array.shape)
        write_tiff(self._folder / f"{file_stem(source)}.tif", array, axes, spacing, source.info.unit)

    def write_rows(self, sheet: Sheet, blocks: Iterator[Block]) -> None:
        """Write a result without a class axis as it comes, in tiles."""
        source = sheet.source
        axes, spacing = axes_of(source, sheet.shape)
        path, unit = self._folder / f"{file_stem(source)}.tif", source.info.unit
        write_tiff_tiles(path, square_tiles(blocks), sheet.shape, sheet.dtype, axes, spacing, unit)

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
    memory = BytesIO()
    Image.fromarray(np.ascontiguousarray(plane)).save(memory, "png")
    write_bytes(path, memory.getvalue())


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
        write_npy(self._folder / f"{file_stem(source)}.npy", array)

    def write_rows(self, sheet: Sheet, blocks: Iterator[Block]) -> None:
        """Write a result as it comes, each class where it belongs."""
        height, width = sheet.source.info.plane_shape
        planes = sheet.source.info.n_planes
        path, line = self._folder / f"{file_stem(sheet.source)}.npy", width * sheet.dtype.itemsize
        header = {
            "descr": npy.dtype_to_descr(sheet.dtype), "fortran_order": False, "shape": sheet.shape,
        }  # fmt: skip
        with writing(path) as temporary, temporary.open("wb") as file:
            npy.write_array_header_1_0(file, header)
            begin = file.tell()
            for plane, row, values in blocks:
                for number, one in enumerate(values if sheet.classes else values[None]):
                    file.seek(begin + ((number * planes + plane) * height + row) * line)
                    file.write(np.ascontiguousarray(one).data)

    def finish(self) -> None:
        """Nothing is left to write."""
