"""What masks of images say, before any of them is imported: numbers, names, colours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pccs.errors import MaskError
from pccs.images import Key, read_marks
from pccs.images.masks import BOUNDARY
from pccs.images.shapes.paint import UNNAMED
from pccs.labels import LabelClass
from pccs.project.items import Source
from pccs.project.mask_find import find_masks

LOOK = 50
"""Masks looked into at most: enough to meet every class, few enough to take seconds."""


@dataclass(frozen=True)
class MaskValues:
    """What was found, each with the number of masks that say it: numbers first, in order."""

    values: Mapping[Key, int]
    looked: int
    """Masks that were read."""
    files: int
    """Masks that belong to the images, read or not."""
    stems: frozenset[str]
    """The sources that have a mask."""
    names: Mapping[int, str] = field(default_factory=dict)
    """What files call a number, where they do."""


def find_values(
    place: Path,
    sources: Iterable[Source],
    *,
    look: int = LOOK,
    objects: bool = False,
    boundary: bool = False,
) -> MaskValues:
    """Look into at most ``look`` of the masks in ``place``, spread evenly over them all.

    A mask that cannot be read or does not fit its image is passed over: importing it says why.
    ``objects`` and ``boundary`` are as in :class:`pccs.images.MaskFile`.

    Raises
    ------
    MaskError
        If :func:`pccs.project.mask_find.find_masks` finds none, or none that was looked into fits.
    """
    by_stem = {source.stem: source for source in sources}
    found = find_masks(place, by_stem.values(), objects=objects, boundary=boundary)
    files = [(by_stem[stem], mask) for stem, masks in found.items() for mask in masks]
    chosen = {round(k) for k in np.linspace(0, len(files) - 1, min(look, len(files)))}
    values: Counter[Key] = Counter()
    names: dict[int, str] = {}
    looked, refused = 0, None
    for source, mask in (files[k] for k in sorted(chosen)):
        try:
            marks = read_marks(mask, source.info)
        except MaskError as error:
            refused = refused or error
            continue
        values.update(marks.key(value) for value in distinct(marks.planes))
        names |= marks.names
        looked += 1
    if refused is not None and not looked:
        raise refused
    return MaskValues(ordered(values), looked, len(files), frozenset(found), names)


def ordered(values: Mapping[Key, int]) -> dict[Key, int]:
    """Numbers in ascending order, then names."""
    return {key: values[key] for key in sorted(values, key=lambda key: (isinstance(key, str), key))}


def distinct(mask: NDArray[Any]) -> list[int]:
    """The values of a mask, ascending."""
    if mask.dtype in (np.uint8, np.uint16):
        present = np.zeros(np.iinfo(mask.dtype).max + 1, dtype=bool)
        present[mask.ravel()] = True  # a tenth of the time of np.unique on a large mask
        return [int(v) for v in np.flatnonzero(present)]
    return [int(v) for v in np.unique(mask)]


def class_of(key: Key, classes: Sequence[LabelClass]) -> int | None:
    """The value of the class that a mask means by ``key``, as far as the classes themselves say.

    A number is an export value; a name is a class's, in capitals or not, or its colour as ``#rrggbb``. What
    lies outside all named objects is the first class; *object* is the second and *boundary* the third
    where no class has these names.
    """
    if isinstance(key, int):
        own = next((c.value for c in classes if c.export == key), None)
        return classes[0].value if own is None and key == 0 else own
    same = [c.value for c in classes if key.casefold() in (c.name.casefold(), c.color.casefold())]
    place = {UNNAMED: 1, BOUNDARY: 2}.get(key, len(classes))
    return same[0] if same else classes[place].value if place < len(classes) else None


def preset_table(values: Iterable[Key], classes: Sequence[LabelClass]) -> dict[Key, int]:
    """What masks say → class value as far as the classes say; the others are left out.

    As in :func:`pccs.labels.from_mask`, the 255 of a black-and-white mask is the only class that is
    not exported as 0.
    """
    found = set(values)
    table: dict[Key, int] = {}
    named = any(isinstance(key, str) for key in found)
    exports = {label.export for label in classes}
    for key in ordered(dict.fromkeys(found, 1)):
        known = class_of(key, classes)
        if known is not None and (named or key in exports):
            table[key] = known
    others = [label.value for label in classes if label.export != 0]
    if found <= {0, 255} and 255 in found and 255 not in exports and len(others) == 1:
        table[255] = others[0]
    return table
