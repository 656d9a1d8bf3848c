"""The one place where annotation values, training targets and exported values meet.

========== ================================ =====================================================
raster     values                           where it lives
========== ================================ =====================================================
annotation 0 = not annotated, k = class k   ``annotations/``, the Labels layer, predictions shown
target     0 … C−1 by position, 255 unknown  the loss
mask       the classes' export values        files the user gives and gets
========== ================================ =====================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from pccs.errors import MaskError, ProjectError

Raster: TypeAlias = NDArray[np.uint8]
"""``(…, H, W)`` unsigned bytes."""

IGNORE = 255
"""The training target of a pixel nobody annotated."""
UNPAINTED = 254
"""The same, where somebody scribbled on the image and left the pixel out. Only the
sampler tells the two apart."""

MAX_CLASSES = 254

DEFAULT_COLORS = (
    "#7f7f7f",  # background
    "#e69f00",
    "#56b4e9",
    "#009e73",
    "#f0e442",
    "#0072b2",
    "#d55e00",
    "#cc79a7",
    "#999933",
    "#882255",
    "#44aa99",
)
"""Okabe and Ito's colours, told apart by colour-blind readers; the first is the background's grey."""


class LabelClass(BaseModel):
    """One class: ``value`` in annotations, ``export`` in masks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: int = Field(ge=1, le=MAX_CLASSES)
    name: str = Field(min_length=1)
    color: str = Field(pattern=r"^#[0-9a-fA-F]{6}$")
    export: int = Field(ge=0, le=2**32 - 1)


def make_class(value: int, name: str, *, export: int | None = None, color: str | None = None) -> LabelClass:
    """A class with the colour its place suggests and ``value - 1`` as export value, unless given."""
    palette = DEFAULT_COLORS
    suggested = palette[value - 1] if value <= len(palette) else palette[1 + (value - 2) % (len(palette) - 1)]
    return LabelClass(
        value=value,
        name=name,
        color=color or suggested,
        export=value - 1 if export is None else export,
    )


def default_classes() -> tuple[LabelClass, ...]:
    """What a project begins with: *background* and *object*."""
    return make_class(1, "background"), make_class(2, "object")


def classes_from_table(names: Mapping[int, str]) -> tuple[LabelClass, ...]:
    """Classes from a table *mask value → name*, in ascending order of the mask value.

    Without an entry for 0, *background* is put in front: masks have one even if nobody named it.
    """
    table = names if 0 in names else {0: "background", **names}
    ordered = sorted(table.items())
    if len(ordered) > MAX_CLASSES:
        raise ProjectError(f"there are {len(ordered)} classes", allowed=f"at most {MAX_CLASSES}")
    classes = tuple(make_class(k, name, export=value) for k, (value, name) in enumerate(ordered, start=1))
    check_classes(classes)
    return classes


def classes_from_colours(names: Mapping[str, str]) -> tuple[LabelClass, ...]:
    """Classes from a table *colour → name*, in its order; black, or *background*, is put in front."""
    first = make_class(1, names.get("#000000", "background"))
    others = [(color, name) for color, name in names.items() if color != "#000000"]
    if len(others) >= MAX_CLASSES:
        raise ProjectError(f"there are {len(others) + 1} classes", allowed=f"at most {MAX_CLASSES}")
    classes = (first, *(make_class(k, name, color=color) for k, (color, name) in enumerate(others, start=2)))
    check_classes(classes)
    return classes


def check_classes(classes: Sequence[LabelClass]) -> None:
    """Raise :class:`~pccs.errors.ProjectError` unless the classes can be told apart."""
    if not 1 <= len(classes) <= MAX_CLASSES:
        raise ProjectError(f"there are {len(classes)} classes", allowed=f"1 to {MAX_CLASSES}")
    for field in ("value", "name", "export"):
        seen = [getattr(c, field) for c in classes]
        twice = next((v for v in seen if seen.count(v) > 1), None)
        if twice is not None:
            what = "export value" if field == "export" else field
            raise ProjectError(f"two classes have the {what} {twice!r}", remedy="Give each class its own")


def to_targets(annotation: NDArray[Any], classes: Sequence[LabelClass], *, complete: bool) -> Raster:
    """Training targets of an annotation.

    Parameters
    ----------
    annotation
        ``(…, H, W)`` integers; 0 = not annotated, k = class k.
    classes
        The project's classes; the target of a class is its position.
    complete
        Whether unpainted pixels are the first class (complete) or unknown (partial).

    Returns
    -------
    uint8 array of the same shape; unknown pixels, and values of no class, are :data:`IGNORE`.
    """
    table = np.full(256, IGNORE, dtype=np.uint8)
    for position, one in enumerate(classes):
        table[one.value] = position
    table[0] = 0 if complete else IGNORE
    return table[np.asarray(annotation, dtype=np.uint8)]


def from_targets(index_map: NDArray[Any], classes: Sequence[LabelClass]) -> Raster:
    """Class values of a map of class positions, e.g. an argmax over probabilities ``(C, H, W)``."""
    raster: Raster = np.array([c.value for c in classes], dtype=np.uint8)[index_map]
    return raster


def export_dtype(classes: Sequence[LabelClass]) -> np.dtype[Any]:
    """The smallest unsigned integer type that holds every export value."""
    return np.min_scalar_type(max(c.export for c in classes))


def to_export(values: NDArray[Any], classes: Sequence[LabelClass]) -> NDArray[Any]:
    """Export values of class values; what is not annotated becomes the first class's export value."""
    table = np.full(256, classes[0].export, dtype=export_dtype(classes))
    for one in classes:
        table[one.value] = one.export
    return table[np.asarray(values, dtype=np.uint8)]


def from_mask(mask: NDArray[Any], table: Mapping[int, int]) -> Raster:
    """An annotation from a mask.

    Parameters
    ----------
    mask
        ``(…, H, W)`` integers.
    table
        Mask value → class value (0 = not annotated). A mask of only 0 and 255, where the table does
        not know 255 and has exactly one value besides 0, is a black-and-white picture: its 255 is
        read as that value.

    Raises
    ------
    MaskError
        If the mask holds a value the table does not name.
    """
    found = np.unique(mask)
    others = [v for v in table if v != 0]
    if set(found.tolist()) <= {0, 255} and 255 not in table and len(others) == 1:
        table = {**table, 255: table[others[0]]}
    unknown = [v for v in found.tolist() if v not in table]
    if unknown:
        shown = ", ".join(map(str, unknown[:5])) + (", …" if len(unknown) > 5 else "")
        raise MaskError(
            f"the mask holds the value {shown}, which no class has",
            allowed=", ".join(map(str, sorted(table))),
            remedy="Add a class with that export value, or say which class it means",
        )
    positions = np.searchsorted(found, mask)
    return np.array([table[v] for v in found.tolist()], dtype=np.uint8)[positions]
