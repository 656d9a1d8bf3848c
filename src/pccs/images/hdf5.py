"""HDF5: one dataset of a file, read chunk by chunk; axes as ilastik and ImageJ note them."""

from __future__ import annotations

import json
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from pccs.errors import ImageError
from pccs.images.axes import check_axes, guess_axes
from pccs.images.chunks import ChunkedReader
from pccs.images.optional import optional

INSTALL = "'napari-pccs[hdf5]'"
_MOST = 10_000
"""Groups and datasets that are looked at."""


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
        self._file = optional("h5py", "HDF5", path, install=INSTALL).File(path, "r")
        try:
            found = _datasets(self._file)
            data = found[_chosen(found, part, path)]
            _check_own(data, path)
            super().__init__(path, data, data.chunks or (1,) * len(data.shape))
            self.axes, steps = _axes(data, self.shape, path)
        except BaseException:
            self._file.close()
            raise
        self.spacing: tuple[float | None, ...] = tuple(steps.get(axis) for axis in self.axes)
        self.unit = "µm" if steps else ""

    def close(self) -> None:
        """Let go of the chunks and of the file."""
        super().close()
        self._file.close()


def _datasets(file: Any) -> dict[str, Any]:
    """Datasets of numbers with two axes or more, by their path; links out of the file are left alone."""
    h5py = optional("h5py", "HDF5", Path(file.filename), install=INSTALL)
    found: dict[str, Any] = {}
    rest = [("", file)]
    seen: set[Any] = set()
    while rest and len(seen) < _MOST:
        prefix, group = rest.pop(0)
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                continue
            one = group[name]
            key = h5py.h5o.get_info(one.id).addr
            if key in seen:
                continue
            seen.add(key)
            if isinstance(one, h5py.Group):
                rest.append((f"{prefix}{name}/", one))
            elif isinstance(one, h5py.Dataset) and one.dtype.kind in "buif" and len(one.shape or ()) > 1:
                found[f"{prefix}{name}"] = one
    return found


def _chosen(found: dict[str, Any], part: str, path: Path) -> str:
    if part:
        if part not in found:
            raise ImageError(
                f"it has no image {part!r}",
                path=path,
                allowed=", ".join(list(found)[:6]) or "a dataset of numbers with two axes or more",
            )
        return part
    if not found:
        raise ImageError(
            "it holds no dataset of numbers with two axes or more", path=path, remedy="Leave it out"
        )
    if len(found) > 1:
        raise ImageError(
            f"it holds {len(found)} datasets ({', '.join(list(found)[:6])})",
            path=path,
            remedy=f"Say which one, e.g. {path.name}:/{next(iter(found))}",
        )
    return next(iter(found))


def _check_own(data: Any, path: Path) -> None:
    """Refuse pixels that the file says lie elsewhere: a stranger's file could show any of yours."""
    elsewhere = bool(data.external) or (
        data.is_virtual and any(source.file_name != "." for source in data.virtual_sources())
    )
    if elsewhere:
        raise ImageError(
            "its pixels lie in other files", path=path, remedy="Copy the dataset into one file (h5repack)"
        )


def _axes(data: Any, shape: tuple[int, ...], path: Path) -> tuple[str, dict[str, float]]:
    """Letters, and the spacing in µm by letter, from what is noted at the dataset; else guessed."""
    steps: dict[str, float] = {}
    tags = _tags(data.attrs.get("axistags"))
    labels = [str(dim.label)[:1] for dim in data.dims]
    letters = "".join(tags).upper() or "".join(labels).upper()
    if len(letters) == len(shape) and {"Y", "X"} <= set(letters):
        check_axes(letters, shape, path)
    else:
        letters = guess_axes(shape, path)
    size = np.asarray(data.attrs.get("element_size_um", ())).ravel()
    if size.size == 3 and size.dtype.kind in "fiu" and all(isfinite(s) and s > 0 for s in size.tolist()):
        steps = dict(zip("ZYX", size.tolist(), strict=True))
    return letters, steps


def _tags(text: Any) -> list[str]:
    """Keys of vigra's axis tags, as ilastik writes them."""
    try:
        axes = json.loads(text)["axes"]
        return [str(one["key"]) for one in axes]
    except (TypeError, ValueError, KeyError, RecursionError):
        return []
