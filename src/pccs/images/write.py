"""Writing arrays that keep their axes and spacing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from pccs.atomic import writing
from pccs.images.axes import check_axes
from pccs.images.reader import check_dtype, native


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

    Any letters are allowed in ``axes``; lengths of 1 survive. ImageJ and most viewers read the
    pages, tifffile and :func:`pccs.images.probe` also the rest. Written atomically.
    """
    meta = {"axes": axes, "pccs_spacing": [s or 0 for s in spacing], "pccs_unit": unit}
    colour = axes.endswith("S") and array.shape[-1] in (3, 4) and array.dtype.kind == "u"
    with writing(path) as temporary:
        tifffile.imwrite(
            temporary,
            native(array),
            photometric="rgb" if colour else "minisblack",
            planarconfig="contig" if colour else None,
            metadata=meta,
            compression="zlib" if compress else None,
            bigtiff=array.nbytes > 2**31,
            **_resolution(axes, spacing, unit),
        )


def _resolution(axes: str, spacing: Sequence[float | None], unit: str) -> dict[str, Any]:
    steps = dict(zip(axes, spacing, strict=True))
    x, y = steps.get("X"), steps.get("Y")
    per_centimetre = {"µm": 1e4, "mm": 10.0, "cm": 1.0, "nm": 1e7}.get(unit)
    if not x or not y or per_centimetre is None:
        return {}
    return {"resolution": (per_centimetre / x, per_centimetre / y), "resolutionunit": "CENTIMETER"}


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
