"""What values the masks of images hold, before any of them is imported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pccs.errors import MaskError
from pccs.images import read_mask
from pccs.labels import LabelClass
from pccs.project.items import Source
from pccs.project.mask_import import find_masks

LOOK = 50
"""Masks looked into at most: enough to meet every class, few enough to take seconds."""


@dataclass(frozen=True)
class MaskValues:
    """Values found, each with the number of masks that hold it, in ascending order."""

    values: Mapping[int, int]
    looked: int
    """Masks that were read."""
    files: int
    """Masks that belong to the images, read or not."""
    stems: frozenset[str]
    """The sources that have a mask."""


def find_values(place: Path, sources: Iterable[Source], *, look: int = LOOK) -> MaskValues:
    """Look into at most ``look`` of the masks in ``place``, spread evenly over them all.

    A mask that cannot be read or does not fit its image is passed over: importing it says why.

    Raises
    ------
    MaskError
        If :func:`pccs.project.mask_import.find_masks` finds none, or none that was looked into fits.
    """
    by_stem = {source.stem: source for source in sources}
    found = find_masks(place, by_stem.values())
    files = [(by_stem[stem], path) for stem, paths in found.items() for path in paths]
    chosen = {round(k) for k in np.linspace(0, len(files) - 1, min(look, len(files)))}
    values: Counter[int] = Counter()
    looked, refused = 0, None
    for source, path in (files[k] for k in sorted(chosen)):
        try:
            values.update(_distinct(read_mask(path, source.info)))
        except MaskError as error:
            refused = refused or error
            continue
        looked += 1
    if refused is not None and not looked:
        raise refused
    return MaskValues(dict(sorted(values.items())), looked, len(files), frozenset(found))


def _distinct(mask: NDArray[Any]) -> list[int]:
    if mask.dtype in (np.uint8, np.uint16):
        present = np.zeros(np.iinfo(mask.dtype).max + 1, dtype=bool)
        present[mask.ravel()] = True  # a tenth of the time of np.unique on a large mask
        return [int(v) for v in np.flatnonzero(present)]
    return [int(v) for v in np.unique(mask)]


def preset_table(values: Iterable[int], classes: Sequence[LabelClass]) -> dict[int, int]:
    """Mask value → class value as far as the classes' export values say; other values are left out.

    As in :func:`pccs.labels.from_mask`, the 255 of a black-and-white mask is the only class that is
    not exported as 0.
    """
    found = set(values)
    by_export = {label.export: label.value for label in classes}
    others = [export for export in by_export if export != 0]
    if found <= {0, 255} and 255 not in by_export and len(others) == 1:
        by_export[255] = by_export[others[0]]
    return {value: by_export[value] for value in sorted(found) if value in by_export}
