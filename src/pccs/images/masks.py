"""Masks from files, as planes in the order of the image they belong to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pccs.errors import ImageError, MaskError
from pccs.images.address import join_address, split_address
from pccs.images.find import stem_of
from pccs.images.formats import FOLDER_SUFFIXES
from pccs.images.info import SourceInfo
from pccs.images.ome_zarr import label_names, labels_of
from pccs.images.opened import CACHE, explained
from pccs.images.planes import probe, read_planes
from pccs.images.raster import decode
from pccs.images.shapes import Marks, read_coco, read_geojson, read_rois
from pccs.images.shapes.paint import UNNAMED, Key

SHAPE_SUFFIXES = (".geojson", ".json", ".zip", ".roi")
"""Endings of files that list objects."""
BOUNDARY = "boundary"
"""What the edges of objects are called."""
MOST_COLOURS = 64

_PICTURES = (".png", ".bmp", ".jpg", ".jpeg")


@dataclass(frozen=True)
class MaskFile:
    """A mask, and how it is to be understood.

    Parameters
    ----------
    path
        A file, a Zarr folder, or the address of a part (:mod:`pccs.images.address`).
    name
        The class of everything in it that is not 0; ``""`` when its values say that.
    stem
        The name of its image, by which that is found in a file of many.
    objects
        Whether each object has a number of its own, so that numbers are no classes.
    boundary
        Whether the pixels along the edge of such objects are a class of their own.
    """

    path: Path
    name: str = ""
    stem: str = ""
    objects: bool = False
    boundary: bool = False


def read_marks(mask: MaskFile, info: SourceInfo) -> Marks:
    """A mask of any kind: numbers, names or colours.

    Raises
    ------
    MaskError
        If the file cannot be read, has another shape than the image, or says nothing about pixels.
    """
    path, part = split_address(mask.path)
    name = path.name.lower()
    try:
        if name.endswith(SHAPE_SUFFIXES):
            return _shapes(path, info, mask.stem or stem_of(info.path))
        if not part and name.endswith(FOLDER_SUFFIXES) and labels_of(path):
            marks = _zarr_labels(path, info)
        else:
            marks = _coloured(_planes(mask.path, info), path)
    except ImageError as error:
        raise MaskError(error.what, path=error.path, allowed=error.allowed, remedy=error.remedy) from error
    if mask.name:
        return Marks((marks.planes != 0).astype(np.uint8), {1: mask.name})
    return _as_classes(marks.planes, boundary=mask.boundary) if mask.objects else marks


def _shapes(path: Path, info: SourceInfo, stem: str) -> Marks:
    if path.name.lower().endswith(".geojson"):
        return read_geojson(path, info)
    if path.name.lower().endswith(".json"):
        return read_coco(path, info, stem)
    return read_rois(path, info)


def _zarr_labels(folder: Path, info: SourceInfo) -> Marks:
    labels = labels_of(folder)
    if len(labels) > 1:
        raise MaskError(
            f"it holds {len(labels)} label images ({', '.join(labels[:6])})",
            path=folder,
            remedy=f"Say which one, e.g. {folder.name}:/labels/{labels[0]}",
        )
    planes = read_mask(join_address(folder, f"labels/{labels[0]}"), info)
    return Marks(planes, names=label_names(folder, labels[0]))


def _as_classes(planes: NDArray[Any], *, boundary: bool) -> Marks:
    """Objects with numbers of their own as one class, and perhaps their edges as another."""
    inside = (planes != 0).astype(np.uint8)
    if not boundary:
        return Marks(inside, {1: UNNAMED})
    for plane, own in zip(planes, inside, strict=True):
        own[_edges(plane) & (own == 1)] = 2
    return Marks(inside, {1: UNNAMED, 2: BOUNDARY})


def _edges(plane: NDArray[Any]) -> NDArray[np.bool_]:
    """Pixels of ``(H, W)`` with another value in one of the eight places around them."""
    padded = np.pad(plane, 1, mode="edge")
    height, width = plane.shape
    found = np.zeros(plane.shape, bool)
    for down in range(3):
        for right in range(3):
            found |= padded[down : down + height, right : right + width] != plane
    return found


def read_mask(path: str | Path, info: SourceInfo) -> NDArray[Any]:
    """The mask of an image as ``(N, H, W)`` integers, planes in the image's order.

    Integers, yes/no and one-bit masks are taken as they are, floats if all are whole numbers,
    palettes by index, RGB and RGBA if the colours are grey (alpha does not count).

    Raises
    ------
    MaskError
        If the file cannot be read, has another shape than the image, or is coloured.
    """
    try:
        planes = _planes(Path(path), info)
    except ImageError as error:
        raise MaskError(error.what, path=error.path, allowed=error.allowed, remedy=error.remedy) from error
    return _whole_numbers(_one_channel(planes, Path(path)), Path(path))


def _planes(path: Path, info: SourceInfo) -> NDArray[Any]:
    """``(N, H, W, channels)`` as stored."""
    place, part = split_address(path)
    picture = not part and place.name.lower().endswith(_PICTURES)
    planes = _picture(place) if picture else _stored(join_address(place, part), info)
    if planes.shape[:3] != (info.n_planes, *info.plane_shape):
        raise _misfit(place, planes.shape, info)
    return planes


def _coloured(planes: NDArray[Any], path: Path) -> Marks:
    """Grey masks by their numbers; colours by ``#rrggbb``, black as 0."""
    if planes.shape[-1] != 3 or planes.dtype != np.uint8 or _is_grey(planes):
        return Marks(_whole_numbers(_one_channel(planes, path), path))
    codes = planes.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    colours = np.unique(codes)
    if len(colours) > MOST_COLOURS:
        raise MaskError(
            f"the mask has {len(colours):,} colours, and a class has one",
            path=path,
            allowed=f"at most {MOST_COLOURS} colours, without smoothing",
            remedy="Save it as PNG, not JPEG, or as 8-bit grey with one number a class",
        )
    numbers = {int(code): k for k, code in enumerate(colours[colours != 0].tolist(), start=1)}
    values = np.array([numbers.get(int(code), 0) for code in colours], np.uint8)
    keys: dict[int, Key] = {k: f"#{code:06x}" for code, k in numbers.items()}
    return Marks(values[np.searchsorted(colours, codes)], keys)


