"""What every file format gives: a header, and pieces of the stored array."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import psutil
from numpy.typing import NDArray

from pccs.errors import ImageError

Index: TypeAlias = tuple[int | slice, ...]
"""One entry per stored axis: a number drops the axis, ``slice(None)`` keeps it."""


class Reader(Protocol):
    """An opened image file. ``axes`` … ``unit`` are as in :class:`~pccs.images.info.SourceInfo`."""

    axes: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    spacing: tuple[float | None, ...]
    unit: str
    held: int
    """Bytes of pixels kept in memory while open."""

    def read(self, index: Index) -> NDArray[Any]:
        """The piece of the stored array at ``index``, in stored axis order."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


def check_dtype(dtype: np.dtype[Any], path: Path) -> None:
    """Refuse pixels that are not numbers."""
    if dtype.kind not in "buif":
        raise ImageError(
            f"its pixels are of type {dtype}",
            path=path,
            allowed="integers, floating-point numbers, yes/no",
            remedy="Convert the file, e.g. to a TIFF of 16-bit integers",
        )


def check_memory(n_bytes: int, path: Path) -> None:
    """Refuse to read more at once than this machine could hold, before trying."""
    total = psutil.virtual_memory().total
    if n_bytes > 0.8 * total:
        raise ImageError(
            f"its header claims {n_bytes / 2**30:,.1f} GiB of pixels to be read at once",
            path=path,
            allowed=f"at most 80 % of this machine's {total / 2**30:.1f} GiB of memory",
            remedy="Check that the file is intact, or convert it to a tiled or multi-page TIFF",
        )


def native(array: NDArray[Any]) -> NDArray[Any]:
    """The array in this machine's byte order; booleans as 0 and 1."""
    if array.dtype.kind == "b":
        return array.astype(np.uint8)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def native_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type :func:`native` gives."""
    return np.dtype(np.uint8) if dtype.kind == "b" else dtype.newbyteorder("=")
