"""GeoJSON as QuPath reads it: every object a polygon with its holes, its class and the class's colour."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pccs.atomic import write_text
from pccs.export.base import compact_json, file_stem
from pccs.export.outlines import Part, Ring, outlines
from pccs.export.simple import TiffWriter
from pccs.images import SourceInfo, disassemble
from pccs.labels import LabelClass
from pccs.project import Source
from pccs.tidy import connected

_SPACE = uuid.UUID("5d2c6f0e-6f2f-4a57-9d0c-1f6f2d2b7b0a")
"""Of which the identities of objects are made, so that the same export gives the same file."""


class GeoJsonWriter(TiffWriter):
    """``STEM.geojson``, coordinates in pixels from the upper left corner. Float maps become TIFF.

    An outline runs along the edges of the pixels: it covers exactly the pixels of its object. Planes of a
    stack are told apart by QuPath's ``plane`` (``z``, ``t``). The background has no objects.
    """

    def __init__(self, folder: Path, classes: Sequence[LabelClass]) -> None:
        super().__init__(folder, classes)
        self._classes = classes

    def write_mask(self, source: Source, mask: NDArray[Any]) -> None:
        """Write the objects of a mask."""
        features = [
            _feature(source.stem, index, source.info, one, number, parts)
            for index, plane in enumerate(disassemble(source.info, mask))
            for one in self._classes[1:]
            for number, parts in outlines(connected(plane == one.export)).items()
        ]
        content = {"type": "FeatureCollection", "features": features}
        write_text(self._folder / f"{file_stem(source)}.geojson", compact_json(content))


def _feature(
    stem: str, index: int, info: SourceInfo, one: LabelClass, number: int, parts: Sequence[Part]
) -> dict[str, Any]:
    return {
        "type": "Feature",
        "id": str(uuid.uuid5(_SPACE, f"{stem}/{index}/{one.export}/{number}")),
        "geometry": {**_geometry(parts), **_plane(info, index)},
        "properties": {
            "objectType": "annotation",
            "name": f"{one.name} {number}",
            "classification": {"name": one.name, "color": [*bytes.fromhex(one.color[1:])]},
            "value": one.export,
        },
    }


def _geometry(parts: Sequence[Part]) -> dict[str, Any]:
    polygons = [[_closed(ring) for ring in (part.shell, *part.holes)] for part in parts]
    if len(polygons) == 1:
        return {"type": "Polygon", "coordinates": polygons[0]}
    return {"type": "MultiPolygon", "coordinates": polygons}


def _closed(ring: Ring) -> list[list[int]]:
    """A ring as GeoJSON wants it: its first point again at the end."""
    points: list[list[int]] = ring.tolist()
    return [*points, points[0]]


def _plane(info: SourceInfo, index: int) -> dict[str, Any]:
    if not info.is_stack:
        return {}
    place = dict(zip(info.stack_axes, np.unravel_index(index, info.stack_shape), strict=True))
    return {"plane": {"c": -1, "z": int(place.get("Z", 0)), "t": int(place.get("T", 0))}}
