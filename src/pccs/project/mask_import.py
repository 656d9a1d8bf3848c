"""Reading the masks that belong to images as annotations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pccs.errors import MaskError, PccsError
from pccs.images import Key, Marks, MaskFile, SourceInfo, read_marks
from pccs.labels import LabelClass, Raster, from_mask
from pccs.project.items import Item, Source
from pccs.project.mask_find import find_masks
from pccs.project.mask_values import class_of


class Target(Protocol):
    """What of a project is needed here."""

    @property
    def sources(self) -> Mapping[str, Source]: ...

    @property
    def classes(self) -> tuple[LabelClass, ...]: ...

    def save_annotation(self, item: Item, annotation: NDArray[Any]) -> int: ...

    def set_complete(self, item: Item, complete: bool) -> None: ...


def read_annotation(
    masks: Sequence[MaskFile],
    info: SourceInfo,
    classes: Sequence[LabelClass],
    *,
    complete: bool,
    table: Mapping[Key, int] | None = None,
) -> Raster:
    """The annotation ``(N, H, W)`` that the masks of one image make together.

    Parameters
    ----------
    masks
        One mask, or several that are merged: where they overlap the higher class wins.
    complete
        Whether the masks say everything. If not, the first class means *unknown*.
    table
        What a mask says (a number, name or colour) → class value; by default what the classes say.

    Raises
    ------
    MaskError
        If a mask has another shape than the image, or says what the table does not name.
    """
    merged: Raster | None = None
    for mask in masks:
        marks = read_marks(mask, info)
        try:
            values = _classed(marks, classes, table)
        except MaskError as error:
            raise MaskError(error.what, path=mask.path, allowed=error.allowed, remedy=error.remedy) from error
        merged = values if merged is None else np.maximum(merged, values)
    if merged is None:
        raise ValueError("no mask was given")
    return merged if complete else np.where(merged == classes[0].value, np.uint8(0), merged)


def _classed(marks: Marks, classes: Sequence[LabelClass], table: Mapping[Key, int] | None) -> Raster:
    if not marks.keys:
        numbers = {c.export: c.value for c in classes} if table is None else _numbers(table)
        return from_mask(marks.planes, numbers)
    found = [int(value) for value in np.unique(marks.planes)]
    given = table or {}
    said = {value: given.get(key, class_of(key, classes)) for value in found for key in [marks.key(value)]}
    unknown = [str(marks.key(value)) for value, known in said.items() if known is None]
    if unknown:
        raise MaskError(
            f"the mask names {', '.join(map(repr, unknown[:5]))}, which no class is",
            allowed=", ".join(c.name for c in classes),
            remedy="Add a class of that name (or colour), or say which class it means",
        )
    return from_mask(marks.planes, {value: known for value, known in said.items() if known is not None})


def _numbers(table: Mapping[Key, int]) -> dict[int, int]:
    return {key: value for key, value in table.items() if isinstance(key, int)}


def import_masks(
    place: Path,
    items: Mapping[str, Sequence[Item]],
    project: Target,
    *,
    complete: bool,
    table: Mapping[Key, int] | None,
    objects: bool,
    boundary: bool,
    on_error: Callable[[PccsError], None],
) -> list[str]:
    """See :meth:`pccs.project.Project.import_masks`; ``items`` are listed by stem."""
    done: list[str] = []
    sources = [project.sources[stem] for stem in items]
    for stem, masks in find_masks(place, sources, objects=objects, boundary=boundary).items():
        try:
            info = project.sources[stem].info
            planes = read_annotation(masks, info, project.classes, complete=complete, table=table)
        except PccsError as error:
            on_error(error)
            continue
        for item in items[stem]:
            project.save_annotation(item, planes[item.index])
            project.set_complete(item, complete)
            done.append(item.name)
    return done
