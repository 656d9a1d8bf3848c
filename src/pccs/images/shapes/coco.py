"""COCO JSON: one file with the objects of many images, as polygons or run lengths."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pccs.errors import MaskError
from pccs.images.find import stem_of
from pccs.images.info import SourceInfo
from pccs.images.shapes.paint import UNNAMED, Drawn, Marks, Outline, Polygons, Runs, corners, painted
from pccs.images.shapes.parsed import read_json, rows, table, text, whole


@dataclass(frozen=True)
class _Index:
    """A file's images by name, its annotations by image, and the names of its categories."""

    images: dict[str, list[dict[str, Any]]]
    annotations: dict[Any, list[dict[str, Any]]]
    categories: dict[Any, str]


def coco_stems(path: Path) -> frozenset[str]:
    """Names of the images in a file; none when it is no COCO JSON."""
    return frozenset(_index(path).images)


def read_coco(path: Path, info: SourceInfo, stem: str) -> Marks:
    """The objects of the image called ``stem`` as a mask.

    In a file of ours ``plane`` says which plane of a stack an image is; elsewhere the planes are taken in the
    order in which the file lists images of that name.

    Raises
    ------
    MaskError
        If the image is of another size, or none of its objects has an outline.
    """
    index = _index(path)
    planes: dict[Any, int] = {}
    for order, entry in enumerate(index.images.get(stem, [])):
        _check_size(entry, info, path)
        planes[_identity(entry, "id")] = whole(entry["plane"]) if "plane" in entry else order
    own = [(plane, one) for number, plane in planes.items() for one in index.annotations.get(number, [])]
    objects = []
    for plane, one in own:
        outline = _outline(one.get("segmentation"), info, path)
        if outline is not None:
            objects.append(Drawn(plane, _category(one, index), outline, whole(one.get("category_id"))))
    if own and not objects:
        raise MaskError(
            f"the objects of {stem!r} have no outlines",
            path=path,
            allowed="'segmentation' by polygons or run lengths; boxes say nothing about pixels",
        )
    return painted(objects, info, path)


def _index(path: Path) -> _Index:
    stat = path.stat()
    return _indexed(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=1)
def _indexed(path: Path, changed: int, size: int) -> _Index:
    content = table(read_json(path))
    images: dict[str, list[dict[str, Any]]] = defaultdict(list)
    annotations: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    if isinstance(content.get("images"), list) and isinstance(content.get("annotations"), list):
        for entry in map(table, content["images"]):
            for name in _names(entry):
                images[name].append(entry)
        for one in map(table, content["annotations"]):
            annotations[_identity(one, "image_id")].append(one)
    listed = [table(one) for one in rows(content.get("categories"))]
    categories = {_identity(one, "id"): text(one.get("name")) for one in listed}
    return _Index(dict(images), dict(annotations), categories)


def _identity(entry: dict[str, Any], key: str) -> int | str:
    found = entry.get(key)
    return found if isinstance(found, int | str) else ""


def _names(entry: dict[str, Any]) -> set[str]:
    file = PureWindowsPath(text(entry.get("file_name"))).name  # splits at both kinds of slashes
    return {name for name in (text(entry.get("stem")), stem_of(file) if file else "") if name}


def _category(annotation: dict[str, Any], index: _Index) -> str:
    number = _identity(annotation, "category_id")
    return index.categories.get(number, "") or (f"category {number}" if number != "" else UNNAMED)


def _check_size(entry: dict[str, Any], info: SourceInfo, path: Path) -> None:
    size = entry.get("height"), entry.get("width")
    if None not in size and size != info.plane_shape:
        raise MaskError(
            f"it has objects of an image of {size[0]} × {size[1]} pixels, and {info.path.name} has "
            f"{info.plane_shape[0]} × {info.plane_shape[1]}",
            path=path,
            remedy="Use the images that were annotated, at their own size",
        )


def _outline(segmentation: Any, info: SourceInfo, path: Path) -> Outline | None:
    if isinstance(segmentation, dict):
        return _runs(segmentation, info, path)
    rings = [corners(_pairs(one)) for one in rows(segmentation)]
    polygons = [[ring] for ring in rings if ring is not None]
    return Polygons(polygons) if polygons else None


def _pairs(numbers: Any) -> list[Any]:
    listed = rows(numbers)
    return list(zip(listed[::2], listed[1::2], strict=False))


def _runs(segmentation: dict[str, Any], info: SourceInfo, path: Path) -> Runs:
    counts = segmentation.get("counts")
    lengths = run_lengths(counts) if isinstance(counts, str) else _whole_list(counts)
    height, width = info.plane_shape
    if segmentation.get("size") != [height, width] or lengths is None or lengths.sum() != height * width:
        raise MaskError(
            f"run lengths in it do not fit the {height} × {width} pixels of {info.path.name}",
            path=path,
            remedy="Export it again; it may be damaged, or belong to other images",
        )
    ends = np.cumsum(lengths)
    return Runs(ends[:-1:2], lengths[1::2])


def _whole_list(counts: Any) -> NDArray[np.int64] | None:
    numbers = rows(counts)
    if not all(type(n) is int and 0 <= n < 2**40 for n in numbers):
        return None
    return np.array(numbers, np.int64)


def run_lengths(packed: str) -> NDArray[np.int64] | None:
    """COCO's packed run lengths: six bits a letter from ``0``, five of them digits, one saying *more*.

    From the third on, a length is stored as its difference to the one two places before. ``None`` when the
    text is none of these.
    """
    lengths: list[int] = []
    value, shift = 0, 0
    for letter in packed:
        bits = ord(letter) - 48
        if not 0 <= bits < 64 or shift > 60:
            return None
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        value -= (1 << shift) if bits & 16 else 0
        lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
        if not 0 <= lengths[-1] < 2**40:
            return None
        value, shift = 0, 0
    return None if shift else np.array(lengths, np.int64)