def _is_grey(planes: NDArray[Any]) -> bool:
    return all(np.array_equal(planes[..., 0], planes[..., k]) for k in range(1, planes.shape[-1]))


def _picture(path: Path) -> NDArray[Any]:
    with CACHE.use(path), explained(path, "its pixels cannot be read"):
        pixels = decode(path, numbers=True)
    samples = pixels[..., None] if pixels.ndim == 2 else pixels
    return samples[None, ..., : samples.shape[-1] - (samples.shape[-1] in (2, 4))]


def _stored(path: Path, info: SourceInfo) -> NDArray[Any]:
    mask = probe(path)
    same_kind = path.name.endswith((".nii", ".nii.gz")) == info.path.name.endswith((".nii", ".nii.gz"))
    path = mask.path
    own_axes_fit = (mask.n_planes, mask.plane_shape) == (info.n_planes, info.plane_shape)
    if mask.shape == info.spatial_shape and (same_kind or not own_axes_fit):
        # The mask's array lies like the image's: the image's axes are the ones the user has seen.
        return read_planes(replace(mask, axes=info.spatial_axes))
    if not own_axes_fit:
        raise _misfit(path, mask.spatial_shape, info)
    return read_planes(mask)


def _misfit(path: Path, shape: tuple[int, ...], info: SourceInfo) -> MaskError:
    return MaskError(
        f"the mask of {stem_of(info.path)!r} has the shape {_text(shape)}, its image "
        f"{info.path.name} has {_text(info.spatial_shape)}",
        path=path,
        allowed="a mask of exactly the image's shape",
        remedy="Resample the mask without smoothing, or leave it out",
    )


def _text(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))


def _one_channel(planes: NDArray[Any], path: Path) -> NDArray[Any]:
    if not _is_grey(planes):
        raise MaskError(
            "the mask is coloured, and colours are not class numbers",
            path=path,
            allowed="one channel, a palette, or grey colours",
            remedy="Save it as 8-bit grey with one number a class",
        )
    return planes[..., 0]


def _whole_numbers(mask: NDArray[Any], path: Path) -> NDArray[Any]:
    if mask.dtype.kind != "f":
        return mask
    if not np.isfinite(mask).all() or not np.array_equal(mask, np.round(mask)) or np.abs(mask).max() >= 2**31:
        raise MaskError("the mask holds fractions", path=path, allowed="whole numbers, one a class")
    return mask.astype(np.int32)
