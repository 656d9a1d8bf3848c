"""Masks from files, as planes in the order of the image they belong to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pccs.errors import ImageError, MaskError
from pccs.images.find import stem_of
from pccs.images.info import SourceInfo
from pccs.images.opened import CACHE, explained
from pccs.images.planes import probe, read_planes
from pccs.images.raster import decode

_PICTURES = (".png", ".bmp", ".jpg", ".jpeg")


def read_mask(path: str | Path, info: SourceInfo) -> NDArray[Any]:
    """The mask of an image as ``(N, H, W)`` integers, planes in the image's order.

    Integers, yes/no and one-bit masks are taken as they are, floats if all are whole numbers,
    palettes by index, RGB and RGBA if the colours are grey (alpha does not count).

    Raises
    ------
    MaskError
        If the file cannot be read, has another shape than the image, or is coloured.
    """
    path = Path(path).absolute()
    try:
        planes = _picture(path) if path.name.lower().endswith(_PICTURES) else _stored(path, info)
    except ImageError as error:
        raise MaskError(error.what, path=error.path, allowed=error.allowed, remedy=error.remedy) from error
    if planes.shape[:3] != (info.n_planes, *info.plane_shape):
        raise _misfit(path, planes.shape, info)
    return _whole_numbers(_one_channel(planes, path), path)


def _picture(path: Path) -> NDArray[Any]:
    with CACHE.use(path), explained(path, "its pixels cannot be read"):
        pixels = decode(path, numbers=True)
    samples = pixels[..., None] if pixels.ndim == 2 else pixels
    return samples[None, ..., : samples.shape[-1] - (samples.shape[-1] in (2, 4))]


def _stored(path: Path, info: SourceInfo) -> NDArray[Any]:
    mask = probe(path)
    same_kind = path.name.endswith((".nii", ".nii.gz")) == info.path.name.endswith((".nii", ".nii.gz"))
    own_axes_fit = (mask.n_planes, mask.plane_shape) == (info.n_planes, info.plane_shape)
    if mask.shape == info.spatial_shape and (same_kind or not own_axes_fit):
        # The mask's array lies like the image's: the image's axes are the ones the user has seen.
        relabelled = SourceInfo(path, info.spatial_axes, mask.shape, mask.dtype, mask.spacing, mask.unit)
        return read_planes(relabelled)
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
    first = planes[..., 0]
    if not all(np.array_equal(first, planes[..., k]) for k in range(1, planes.shape[-1])):
        raise MaskError(
            "the mask is coloured, and colours are not class numbers",
            path=path,
            allowed="one channel, a palette, or grey colours",
            remedy="Save it as 8-bit grey with one number a class",
        )
    return first


def _whole_numbers(mask: NDArray[Any], path: Path) -> NDArray[Any]:
    if mask.dtype.kind != "f":
        return mask
    if not np.isfinite(mask).all() or not np.array_equal(mask, np.round(mask)) or np.abs(mask).max() >= 2**31:
        raise MaskError("the mask holds fractions", path=path, allowed="whole numbers, one a class")
    return mask.astype(np.int32)
