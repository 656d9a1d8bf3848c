"""Cutting stored arrays into planes, and putting planes back together.

Plane ``i`` of a source counts through its stack axes with the last of ``T``, ``Z`` fastest, however
the file stores them. A plane is always ``(H, W, channels)``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pccs.errors import ImageError
from pccs.images.address import split_address
from pccs.images.axes import check_axes
from pccs.images.info import SourceInfo
from pccs.images.opened import CACHE, explained
from pccs.images.reader import check_memory


def probe(
    path: str | Path,
    axes: str | None = None,
    *,
    channels: Sequence[int] = (),
    window: tuple[float, float] | None = None,
) -> SourceInfo:
    """What a file holds, from its header.

    Parameters
    ----------
    path
        A file of a known format (:data:`pccs.images.SUFFIXES`), an image that is a folder, or a part of
        one (:mod:`pccs.images.address`).
    axes
        The meaning of the stored axes, one letter each, instead of what was understood.
    channels
        Those to use, in that order, counted from 0; all of them when empty.
    window
        Lowest and highest value that matter, in stored units.

    Raises
    ------
    ImageError
        If the file is not there, damaged, or ``axes``, ``channels`` or ``window`` do not fit it.
    """
    place, part = split_address(path)
    with CACHE.use(place, part) as reader:
        if axes is not None:
            check_axes(axes, reader.shape, place)
        steps = reader.spacing
        info = SourceInfo(place, axes or reader.axes, reader.shape, reader.dtype, steps, reader.unit, part)
    return chosen(info, channels, window)


def chosen(info: SourceInfo, channels: Sequence[int], window: tuple[float, float] | None) -> SourceInfo:
    """The same image with these channels and this window.

    Raises
    ------
    ImageError
        If it has no such channel, one is named twice, or the window is empty.
    """
    picked = tuple(channels)
    if len(set(picked)) != len(picked) or not all(0 <= c < info.stored_channels for c in picked):
        raise ImageError(
            f"the channels {', '.join(map(str, picked))} cannot be taken from it",
            path=info.path,
            allowed=f"each of 0 to {info.stored_channels - 1} at most once",
        )
    if window is not None and not -inf < window[0] < window[1] < inf:
        raise ImageError(
            f"no value lies in the window from {window[0]:g} to {window[1]:g}",
            path=info.path,
            allowed="a lower and a higher number",
        )
    return replace(info, picked=picked, window=window)


def read_plane(info: SourceInfo, index: int) -> NDArray[Any]:
    """Plane ``index`` as ``(H, W, channels)`` in the file's own dtype, alpha dropped.

    Raises
    ------
    ImageError
        If the plane does not exist, or the file is gone, damaged or has another shape now.
    """
    return _read(info, index, {})


def read_region(info: SourceInfo, index: int, rows: slice, cols: slice) -> NDArray[Any]:
    """Rows and columns of plane ``index``, ``(h, w, channels)``.

    Of tiled or striped TIFF, Zarr, HDF5, NIfTI and NumPy only what lies there is read; of other formats the
    whole plane.

    Raises
    ------
    ImageError
        As :func:`read_plane`, and if the region is empty or beyond the plane.
    """
    bounds = {axis: slice(k.start or 0, n if k.stop is None else k.stop) for axis, k, n in
              zip("YX", (rows, cols), info.plane_shape, strict=True)}  # fmt: skip
    if not all(0 <= bounds[a].start < bounds[a].stop <= info.size(a) for a in "YX"):
        raise ImageError("the region lies outside the plane", path=info.path, allowed=f"{info.plane_shape}")
    return _read(info, index, bounds)


def _read(info: SourceInfo, index: int, bounds: Mapping[str, slice]) -> NDArray[Any]:
    if not 0 <= index < info.n_planes:
        raise ImageError(f"it has no plane {index}", path=info.path, allowed=f"0 to {info.n_planes - 1}")
    place = dict(zip(info.stack_axes, np.unravel_index(index, info.stack_shape or (1,)), strict=False))
    key = tuple(int(place[a]) if a in place else bounds.get(a, slice(None)) for a in info.axes)
    shape = tuple(bounds[a].stop - bounds[a].start if a in bounds else info.size(a) for a in "YX")
    with CACHE.use(info.path, info.part) as reader:
        if reader.shape != info.shape:
            raise ImageError(
                f"it has the shape {reader.shape} now, and had {info.shape}",
                path=info.path,
                remedy="Put the old file back, or remove the image from the project and add it again",
            )
        with explained(info.path, "its pixels cannot be read"):
            # Damaged pages may come with other axes than the header promised.
            return _to_plane(info, reader.read(key), shape)


def read_planes(info: SourceInfo) -> NDArray[Any]:
    """All planes as ``(N, H, W, channels)``; refused when that cannot fit in memory."""
    height, width = info.plane_shape
    check_memory(info.n_planes * height * width * info.channels * info.dtype.itemsize, info.path)
    return np.stack([read_plane(info, k) for k in range(info.n_planes)])


def _to_plane(info: SourceInfo, block: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    axes = [a for a in info.axes if a not in info.stack_axes]
    order = [axes.index(a) for a in "YXCS" if a in axes]
    plane = block.transpose(order)
    if info.has_alpha:
        plane = plane[..., :-1]
    plane = plane.reshape(*shape, info.stored_channels)
    return np.ascontiguousarray(plane[..., list(info.picked)] if info.picked else plane)


def assemble(info: SourceInfo, planes: NDArray[Any], *, lead: int = 0) -> NDArray[Any]:
    """Planes in the source's stored axis order, without its channel axes: the inverse of the cutting.

    Parameters
    ----------
    planes
        ``(N, H, W)``, with ``lead`` more axes in front (``(C, N, H, W)`` for ``lead=1``).
    lead
        Leading axes that are kept in front.

    Returns
    -------
    array of shape ``(*leading, *info.spatial_shape)``.
    """
    expected = (info.n_planes, *info.plane_shape)
    if planes.shape[lead:] != expected:
        raise ValueError(f"planes of shape {planes.shape[lead:]} where {info.path.name} has {expected}")
    full = planes.reshape(*planes.shape[:lead], *info.stack_shape, *info.plane_shape)
    have = info.stack_axes + "YX"
    order = [lead + have.index(a) for a in info.spatial_axes]
    return np.ascontiguousarray(full.transpose(*range(lead), *order))


def disassemble(info: SourceInfo, array: NDArray[Any]) -> NDArray[Any]:
    """Planes ``(N, H, W)`` of an array in the source's stored order without channel axes."""
    have = info.spatial_axes
    order = [have.index(a) for a in info.stack_axes + "YX"]
    return np.ascontiguousarray(array.transpose(order).reshape(info.n_planes, *info.plane_shape))
