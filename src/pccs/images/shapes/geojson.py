"""GeoJSON, as QuPath writes it: polygons with holes, named by their classification."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pccs.errors import MaskError
from pccs.images.info import SourceInfo
from pccs.images.shapes.paint import UNNAMED, Drawn, Marks, Polygons, corners, painted
from pccs.images.shapes.parsed import read_json, rows, table, text, whole


def read_geojson(path: Path, info: SourceInfo) -> Marks:
    """The areas of a file as a mask; points and lines are left out.

    Coordinates are pixels from the upper left corner of the image. In a stack QuPath's ``plane`` says where
    an object lies.

    Raises
    ------
    MaskError
        If it is no GeoJSON, or an object lies outside the planes of the image.
    """
    content = read_json(path)
    features = rows(table(content).get("features")) or rows(content) or [content]
    objects = [table(one) for one in features]
    if not any("geometry" in one for one in objects) and table(content).get("type") != "FeatureCollection":
        raise MaskError("it is no GeoJSON", path=path, remedy="Export the objects from QuPath again")
    return painted((drawn for one in objects for drawn in _areas(one, info)), info, path)


def _areas(feature: dict[str, Any], info: SourceInfo) -> Iterator[Drawn]:
    geometry, properties = table(feature.get("geometry")), table(feature.get("properties"))
    polygons = [rings for one in _flat(geometry) for rings in _polygons(one)]
    if polygons:
        yield Drawn(
            _plane(geometry, info), _name(properties), Polygons(polygons), whole(properties.get("value"))
        )


def _flat(geometry: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if geometry.get("type") == "GeometryCollection":
        yield from map(table, rows(geometry.get("geometries")))
    else:
        yield geometry


def _polygons(geometry: dict[str, Any]) -> Iterator[list[Any]]:
    found = rows(geometry.get("coordinates"))
    listed = {"Polygon": [found], "MultiPolygon": found}.get(str(geometry.get("type")), [])
    for polygon in listed:
        rings = [ring for ring in map(corners, rows(polygon)) if ring is not None]
        if rings:
            yield rings


def _name(properties: dict[str, Any]) -> str:
    classification = properties.get("classification")
    return text(table(classification).get("name")) or text(classification) or UNNAMED


def _plane(geometry: dict[str, Any], info: SourceInfo) -> int:
    place = table(geometry.get("plane"))
    if not info.is_stack:
        return 0
    numbers = [whole(place.get(axis.lower())) for axis in info.stack_axes]
    if any(n >= size for n, size in zip(numbers, info.stack_shape, strict=True)):
        return info.n_planes  # which it has not; said where it is painted
    return int(np.ravel_multi_index(numbers, info.stack_shape))
