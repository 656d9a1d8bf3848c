"""NumPy files: ``.npy`` mapped from disk, ``.npz`` with a single array. Nothing is ever unpickled."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from pccs.errors import ImageError
from pccs.images.axes import guess_axes
from pccs.images.reader import Index, check_dtype, check_memory, native, native_dtype


class ArrayReader:
    """A NumPy file; axes are guessed from the shape, see :func:`~pccs.images.axes.guess_axes`."""

    unit = ""

    def __init__(self, path: Path) -> None:
        packed = path.suffix.lower() == ".npz"
        array = _only_array(path) if packed else np.load(path, mmap_mode="r", allow_pickle=False)
        check_dtype(array.dtype, path)
        self._array: NDArray[Any] = array
        self.held = array.nbytes if packed else 0
        self.shape = array.shape
        self.axes = guess_axes(self.shape, path)
        self.dtype = native_dtype(array.dtype)
        self.spacing: tuple[float | None, ...] = (None,) * array.ndim

    def read(self, index: Index) -> NDArray[Any]:
        """A copy of the piece at ``index``."""
        return native(np.array(self._array[index]))

    def close(self) -> None:
        """Let go of the mapping."""
        self._array = np.empty(0)


def _only_array(path: Path) -> NDArray[Any]:
    # Our own handle: numpy leaves its own open when the archive is damaged.
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        names = list(archive.files)
        if len(names) != 1:
            raise ImageError(
                f"it holds {len(names)} arrays ({', '.join(names[:6])})",
                path=path,
                allowed="exactly one array",
                remedy="Save each image as its own .npy file",
            )
        check_memory(_claimed_bytes(path, names[0]), path)
        array: NDArray[Any] = archive[names[0]]
        return array


def _claimed_bytes(path: Path, name: str) -> int:
    with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as member:
        version = npy.read_magic(member)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = read(member)
    return int(np.prod(shape, dtype=float)) * dtype.itemsize
