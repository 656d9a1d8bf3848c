"""ImageJ ROIs: a zip of outlines for the ROI manager, in the binary form that ImageJ documents in its source.

A ROI is a header of 64 bytes, its coordinates, a second header of 64 bytes and its name. An outline without
holes is a *traced* ROI: whole numbers relative to its upper left corner. One with holes, or of several
pieces, is a *composite*: a path of moves and lines, filled where it is crossed an odd number of times.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pccs.atomic import writing
from pccs.errors import ExportError
from pccs.export.base import file_stem
from pccs.export.outlines import Part, outlines
from pccs.export.simple import TiffWriter
from pccs.images import SourceInfo, disassemble
from pccs.labels import LabelClass
from pccs.project import Source
from pccs.tidy import connected

_VERSION = 228
_RECTANGLE, _TRACED = 1, 8
_MOVE, _LINE, _CLOSE = 0.0, 1.0, 4.0
_LARGEST = 2**15 - 1
_LONG = 2**16 - 1
"""Corners that the field of 16 bits can count; more are counted in 32 bits elsewhere."""
_HEADER = 64
_DATE = (1980, 1, 1, 0, 0, 0)
"""The same export gives the same file."""


class ImageJWriter(TiffWriter):
    """``STEM.zip`` with a ROI for each object: name, colour and slice. Float maps become TIFF.

    The group of a ROI is the number of its class, from 1; the background has none.
    """

    def __init__(self, folder: Path, classes: Sequence[LabelClass]) -> None:
        super().__init__(folder, classes)
        self._classes = classes

    def write_mask(self, source: Source, mask: NDArray[Any]) -> None:
        """Write the objects of a mask."""
        if max(source.info.plane_shape) > _LARGEST:
            raise ExportError(
                f"{source.stem!r} is too large for ROIs of ImageJ",
                allowed=f"{_LARGEST} pixels a side",
                remedy="Choose GeoJSON or TIFF",
            )
        target = self._folder / f"{file_stem(source)}.zip"
        with writing(target) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
            for count, (name, roi) in enumerate(self._rois(source.info, mask), start=1):
                archive.writestr(zipfile.ZipInfo(f"{count:06d} {_plain(name)}.roi", _DATE), roi)

    def _rois(self, info: SourceInfo, mask: NDArray[Any]) -> Iterator[tuple[str, bytes]]:
        for index, plane in enumerate(disassemble(info, mask)):
            for group, one in enumerate(self._classes[1:], start=1):
                for number, parts in outlines(connected(plane == one.export)).items():
                    name = f"{one.name} {number}"
                    yield name, roi_bytes(parts, name, one.color, _place(info, index), min(group, 255))


def roi_bytes(
    parts: Sequence[Part], name: str, color: str, place: tuple[int, int, int, int], group: int
) -> bytes:
    """One ROI.

    Parameters
    ----------
    parts
        Its pieces with their holes.
    color
        ``#rrggbb``, opaque.
    place
        Slice of a stack; channel, slice and frame of a hyperstack: all from 1, 0 where it is not meant.
    group
        0 to 255.
    """
    corners = np.concatenate([part.shell for part in parts])
    (left, top), (right, bottom) = corners.min(0).tolist(), corners.max(0).tolist()
    simple = len(parts) == 1 and not parts[0].holes
    body = _traced(corners, left, top) if simple else _path(parts)
    count, long = (len(corners), 0) if len(corners) <= _LONG else (0, len(corners))
    head = bytearray(_HEADER)
    struct.pack_into(
        ">4sHBx4h", head, 0, b"Iout", _VERSION, _TRACED if simple else _RECTANGLE, top, left, bottom, right
    )
    if simple:
        struct.pack_into(">Hi", head, 16, count, long)
    else:
        struct.pack_into(">i", head, 36, len(body) // 4)
    struct.pack_into(">I", head, 40, 0xFF000000 | int(color[1:], 16))
    struct.pack_into(">ii", head, 56, place[0], _HEADER + len(body))
    return bytes(head) + body + _second(name, place, group, 2 * _HEADER + len(body))


def _second(name: str, place: tuple[int, int, int, int], group: int, name_at: int) -> bytes:
    letters = name.encode("utf-16-be")
    second = bytearray(_HEADER)
    struct.pack_into(">5i", second, 4, *place[1:], name_at, len(letters) // 2)
    struct.pack_into(">B", second, 30, group)
    return bytes(second) + letters


def _traced(corners: NDArray[Any], left: int, top: int) -> bytes:
    return (corners - [left, top]).T.astype(">i2").tobytes()


def _path(parts: Sequence[Part]) -> bytes:
    steps: list[float] = []
    for ring in (ring for part in parts for ring in (part.shell, *part.holes)):
        for kind, (x, y) in zip([_MOVE, *[_LINE] * (len(ring) - 1)], ring.tolist(), strict=True):
            steps += (kind, x, y)
        steps.append(_CLOSE)
    return np.array(steps, ">f4").tobytes()


def _place(info: SourceInfo, index: int) -> tuple[int, int, int, int]:
    if not info.is_stack:
        return 0, 0, 0, 0
    if len(info.stack_axes) == 1:
        return index + 1, 0, 0, 0
    frame, level = (int(k) + 1 for k in np.unravel_index(index, info.stack_shape))
    return 0, 1, level, frame


def _plain(name: str) -> str:
    """A name that any program can make a file of."""
    return "".join(c if c.isalnum() or c in " -_.()" else "_" for c in name)
