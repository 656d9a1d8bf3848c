"""Frames of DICOM files as one array, each decoded when it is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pccs.errors import ImageError
from pccs.images.dicom.arrange import arrange
from pccs.images.dicom.codecs import add_codecs
from pccs.images.dicom.find import volumes
from pccs.images.dicom.headers import INSTALL, Frame, Header, library, read_header
from pccs.images.optional import optional
from pccs.images.reader import Index, check_memory, native

_PALETTE = "PALETTE COLOR"
_DECODERS = "pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg"


class _Frames:
    """What files and series share: ``axes`` of time and slices, then ``YX``, then ``S`` of colours."""

    held = 0

    def __init__(self, place: Path, headers: Sequence[Header], frames: Sequence[Frame]) -> None:
        first = headers[0]
        self._path, self._header, self._frames = place, first, frames
        _check_syntax(first, place)
        colour = first.samples > 1 or first.colours == _PALETTE
        samples = (max(first.samples, 3),) if colour else ()
        self.dtype = _palette_dtype(first) if first.colours == _PALETTE else _dtype(headers, frames)
        lead = arrange(frames, timed=first.timed) if len(frames) > 1 else None
        self._order = lead.order if lead else np.zeros((), np.int64)
        self.axes = (lead.axes if lead else "") + "YX" + "S" * colour
        self.shape: tuple[int, ...] = (*self._order.shape, *first.shape, *samples)
        steps: dict[str, float | None] = {"Z": (lead.step if lead else None) or first.depth}
        if first.spacing is not None:
            steps |= {"Y": first.spacing[0], "X": first.spacing[1]}
        self.spacing: tuple[float | None, ...] = tuple(steps.get(axis) for axis in self.axes)
        self.unit = "mm" if first.spacing is not None else ""

    def read(self, index: Index) -> NDArray[Any]:
        """The piece at ``index``: its frames alone are decoded."""
        lead = self._order.ndim
        numbers = self._order[index[:lead]]
        frame_bytes = int(np.prod(self.shape[lead:])) * max(self.dtype.itemsize, 4)
        check_memory(max(numbers.size, 1) * frame_bytes, self._path)
        frames = [self._decoded(self._frames[int(k)])[index[lead:]] for k in numbers.ravel()]
        return np.stack(frames).reshape(numbers.shape + frames[0].shape)

    def _decoded(self, frame: Frame) -> NDArray[Any]:
        pixels = _pixels(frame, self._header)
        expected = self.shape[self._order.ndim :]
        if pixels.shape != expected:
            raise ImageError(f"it has the shape {pixels.shape}, and its series {expected}", path=frame.path)
        if self.dtype.kind == "f":
            scaled = pixels * np.float64(frame.slope) + frame.intercept
            return scaled.astype(self.dtype)
        if (frame.slope, frame.intercept) == (1.0, 0.0) or self._header.samples > 1:
            return pixels.astype(self.dtype, copy=False)
        whole = pixels.astype(np.int64) * int(frame.slope) + int(frame.intercept)
        return whole.astype(self.dtype)

    def in_order(self) -> list[Frame]:
        """The frames as the array has them."""
        return [self._frames[int(k)] for k in self._order.ravel()]

    def close(self) -> None:
        """Nothing is kept open."""


class DicomFileReader(_Frames):
    """One file of one or many frames. Modality values: *rescale slope* and *intercept* are applied.

    Parameters
    ----------
    path
        The file.
    """

    def __init__(self, path: Path) -> None:
        header = read_header(path)
        if header is None:
            raise ImageError("it is DICOM and holds no image", path=path, remedy="Leave it out")
        super().__init__(path, [header], header.frames)


class DicomSeriesReader(_Frames):
    """The files of one series in a folder, as a volume.

    Parameters
    ----------
    folder
        Where they lie.
    part
        The number or UID of the series; ``""`` when it is the only volume.
    """

    def __init__(self, folder: Path, part: str = "") -> None:
        found, _ = volumes(folder)
        if part and part not in found:
            own = [headers for headers in found.values() if headers[0].series == part]
            found = {part: own[0]} if own else {}
        if not found:
            raise ImageError(
                f"there is no series {part!r} in it" if part else "there is no series of DICOM slices in it",
                path=folder,
                remedy="Check that all its files are where they were",
            )
        if not part and len(found) > 1:
            raise ImageError(
                f"it holds {len(found)} series ({', '.join(list(found)[:6])})",
                path=folder,
                remedy=f"Say which one, e.g. {folder.name}:/{next(iter(found))}",
            )
        headers = found[part or next(iter(found))]
        super().__init__(folder, headers, [frame for one in headers for frame in one.frames])


def frames_of(path: Path, part: str = "") -> list[Frame]:
    """The frames of a file, or of a series in a folder, in the order that the image's planes have.

    Raises
    ------
    ImageError
        If it is not, or no longer, such an image.
    """
    reader = DicomSeriesReader(path, part) if path.is_dir() else DicomFileReader(path)
    return reader.in_order()


def _pixels(frame: Frame, header: Header) -> NDArray[Any]:
    decoding = _decoding(frame.path)
    if header.colours == _PALETTE:
        data = library(frame.path).dcmread(frame.path)
        pixels = decoding.pixel_array(data, index=frame.index)
        return native(np.asarray(decoding.apply_color_lut(pixels, data)))
    return native(np.asarray(decoding.pixel_array(frame.path, index=frame.index)))


def _decoding(path: Path) -> Any:
    return optional("pydicom.pixels", "DICOM", path, install=INSTALL)


def _check_syntax(header: Header, path: Path) -> None:
    """Say which package is missing now, and not at the first plane."""
    uid = library(path).uid.UID(header.syntax)
    if not uid or not uid.is_compressed or uid.is_deflated:
        return
    add_codecs(_decoding(path))
    try:
        available = _decoding(path).get_decoder(uid).is_available
    except NotImplementedError:
        available = False
    if not available:
        raise ImageError(
            f"its pixels are packed as {uid.name!r}, which needs another package",
            path=path,
            remedy=f"Run: pip install {_DECODERS}; a video can be converted by the viewer it comes from",
        )


def _dtype(headers: Sequence[Header], frames: Sequence[Frame]) -> np.dtype[Any]:
    """The stored type where nothing is rescaled, the smallest signed one for whole numbers, else float32."""
    stored = headers[0].stored
    if stored.kind == "f":
        return np.dtype(np.float32)
    if headers[0].samples > 1 or all((f.slope, f.intercept) == (1.0, 0.0) for f in frames):
        return np.result_type(*{one.stored for one in headers})
    if not all(f.slope.is_integer() and f.intercept.is_integer() for f in frames):
        return np.dtype(np.float32)
    ends = [_ends(one) for one in headers]
    low, high = min(e[0] for e in ends), max(e[1] for e in ends)
    values = [f.slope * end + f.intercept for f in frames for end in (low, high)]
    small = min(values) >= -(2**15) and max(values) < 2**15
    return np.dtype(np.int16 if small else np.int32 if max(map(abs, values)) < 2**31 else np.float32)


def _ends(header: Header) -> tuple[int, int]:
    """Lowest and highest value that the stored bits can hold."""
    if header.stored.kind == "i":
        return -(2 ** (header.bits - 1)), 2 ** (header.bits - 1) - 1
    return 0, 2**header.bits - 1


def _palette_dtype(header: Header) -> np.dtype[Any]:
    data = library(header.path).dcmread(header.path, stop_before_pixels=True)
    return np.dtype(np.uint8 if int(data.RedPaletteColorLookupTableDescriptor[2]) == 8 else np.uint16)
