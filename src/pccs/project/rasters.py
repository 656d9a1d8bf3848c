"""The rasters of annotations as files: TIFF, 8 bits, checked on the way in and out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from pccs.atomic import writing
from pccs.errors import MaskError
from pccs.labels import MAX_CLASSES, Raster
from pccs.project.items import Item

MARK = "joined"
"""What a file says of itself when it was written by a program that knows of several people."""


def write(path: Path, raster: Raster, *, said: str = "") -> None:
    """Write ``raster (H, W)`` atomically, with what the file says of itself, such as :data:`MARK`."""
    words: dict[str, Any] = {"description": said, "metadata": None} if said else {}
    with writing(path) as temporary:
        tifffile.imwrite(
            temporary,
            raster,
            compression="zlib",
            photometric="minisblack",
            rowsperstrip=raster.shape[0],
            **words,
        )


def is_marked(path: Path) -> bool:
    """Whether the file says :data:`MARK`; a damaged one does not."""
    try:
        with tifffile.TiffFile(path) as file:
            return bool(file.pages.first.description == MARK)
    except Exception:
        # Broad on purpose: on a damaged file the decoder raises almost anything; reading it will tell.
        return False


def decoded(path: Path, shape: tuple[int, int]) -> Raster:
    """The raster in a file, whose claims are compared with ``shape`` before they cost any memory."""
    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        if page.dtype != np.uint8:
            raise ValueError(f"its pixels are {page.dtype}")
        if page.shape != shape:
            raise MaskError(
                f"has the shape {page.shape}, its image {shape}",
                remedy="The image was replaced by one of another size: put the old one back or relink it",
            )
        raster: Raster = page.asarray()
        return raster


def largest_empty(shape: tuple[int, int]) -> int:
    """Bytes that a file of nothing but zeros never exceeds (zlib packs them a thousandfold).

    What is larger has something painted and need not be read to know it.
    """
    return 1024 + shape[0] * shape[1] // 200


def checked(item: Item, annotation: NDArray[Any], shape: tuple[int, int]) -> Raster:
    """The annotation as bytes.

    Raises
    ------
    MaskError
        If its shape is not the item's, or it does not hold integers from 0 to 254.
    """
    array = np.asarray(annotation)
    if array.shape != shape:
        raise MaskError(
            f"an annotation of shape {array.shape} does not fit {item.name!r}", allowed=f"{shape}"
        )
    if array.dtype.kind not in "bui" or (array.size and not 0 <= array.min() <= array.max() <= MAX_CLASSES):
        raise MaskError(
            f"the annotation of {item.name!r} does not hold class numbers",
            allowed=f"whole numbers from 0 (not annotated) to {MAX_CLASSES}",
        )
    return np.ascontiguousarray(array, dtype=np.uint8)
