"""From objects with names to planes of numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pccs.errors import MaskError
from pccs.images.info import SourceInfo
from pccs.images.reader import check_memory
from pccs.images.shapes.rings import doubled_area, fill

Key: TypeAlias = int | str
"""What a mask says of a pixel: a number, or the name (or ``#rrggbb``) of a class."""

UNNAMED = "object"
"""What an object is called that has no class."""


@dataclass(frozen=True)
class Marks:
    """A mask: numbers, and what they stand for.

    Parameters
    ----------
    planes
        ``(N, H, W)`` integers.
    keys
        Number → key; a number that is not here stands for itself.
    names
        What a number that stands for itself is called, as far as the file says.
    """

    planes: NDArray[Any]
    keys: Mapping[int, Key] = field(default_factory=dict)
    names: Mapping[int, str] = field(default_factory=dict)

    def key(self, value: int) -> Key:
        """What a number stands for."""
        return self.keys.get(value, value)


class Outline(Protocol):
    """The pixels of an object."""

    @property
    def area(self) -> float:
        """How large it is, about."""
        ...

    def paint(self, plane: NDArray[Any], value: int) -> None:
        """Set its pixels of ``plane`` ``(H, W)``."""
        ...


@dataclass(frozen=True)
class Polygons:
    """Polygons, each a shell and its holes; a pixel that is in one of them belongs to the object."""

    polygons: Sequence[Sequence[NDArray[Any]]]

    @property
    def area(self) -> float:
        """Area of the shells."""
        return sum(doubled_area(rings[0]) / 2 for rings in self.polygons)

    def paint(self, plane: NDArray[Any], value: int) -> None:
        """See :class:`Outline`."""
        for rings in self.polygons:
            corners = np.concatenate(rings)
            low = np.clip(np.floor(corners.min(0)), 0, plane.shape[::-1]).astype(int)
            high = np.clip(np.ceil(corners.max(0)), 0, plane.shape[::-1]).astype(int)
            if (high > low).all():
                box = plane[low[1] : high[1], low[0] : high[0]]
                box[fill([ring - low for ring in rings], (box.shape[0], box.shape[1]))] = value


@dataclass(frozen=True)
class Runs:
    """Runs down the columns, as COCO counts them: where each begins in the plane laid out by columns, and its
    length."""

    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]

    @property
    def area(self) -> float:
        """Pixels."""
        return float(self.lengths.sum())

    def paint(self, plane: NDArray[Any], value: int) -> None:
        """See :class:`Outline`."""
        shift = self.starts - (np.cumsum(self.lengths) - self.lengths)
        places = np.arange(int(self.lengths.sum())) + np.repeat(shift, self.lengths)
        cols, rows = np.divmod(places, plane.shape[0])
        plane[rows, cols] = value


@dataclass(frozen=True)
class Drawn:
    """One object of a file: the plane it lies in, its class, and its pixels."""

    plane: int
    name: str
    outline: Outline
    value: int = 0
    """The number that the file itself has for the class; 0 when it has none."""


def painted(objects: Iterable[Drawn], info: SourceInfo, path: Path) -> Marks:
    """Planes with all objects of an image; where they overlap the smaller lies on top.

    Raises
    ------
    MaskError
        If an object lies in a plane that the image does not have.
    """
    found = sorted(objects, key=lambda one: -one.outline.area)
    numbers = _numbers(found)
    dtype = np.min_scalar_type(max(numbers.values(), default=1))
    check_memory(info.n_planes * info.plane_shape[0] * info.plane_shape[1] * dtype.itemsize, path)
    planes = np.zeros((info.n_planes, *info.plane_shape), dtype)
    for one in found:
        if not 0 <= one.plane < info.n_planes:
            raise MaskError(
                f"an object lies in plane {one.plane}, which the image {info.path.name} has not",
                path=path,
                allowed=f"0 to {info.n_planes - 1}",
                remedy="Check that it belongs to this image",
            )
        one.outline.paint(planes[one.plane], numbers[one.name])
    return Marks(planes, {number: name for name, number in numbers.items()})


def _numbers(objects: Sequence[Drawn]) -> dict[str, int]:
    """A number for each name: the file's own where it has one of its own, else the next that is free."""
    numbers: dict[str, int] = {}
    for one in objects:
        if one.value > 0 and one.name not in numbers and one.value not in numbers.values():
            numbers[one.name] = one.value
    for name in sorted({one.name for one in objects} - set(numbers)):
        numbers[name] = next(k for k in range(1, len(numbers) + 2) if k not in numbers.values())
    return numbers


def corners(points: Any) -> NDArray[np.float64] | None:
    """``(n, 2)`` finite numbers, at least three; ``None`` when it is no ring."""
    try:
        ring = np.asarray(points, np.float64)
    except (TypeError, ValueError):
        return None
    ring = ring[:, :2] if ring.ndim == 2 and ring.shape[1] > 2 else ring
    fits = ring.ndim == 2 and ring.shape[1] == 2 and len(ring) >= 3
    return ring if fits and np.isfinite(ring).all() and np.abs(ring).max() < 2**31 else None
