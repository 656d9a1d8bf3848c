"""What every file format gives: a header, and pieces of the stored array."""

from __future__ import annotations

import sys
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

    @property
    def held(self) -> int:
        """Bytes of pixels kept in memory while open."""
        ...

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


_SHARE = 0.4
"""Of the memory that pixels read at once may take: they are copied once on their way to the user."""
_PACKED = 100_000
"""No format packs real pixels better than this; a claim of more than ``_HONEST`` bytes beyond it is a lie."""
_HONEST = 2**26


def check_memory(n_bytes: int, path: Path) -> None:
    """Refuse to read more at once than this process could hold, before trying."""
    room = memory_room()
    if n_bytes > _SHARE * room:
        raise ImageError(
            f"its header claims {n_bytes / 2**30:,.1f} GiB of pixels to be read at once",
            path=path,
            allowed=f"at most {_SHARE * room / 2**30:.1f} GiB on this machine",
            remedy="Check that the file is intact, or convert it to a tiled or multi-page TIFF",
        )


def check_packing(n_bytes: int, packed: int, path: Path) -> None:
    """Refuse a claim of ``n_bytes`` that ``packed`` bytes of a file cannot hold in any format."""
    if n_bytes > max(_HONEST, packed * _PACKED):
        raise ImageError(
            f"its header claims {n_bytes / 2**30:,.1f} GiB of pixels, and the file holds {packed:,} bytes",
            path=path,
            remedy="Copy it again; it is truncated or damaged",
        )


def memory_share() -> int:
    """Bytes of pixels that may be read at once."""
    return int(_SHARE * memory_room())


def memory_room() -> int:
    """Bytes this process may have: the machine's memory, or what a limit (``ulimit -v``) leaves of it."""
    total = int(psutil.virtual_memory().total)
    if sys.platform == "win32":
        return total
    import resource

    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        return total
    return max(0, min(total, limit - int(psutil.Process().memory_info().vms)))


def native(array: NDArray[Any]) -> NDArray[Any]:
    """The array in this machine's byte order; booleans as 0 and 1."""
    if array.dtype.kind == "b":
        return array.astype(np.uint8)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def native_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type :func:`native` gives."""
    return np.dtype(np.uint8) if dtype.kind == "b" else dtype.newbyteorder("=")
