"""Annotations taken from a Labels layer that is open in napari."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pccs.errors import MaskError
from pccs.labels import from_mask
from pccs.project import Item, Project
from pccs.project.mask_values import MaskValues

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_pccs.session import Session


def planes_for(array: npt.NDArray[Any], project: Project, current: Item | None) -> list[tuple[Item, Any]]:
    """The items that a label array ``(…, H, W)`` fits, each with its plane ``(H, W)``.

    A plane belongs to the item on screen. A stack belongs to the stack on screen, else to the only
    one of its shape.

    Raises
    ------
    MaskError
        If nothing in the project has that shape, or more than one stack.
    """
    if array.ndim == 2:
        if current is None or project.shape(current) != array.shape:
            where = (
                "no image is on screen" if current is None else f"{current.name} is {_text(project, current)}"
            )
            raise MaskError(
                f"a label layer of {_times(array.shape)} does not fit: {where}",
                remedy="Go to its image first",
            )
        return [(current, array)]
    fitting = [
        stem
        for stem, source in project.sources.items()
        if (*source.info.stack_shape, *source.info.plane_shape) == array.shape
    ]
    if current is not None and current.stem in fitting:
        fitting = [current.stem]
    if len(fitting) != 1:
        which = "several of the stacks" if fitting else "none of the stacks"
        raise MaskError(
            f"a label layer of {_times(array.shape)} fits {which}",
            remedy="Go to the stack it belongs to" if fitting else "Its shape must be that of a stack",
        )
    planes = array.reshape(-1, *array.shape[-2:])
    return [(item, planes[item.index]) for item in project.items if item.stem == fitting[0]]


def values_of(array: npt.NDArray[Any], name: str) -> MaskValues:
    """The values of a label array, for the question what each means."""
    return MaskValues({int(v): 1 for v in np.unique(array)}, 1, 1, frozenset({name}))


def take_layer(
    session: Session, array: npt.NDArray[Any], table: Mapping[int, int], *, complete: bool
) -> list[str]:
    """Make a label array the annotation of the items it fits; their names.

    ``table`` is label → class value. With ``complete`` unpainted pixels are the first class; otherwise
    what the layer calls the first class is unknown. One undo takes it back on the image on screen.
    """
    project = session.need_project()
    session.annotations.need_saved()
    done = []
    with project.together():
        for item, plane in planes_for(array, project, session.current):
            values = from_mask(plane, table)
            if not complete:
                values = np.where(values == project.classes[0].value, np.uint8(0), values)
            session.annotations.replace(item.name, values)
            project.set_complete(item, complete)
            done.append(item.name)
    for name in done[:50]:
        session.signals.item_changed.emit(name)
    return done


def _times(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))


def _text(project: Project, item: Item) -> str:
    return _times(project.shape(item))
