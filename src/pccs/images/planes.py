"""Cutting stored arrays into planes, and putting planes back together.

Plane ``i`` of a source counts through its stack axes with the last of ``T``, ``Z`` fastest, however
the file stores them. A plane is always ``(H, W, channels)``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pccs.errors import ImageError
from pccs.images.axes import check_axes
from pccs.images.info import SourceInfo
from pccs.images.opened import CACHE, explained
from pccs.images.reader import check_memory


def probe(path: str | Path, axes: str | None = None) -> SourceInfo:
    """What a file holds, from its header.

    Parameters
    ----------
    path
        A file of a known format (:data:`pccs.images.SUFFIXES`).
    axes
        The meaning of the stored axes, one letter each, instead of what was understood.

    Raises
    ------
    ImageError
        If the file is not there, damaged, or ``axes`` does not fit it.
    """
    path = Path(path).absolute()
    with CACHE.use(path) as reader:
        if axes is not None:
            check_axes(axes, reader.shape, path)
        return SourceInfo(path, axes or reader.axes, reader.shape, reader.dtype, reader.spacing, reader.unit)


def read_plane(info: SourceInfo, index: int) -> NDArray[Any]:
    """Plane ``index`` as ``(H, W, channels)`` in the file's own dtype, alpha dropped.

    Raises
    ------
    ImageError
        If the plane does not exist, or the file is gone, damaged or has another shape now.
    """
    if not 0 <= index < info.n_planes:
        raise ImageError(f"it has no plane {index}", path=info.path, allowed=f"0 to {info.n_planes - 1}")
    place = dict(zip(info.stack_axes, np.unravel_index(index, info.stack_shape or (1,)), strict=False))
    key = tuple(int(place[a]) if a in place else slice(None) for a in info.axes)
    with CACHE.use(info.path) as reader:
        if reader.shape != info.shape:
            raise ImageError(
                f"it has the shape {reader.shape} now, and had {info.shape}",
                path=info.path,
                remedy="Put the old file back, or remove the image from the project and add it again",
            )
        with explained(info.path, "its pixels cannot be read"):
            # Damaged pages may come with other axes than the header promised.
            return _to_plane(info, reader.read(key))


def read_planes(info: SourceInfo) -> NDArray[Any]:
    """All planes as ``(N, H, W, channels)``; refused when that cannot fit in memory."""
    height, width = info.plane_shape
    check_memory(info.n_planes * height * width * info.channels * info.dtype.itemsize, info.path)
    return np.stack([read_plane(info, k) for k in range(info.n_planes)])


def _to_plane(info: SourceInfo, block: NDArray[Any]) -> NDArray[Any]:
    axes = [a for a in info.axes if a not in info.stack_axes]
    order = [axes.index(a) for a in "YXCS" if a in axes]
    plane = block.transpose(order)
    if info.has_alpha:
        plane = plane[..., :-1]
    return np.ascontiguousarray(plane.reshape(*info.plane_shape, info.channels))


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
