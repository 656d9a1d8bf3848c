"""HDF5: one dataset of a file, read chunk by chunk; axes as ilastik and ImageJ note them.

``process.py`` is the process that reads, ``child.py`` what runs in it: the only place where h5py is used.
"""

from __future__ import annotations

import json
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pccs.images.axes import check_axes, guess_axes
from pccs.images.chunks import Box, ChunkedReader
from pccs.images.hdf5.process import PROCESS
from pccs.images.reader import native_dtype


class Hdf5Reader(ChunkedReader):
    """A dataset of two or more axes of numbers.

    Links to other files are not followed, and pixels that lie in other files are not read.

    Parameters
    ----------
    path
        The file.
    part
        The path of the dataset in it; ``""`` when it is the only one.
    """

    def __init__(self, path: Path, part: str = "") -> None:
        data = _Dataset(path, part)
        try:
            super().__init__(path, data, data.chunks)
            self.axes, steps = _axes(data.facts, self.shape, path)
        except BaseException:
            data.close()
            raise
        self.spacing: tuple[float | None, ...] = tuple(steps.get(axis) for axis in self.axes)
        self.unit = "µm" if steps else ""

    def close(self) -> None:
        """Let go of the chunks and of the file."""
        super().close()
        self._array.close()


class _Dataset:
    """A dataset of the other process, as an array."""

    def __init__(self, path: Path, part: str) -> None:
        self._number, self._path, self._part = PROCESS.number(), path, part
        self.facts = PROCESS.facts(self._number, path, part)
        self.shape = tuple(self.facts["shape"])
        self.dtype = np.dtype(self.facts["dtype"])
        self.chunks = tuple(self.facts["chunks"])

    def __getitem__(self, box: Box) -> NDArray[Any]:
        return PROCESS.pixels(
            self._number, self._path, self._part, box, chunks=self.chunks, dtype=native_dtype(self.dtype)
        )

    def close(self) -> None:
        PROCESS.close(self._number)


def _axes(facts: dict[str, Any], shape: tuple[int, ...], path: Path) -> tuple[str, dict[str, float]]:
    """Letters, and the spacing in µm by letter, from what is noted at the dataset; else guessed."""
    letters = ("".join(_tags(facts["tags"])) or "".join(facts["labels"])).upper()
    if len(letters) == len(shape) and {"Y", "X"} <= set(letters):
        check_axes(letters, shape, path)
    else:
        letters = guess_axes(shape, path)
    size = facts["size"]
    known = bool(size) and all(isfinite(step) and step > 0 for step in size)
    return letters, dict(zip("ZYX", size, strict=True)) if known else {}


def _tags(text: str) -> list[str]:
    """Keys of vigra's axis tags, as ilastik writes them."""
    try:
        axes = json.loads(text)["axes"]
        return [str(one["key"]) for one in axes]
    except (TypeError, ValueError, KeyError, RecursionError):
        return []
