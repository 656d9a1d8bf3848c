"""Writing arrays that keep their axes and spacing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from pccs.atomic import writing
from pccs.images.axes import check_axes
from pccs.images.reader import check_dtype, native

_ASCII = {"µm": "um"}
_PER_CENTIMETRE = {"µm": 1e4, "mm": 10.0, "cm": 1.0, "nm": 1e7}
LARGE_TIFF = 2**31
"""Bytes; beyond, TIFF needs its 64-bit form, which ImageJ's has not."""


def write_tiff(
    path: Path,
    array: NDArray[Any],
    axes: str,
    spacing: Sequence[float | None],
    unit: str = "",
    *,
    compress: bool = True,
) -> None:
    """Write a TIFF, one page a plane, that says its shape, axes and spacing.

    Any letters are allowed in ``axes``; lengths of 1 survive. Where ImageJ can express it (its axis
    order, no length of 1), a compressed file is an ImageJ hyperstack, which Fiji opens with axes and spacing;
    other files say the same in tifffile's description. Written atomically.
    """
    with writing(path) as temporary:
        tifffile.imwrite(
            temporary,
            native(array),
            photometric="rgb" if _is_colour(array, axes) else "minisblack",
            planarconfig="contig" if _is_colour(array, axes) else None,
            compression="zlib" if compress else None,
            **_described(array.shape, array.dtype, axes, spacing, unit, imagej=compress),
        )


def write_tiff_tiles(
    path: Path,
    tiles: Iterable[NDArray[Any]],
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    axes: str,
    spacing: Sequence[float | None],
    unit: str = "",
) -> None:
    """Write a compressed TIFF whose square tiles come one after the other, the pages' from left to right and
    from top to bottom, and say of it what :func:`write_tiff` says where ImageJ cannot express it.

    What sticks out of a page is filled up. Written atomically, and never held as a whole.
    """
    first = next(tiles := iter(tiles))
    with writing(path) as temporary:
        tifffile.imwrite(
            temporary,
            chain([first], tiles),
            shape=shape,
            dtype=dtype,
            tile=first.shape,
            photometric="minisblack",
            compression="zlib",
            **_described(shape, dtype, axes, spacing, unit, imagej=False),
        )


def _is_colour(array: NDArray[Any], axes: str) -> bool:
    return axes.endswith("S") and array.shape[-1] in (3, 4) and array.dtype.kind == "u"


def _described(
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    axes: str,
    spacing: Sequence[float | None],
    unit: str,
    *,
    imagej: bool,
) -> dict[str, Any]:
    steps = dict(zip(axes, spacing, strict=True))
    x, y, z = (steps.get(a) for a in "XYZ")
    if imagej and _imagej_can(shape, dtype, axes):
        meta: dict[str, Any] = {"axes": axes}
        if not (x and y and unit):
            return {"imagej": True, "metadata": meta}
        meta |= {"unit": _ASCII.get(unit, unit)} | ({"spacing": z} if z else {})
        return {"imagej": True, "metadata": meta, "resolution": (1 / x, 1 / y), "resolutionunit": "NONE"}
    meta = {"axes": axes, "pccs_spacing": [s or 0 for s in spacing], "pccs_unit": unit}
    big = {"metadata": meta, "bigtiff": prod(shape) * dtype.itemsize > LARGE_TIFF}
    cm = _PER_CENTIMETRE.get(unit)
    if not (x and y and cm):
        return big
    return {**big, "resolution": (cm / x, cm / y), "resolutionunit": "CENTIMETER"}


def _imagej_can(shape: tuple[int, ...], dtype: np.dtype[Any], axes: str) -> bool:
    in_order = axes == "".join(a for a in "TZCYXS" if a in axes)
    plain = dtype in (np.uint8, np.uint16, np.float32) and "S" not in axes
    return plain and in_order and min(shape) > 1 and prod(shape) * dtype.itemsize <= LARGE_TIFF


def write_array(
    path: Path, array: NDArray[Any], axes: str, spacing: Sequence[float | None] | None = None, unit: str = ""
) -> None:
    """Store an array that has no file of its own (a viewer layer) so that ``probe`` finds it whole.

    Uncompressed, so that planes are read straight from the disk.

    Raises
    ------
    ImageError
        If ``axes`` does not fit the array, or its pixels are not numbers.
    """
    array = np.asarray(array)
    check_axes(axes, array.shape, path)
    check_dtype(array.dtype, path)
    write_tiff(path, array, axes, spacing or (None,) * array.ndim, unit, compress=False)
