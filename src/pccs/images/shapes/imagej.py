"""ImageJ ROIs: a ``.zip`` of the ROI manager, or one ``.roi``."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pccs.errors import MaskError
from pccs.images.info import SourceInfo
from pccs.images.opened import explained
from pccs.images.optional import optional
from pccs.images.shapes.paint import UNNAMED, Drawn, Marks, Polygons, corners, painted

INSTALL = "'napari-pccs[formats]'"
_AREAS = {"POLYGON", "RECT", "OVAL", "FREEHAND", "TRACED"}
_LARGEST, _MOST = 2**26, 2**20
"""Bytes of a ROI, and ROIs in a file, at most."""
_NUMBERED = re.compile(r"(.+?)[ _-]\d+")


def read_rois(path: Path, info: SourceInfo) -> Marks:
    """The areas of a file as a mask; points, lines and angles are left out.

    An object is of the class that its name begins with (``nucleus 12``); of its group where ImageJ gave it
    a name of numbers; else it is an *object*. In a stack it lies in the slice it was drawn in.

    Raises
    ------
    MaskError
        If the file is damaged, or an object lies in a plane that the image does not have.
    """
    roifile = optional("roifile", "ImageJ's ROI", path, install=INSTALL)
    with explained(path, "it cannot be read as ImageJ ROIs"):
        objects = [drawn for roi in _rois(path, roifile) if (drawn := _drawn(roi, info)) is not None]
    return painted(objects, info, path)


def _rois(path: Path, roifile: Any) -> Iterator[Any]:
    for content in _contents(path):
        yield roifile.ImagejRoi.frombytes(content)


def _contents(path: Path) -> Iterator[bytes]:
    if path.suffix.lower() == ".roi":
        yield path.read_bytes()
        return
    with zipfile.ZipFile(path) as archive:
        members = [one for one in archive.infolist() if one.filename.lower().endswith(".roi")]
        if len(members) > _MOST or any(one.file_size > _LARGEST for one in members):
            raise MaskError("it claims more ROIs than any file has", path=path, remedy="Save them again")
        if not members and archive.namelist():  # an empty one says that there are no objects
            raise MaskError("it holds no ROI", path=path, remedy="Save them from ImageJ's ROI manager")
        for one in members:
            yield archive.read(one)


def _drawn(roi: Any, info: SourceInfo) -> Drawn | None:
    if roi.roitype.name not in _AREAS:
        return None
    rings = [ring for ring in map(corners, roi.coordinates(multi=True)) if ring is not None]
    return Drawn(_plane(roi, info), _name(roi), Polygons([rings])) if rings else None


def _name(roi: Any) -> str:
    name = str(roi.name or "").strip()
    match = _NUMBERED.fullmatch(name)
    if match and not re.fullmatch(r"[\d_-]+", name):
        return match[1].strip()
    if re.search(r"[^\W\d_]", name):
        return name
    return f"group {roi.group}" if roi.group else UNNAMED


def _plane(roi: Any, info: SourceInfo) -> int:
    """Slices are counted from 1, and 0 means *none*."""
    if not info.is_stack:
        return 0
    z, t = roi.z_position or 0, roi.t_position or 0
    if len(info.stack_axes) == 1:
        single = (t if info.stack_axes == "T" else z) or max(z, t) or roi.position or 1
        return int(single) - 1
    if not (z or t):
        return max(int(roi.position) - 1, 0)
    numbers = [max({"Z": z, "T": t}[axis] - 1, 0) for axis in info.stack_axes]
    if any(n >= size for n, size in zip(numbers, info.stack_shape, strict=True)):
        return info.n_planes
    return int(np.ravel_multi_index(numbers, info.stack_shape))
