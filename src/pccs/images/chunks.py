"""Reading planes of an array stored in chunks, without decoding a chunk once for every plane in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pccs.images.reader import Index, check_dtype, check_memory, native, native_dtype

Box: TypeAlias = tuple[slice, ...]
"""A slice with both ends for every axis."""

MOST = 2**28
"""Bytes of decoded chunks that are kept for the neighbouring planes."""


class Chunked:
    """A chunked array behind a function that reads boxes of it; the chunks around the last plane are kept.

    Parameters
    ----------
    shape, chunks
        Lengths of the array and of its chunks along each axis.
    itemsize
        Bytes of a pixel.
    fetch
        Gives the array of a box.
    """

    def __init__(
        self,
        shape: Sequence[int],
        chunks: Sequence[int],
        itemsize: int,
        fetch: Callable[[Box], NDArray[Any]],
    ) -> None:
        self._shape, self._chunks, self._itemsize = tuple(shape), tuple(chunks), itemsize
        self._fetch = fetch
        self._box: Box = ()
        self._block: NDArray[Any] | None = None

    @property
    def held(self) -> int:
        """Bytes kept."""
        return 0 if self._block is None else self._block.nbytes

    def forget(self) -> None:
        """Keep nothing."""
        self._box, self._block = (), None

    def needed(self, index: Index) -> int:
        """Bytes that reading ``index`` takes at once."""
        exact = prod(_length(box) for box in self._exact(index)) * self._itemsize
        return max(exact, prod(self._chunks) * self._itemsize)

    def read(self, index: Index) -> NDArray[Any]:
        """The piece at ``index``, a new array."""
        wide = tuple(map(self._widened, index, self._chunks, self._shape))
        if prod(map(_length, wide)) * self._itemsize > MOST:
            block = self._fetch(self._exact(index))
            return np.array(block[tuple(0 if isinstance(k, int) else slice(None) for k in index)])
        if self._block is None or wide != self._box:
            self.forget()  # before the next one is read: one block at a time
            self._block, self._box = self._fetch(wide), wide
        inside = tuple(
            k - box.start if isinstance(k, int) else slice(None) for k, box in zip(index, wide, strict=True)
        )
        return np.array(self._block[inside])

    def _exact(self, index: Index) -> Box:
        return tuple(
            slice(k, k + 1) if isinstance(k, int) else slice(*k.indices(n)[:2])
            for k, n in zip(index, self._shape, strict=True)
        )

    @staticmethod
    def _widened(one: int | slice, chunk: int, length: int) -> slice:
        """The chunk around a number; a slice stays."""
        if isinstance(one, slice):
            return slice(*one.indices(length)[:2])
        start = one // chunk * chunk
        return slice(start, min(start + chunk, length))


class ChunkedReader:
    """What readers of chunked arrays share.

    Parameters
    ----------
    path
        The file or folder, to speak of.
    array
        Of zarr or h5py: anything with ``shape``, ``dtype`` and an item for every box.
    chunks
        Lengths of its chunks.
    """

    def __init__(self, path: Path, array: Any, chunks: Sequence[int]) -> None:
        check_dtype(array.dtype, path)
        self._path, self._array = path, array
        self.shape: tuple[int, ...] = tuple(map(int, array.shape))
        self.dtype = native_dtype(array.dtype)
        self._pieces = Chunked(self.shape, chunks, self.dtype.itemsize, self._fetch)

    @property
    def held(self) -> int:
        """Bytes of pixels kept in memory."""
        return self._pieces.held

    def read(self, index: Index) -> NDArray[Any]:
        """The piece at ``index``; the chunks it lies in are decoded, and kept for the next plane."""
        check_memory(self._pieces.needed(index), self._path)
        return self._pieces.read(index)

    def _fetch(self, box: Box) -> NDArray[Any]:
        return native(np.asarray(self._array[box]))

    def close(self) -> None:
        """Let go of the chunks."""
        self._pieces.forget()


def _length(box: slice) -> int:
    return int(box.stop - box.start)
