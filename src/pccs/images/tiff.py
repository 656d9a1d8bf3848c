"""TIFF through tifffile: pages, ImageJ and OME axes, spacing where the file knows it."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import tifffile
from numpy.typing import NDArray

from pccs.errors import ImageError
from pccs.images.axes import rename_axes
from pccs.images.reader import Index, check_dtype, check_memory, check_packing, native, native_dtype
from pccs.images.tiff_chain import check_chain
from pccs.images.tiff_companions import check_companions, check_pages, readable
from pccs.images.tiff_parts import has_parts, read_part

_MICRO = {"um": "µm", "micron": "µm", "microns": "µm", "micrometer": "µm", "\\u00B5m": "µm", "μm": "µm"}

_COLOUR = (tifffile.PHOTOMETRIC.RGB, tifffile.PHOTOMETRIC.YCBCR)
_ALPHA = (tifffile.EXTRASAMPLE.ASSOCALPHA, tifffile.EXTRASAMPLE.UNASSALPHA)


class TiffReader:
    """The first image series of a TIFF; thumbnails and pyramid levels after it are left out."""

    def __init__(self, path: Path) -> None:
        self._path = path
        check_chain(path)
        self._file = tifffile.TiffFile(path)
        try:
            with _complaints() as complaints:
                self._read_header(path)
            if any("invalid page offset" in text for text in complaints):
                raise _truncated(path)
        except BaseException:
            self._file.close()
            raise

    def _read_header(self, path: Path) -> None:
        check_companions(self._file, path)
        series = self._file.series[0]
        check_pages(series, path)
        check_dtype(series.dtype, path)
        _check_whole(series, path)
        self._series = series
        self.shape = tuple(map(int, series.shape))
        self.axes = rename_axes(_sample_axes(series), self.shape, path)
        self.dtype = native_dtype(series.dtype)
        steps, self.unit = _spacing(self._file)
        self.spacing: tuple[float | None, ...] = _per_axis(self.axes, steps)
        self._whole: NDArray[Any] | None = None
        self.held = 0
        self._page_shape = tuple(map(int, series.keyframe.shape))
        lead = self.shape[: len(self.shape) - len(self._page_shape)]
        paged = self.shape[len(lead) :] == self._page_shape and len(series.pages) == prod(lead)
        self._lead = lead if paged else None
        if series.dataoffset is not None and series.keyframe.is_memmappable:
            self._whole = tifffile.memmap(path, series=0, mode="r")

    def read(self, index: Index) -> NDArray[Any]:
        """The piece at ``index``: from the mapping when uncompressed, else from its pages alone."""
        wanted = prod(
            len(range(*k.indices(n))) for k, n in zip(index, self.shape, strict=True) if isinstance(k, slice)
        )
        check_memory(wanted * self.dtype.itemsize, self._path)
        if self._whole is None and self._lead is None:
            # Planes that share a page (or pages that share a plane in an odd way): decode once.
            check_memory(self._series.nbytes, self._path)
            self._whole = self._series.asarray()
            self.held = self._whole.nbytes
        if self._whole is not None:
            return native(np.array(self._whole[index]))
        return native(self._from_pages(index))

    def _from_pages(self, index: Index) -> NDArray[Any]:
        lead = self._lead or ()
        numbers = np.arange(prod(lead)).reshape(lead)[index[: len(lead)]]
        rest = index[len(lead) :]
        pages = [self._piece(int(k), rest) for k in numbers.ravel()]
        return np.stack(pages).reshape(numbers.shape + pages[0].shape)

    def _piece(self, number: int, rest: Index) -> NDArray[Any]:
        """``rest`` of a page; when that is a part of it, nothing else of it is decoded."""
        page, axes = self._series.pages[number], self.axes[-len(self._page_shape) :]
        if page is not None and axes[:2] == "YX" and all(isinstance(k, slice) for k in rest[:2]):
            bounds = [slice(*k.indices(n)[:2]) for k, n in zip(rest[:2], self._page_shape, strict=False)
                      if isinstance(k, slice)]  # fmt: skip
            if [b.stop - b.start for b in bounds] != list(self._page_shape[:2]):
                with readable(page):
                    part = read_part(page, *bounds)
                if part is not None:
                    return part[(slice(None), slice(None), *rest[2:])]
        return self._page(number)[rest]

    def _page(self, number: int) -> NDArray[Any]:
        page = self._series.pages[number]
        if page is None:  # OME allows planes nobody recorded
            return np.zeros(self._page_shape, self.dtype)
        with readable(page):
            array: NDArray[Any] = page.asarray().reshape(self._page_shape)
        return array

    def close(self) -> None:
        """Close the file."""
        self._whole = None
        self._file.close()


def _sample_axes(series: Any) -> str:
    # Several samples a pixel are colour only if the file says so; otherwise they are channels.
    key = series.keyframe
    colour = key.photometric in _COLOUR or any(kind in _ALPHA for kind in key.extrasamples)
    axes = str(series.axes)
    return axes if colour or series.kind == "shaped" or "C" in axes else axes.replace("S", "C")


def _check_whole(series: Any, path: Path) -> None:
    page = series.keyframe
    for one in (page, series.pages[len(series.pages) - 1]):
        if one is not None:
            ends = (o + n for o, n in zip(one.dataoffsets, one.databytecounts, strict=False))
            if max(ends, default=0) > one.parent.filehandle.size:
                raise _truncated(path)
    if series.dataoffset is not None and series.dataoffset + series.nbytes > path.stat().st_size:
        raise _truncated(path)
    mapped = series.dataoffset is not None and page.is_memmappable
    check_memory(0 if mapped else _at_once(page), path)
    check_packing(page.nbytes, sum(page.databytecounts), path)


def _at_once(page: Any) -> int:
    """Bytes of pixels that have to be decoded together."""
    if not has_parts(page):
        return int(page.nbytes)
    return int(prod(page.chunks)) * int(page.dtype.itemsize)


def _truncated(path: Path) -> ImageError:
    return ImageError(
        "the file ends before its image does", path=path, remedy="Copy it again; it is truncated"
    )


@contextmanager
def _complaints() -> Iterator[list[str]]:
    """What tifffile logs in this thread: of a missing page it only complains there, and goes on."""
    texts: list[str] = []
    thread = threading.get_ident()

    def keep(record: logging.LogRecord) -> bool:
        if record.thread == thread:
            texts.append(record.getMessage())
        return record.thread != thread

    logger = tifffile.logger()
    logger.addFilter(keep)
    try:
        yield texts
    finally:
        logger.removeFilter(keep)


def _per_axis(axes: str, steps: dict[str, float]) -> tuple[float | None, ...]:
    return tuple(steps.get(a) for a in axes)


def _spacing(file: tifffile.TiffFile) -> tuple[dict[str, float], str]:
    """Spacing by axis letter, and its unit. A resolution in dots an inch is a print size, not a spacing."""
    if file.is_ome and file.ome_metadata:
        return _ome_spacing(file.ome_metadata)
    if file.is_imagej and file.imagej_metadata:
        return _imagej_spacing(file)
    return _shaped_spacing(file)


def _ome_spacing(xml: str) -> tuple[dict[str, float], str]:
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError:
        return {}, ""
    pixels = next((e for e in root.iter() if e.tag.endswith("}Pixels") or e.tag == "Pixels"), None)
    if pixels is None:
        return {}, ""
    steps = {a: _number(pixels.get(f"PhysicalSize{a}")) for a in "XYZ"}
    known = {a: s for a, s in steps.items() if s > 0}
    return known, _unit(pixels.get("PhysicalSizeXUnit", "µm")) if known else ""


def _imagej_spacing(file: tifffile.TiffFile) -> tuple[dict[str, float], str]:
    meta = file.imagej_metadata or {}
    unit = _unit(str(meta.get("unit", "")))
    if not unit or unit in ("pixel", "pixels", "inch"):
        return {}, ""
    steps = {}
    for axis, name in (("X", "XResolution"), ("Y", "YResolution")):
        tag = file.pages.first.tags.get(name)
        if tag is not None and tag.value[0]:
            steps[axis] = tag.value[1] / tag.value[0]
    if meta.get("spacing"):
        steps["Z"] = _number(meta["spacing"])
    return {a: s for a, s in steps.items() if s > 0}, unit


def _shaped_spacing(file: tifffile.TiffFile) -> tuple[dict[str, float], str]:
    """Spacing from the description that :func:`pccs.images.write.write_tiff` writes."""
    try:
        meta = json.loads(file.pages.first.description)
        pairs = zip(meta["axes"], meta["pccs_spacing"], strict=True)
        return {a: float(s) for a, s in pairs if s}, str(meta["pccs_unit"])
    except (ValueError, KeyError, TypeError):
        return {}, ""


def _number(text: Any) -> float:
    """What a file says of a length; NaN, which is no length, when it says anything else."""
    try:
        return float(text)
    except (TypeError, ValueError):
        return float("nan")


def _unit(text: str) -> str:
    return _MICRO.get(text, text)
