"""OME-Zarr 0.4 and 0.5 (and plain Zarr arrays): the highest resolution, read chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from pccs.errors import ImageError
from pccs.images import zarr_chunks
from pccs.images.axes import check_axes, guess_axes
from pccs.images.chunks import ChunkedReader
from pccs.images.reader import check_dtype
from pccs.images.zarr_files import array_facts, attributes, inside, is_zarr

INSTALL = "'napari-pccs[formats]'"
_UNITS = {"micrometer": "µm", "millimeter": "mm", "nanometer": "nm", "centimeter": "cm", "meter": "m"}
_TYPES = {"time": "T", "channel": "C"}
_MOST_PARTS = 10_000


class OmeZarrReader(ChunkedReader):
    """An image of an OME-Zarr folder: axes, units and scale from its ``multiscales``.

    Parameters
    ----------
    folder
        The Zarr folder.
    part
        A group or array in it, such as ``0`` of a folder with several images, or ``labels/cells``.
    """

    def __init__(self, folder: Path, part: str = "") -> None:
        place = inside(folder, part)
        multiscale = _multiscale(place)
        if multiscale is None and not array_facts(place):
            place = _only_part(place)
            multiscale = _multiscale(place)
        array_at = inside(place, str(_highest(multiscale, folder)["path"])) if multiscale else place
        array = _opened(array_at, folder)
        super().__init__(folder, array, array.chunks)
        self.axes, self.unit, steps = _axes(multiscale, self.shape, array_at, folder)
        self.spacing: tuple[float | None, ...] = steps


def parts_of(folder: Path) -> list[str]:
    """The images of a Zarr folder that is not one itself (``bioformats2raw``, plates), in order."""
    if _multiscale(folder) is not None or array_facts(folder):
        return []
    return list(_images_below(folder, "", 3))


def labels_of(folder: Path) -> list[str]:
    """Names of the label images of a Zarr folder."""
    listed = attributes(folder / "labels").get("labels") if is_zarr(folder / "labels") else None
    return [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []


def label_names(folder: Path, label: str) -> dict[int, str]:
    """What a label image calls its values, as far as it does."""
    described = attributes(inside(folder, f"labels/{label}")).get("image-label")
    entries = described.get("properties") if isinstance(described, dict) else None
    named: dict[int, str] = {}
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and isinstance(entry.get("label-value"), int):
            name = entry.get("name", entry.get("class"))
            if isinstance(name, str) and name.strip():
                named[entry["label-value"]] = name.strip()
    return named


def _images_below(folder: Path, prefix: str, depth: int) -> Iterator[str]:
    children = [p for p in folder.iterdir() if p.is_dir() and p.name != "labels" and is_zarr(p)]
    for count, child in enumerate(sorted(children, key=lambda p: (len(p.name), p.name))):
        if count >= _MOST_PARTS:
            return
        if _multiscale(child) is not None:
            yield prefix + child.name
        elif depth > 1 and not array_facts(child):
            yield from _images_below(child, f"{prefix}{child.name}/", depth - 1)


def _only_part(folder: Path) -> Path:
    parts = parts_of(folder)
    if len(parts) == 1:
        return inside(folder, parts[0])
    if not parts:
        raise ImageError(
            "it holds no image",
            path=folder,
            allowed="OME-Zarr with 'multiscales', or a Zarr array",
            remedy="Give the folder inside it that is one",
        )
    raise ImageError(
        f"it holds {len(parts)} images ({', '.join(parts[:6])})",
        path=folder,
        remedy=f"Say which one, e.g. {folder.name}:/{parts[0]}",
    )


def _multiscale(folder: Path) -> dict[str, Any] | None:
    found = attributes(folder).get("multiscales")
    first = found[0] if isinstance(found, list) and found else None
    return first if isinstance(first, dict) else None


def _highest(multiscale: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The first dataset: the format lists them from the highest resolution down."""
    sets = multiscale.get("datasets")
    first = sets[0] if isinstance(sets, list) and sets else None
    if not isinstance(first, dict) or not isinstance(first.get("path"), str):
        raise ImageError("its 'multiscales' names no data", path=folder, remedy="Copy it again")
    return first


def _opened(place: Path, folder: Path) -> Any:
    facts = array_facts(place)
    if not facts:
        raise ImageError("its 'multiscales' names no data", path=folder, remedy="Copy it again")
    _check_numbers(str(facts.get("data_type", facts.get("dtype"))), folder)
    return zarr_chunks.opened(place, folder, facts, install=INSTALL)


def _check_numbers(dtype: str, folder: Path) -> None:
    """Before zarr is asked: an object type would be read by unpickling."""
    try:
        check_dtype(np.dtype(dtype), folder)
    except (TypeError, ValueError) as error:
        raise ImageError(
            f"its pixels are of type {dtype[:40]}",
            path=folder,
            allowed="integers, floating-point numbers, yes/no",
            remedy="Convert the file, e.g. to a TIFF of 16-bit integers",
        ) from error


def _axes(
    multiscale: dict[str, Any] | None, shape: tuple[int, ...], array_at: Path, folder: Path
) -> tuple[str, str, tuple[float | None, ...]]:
    """Letters, unit, and spacing along each axis."""
    if multiscale is None:
        names = array_facts(array_at).get("dimension_names")
        letters = "".join(str(n)[:1].upper() for n in names) if isinstance(names, list) else ""
        known = len(letters) == len(shape) and {"Y", "X"} <= set(letters) <= set("TCZYX")
        return letters if known else guess_axes(shape, folder), "", (None,) * len(shape)
    listed = multiscale.get("axes")
    entries = listed if isinstance(listed, list) else []
    axes = _letters(entries) if entries else "TCZYX"[-len(shape) :]
    check_axes(axes, shape, folder)
    units = {a: str(e.get("unit", "")) for a, e in zip(axes, entries, strict=False) if isinstance(e, dict)}
    unit = _UNITS.get(units.get("X", ""), units.get("X", ""))
    steps = _scale(multiscale, len(shape))
    said = bool(unit) or any(s != 1.0 for a, s in zip(axes, steps, strict=True) if a in "ZYX")
    return axes, unit, tuple(s if a in "ZYX" and said else None for a, s in zip(axes, steps, strict=True))


def _letters(entries: list[Any]) -> str:
    names = [(str(e.get("name", "")), str(e.get("type", ""))) if isinstance(e, dict) else (str(e), "")
             for e in entries]  # fmt: skip
    letters = [n.upper() if n.upper() in {*"TCZYX"} else _TYPES.get(kind, "?") for n, kind in names]
    free = [a for a in "XYZ" if a not in letters]
    for k in reversed(range(len(letters))):  # space axes with names of their own: the last is X
        if letters[k] == "?" and free:
            letters[k] = free.pop(0)
    return "".join(letters)


def _scale(multiscale: dict[str, Any], count: int) -> list[float]:
    """The product of the scales of the data set and of the whole."""
    steps = [1.0] * count
    sets = multiscale.get("datasets") or [{}]
    for owner in (sets[0], multiscale):
        listed = owner.get("coordinateTransformations") if isinstance(owner, dict) else None
        for entry in listed if isinstance(listed, list) else []:
            values = entry.get("scale") if isinstance(entry, dict) else None
            if isinstance(values, list) and len(values) == count and all(map(_positive, values)):
                steps = [a * float(b) for a, b in zip(steps, values, strict=True)]
    return steps


def _positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) and value > 0
