"""PNG, JPEG and BMP: one 2D picture, decoded at once when its pixels are first asked for."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pccs.errors import ImageError
from pccs.images.reader import Index, check_dtype, check_memory, check_packing, native, native_dtype

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_SAMPLES = {0: 1, 2: 3, 4: 2, 6: 4}
"""Samples a pixel by PNG colour type; type 3, a palette, never has 16 bits."""


class RasterReader:
    """A picture as ``YX`` or ``YXS``; one bit becomes 0/255, a palette becomes colour.

    The pixels are taken as they are stored: an orientation noted in EXIF is not applied, so that a
    mask drawn by any other program stays on its image.
    """

    unit = ""
    held = 0

    def __init__(self, path: Path) -> None:
        self._path = path
        with _opened(path) as picture:
            self._array: NDArray[Any] | None = None
            samples, self.dtype = _sixteen_bits(path) or _layout(picture)
            check_dtype(self.dtype, path)
            self.shape: tuple[int, ...] = (picture.height, picture.width, samples)[: 2 + (samples > 1)]
            claimed = picture.height * picture.width * samples * self.dtype.itemsize
            check_memory(claimed, path)
            check_packing(claimed, path.stat().st_size, path)
        _check_whole(path)
        self.axes = "YXS"[: len(self.shape)]
        self.spacing: tuple[float | None, ...] = (None,) * len(self.shape)

    def read(self, index: Index) -> NDArray[Any]:
        """A copy of the piece at ``index``."""
        if self._array is None:
            self._array = decode(self._path)
            self.held = self._array.nbytes
        return np.array(self._array[index])

    def close(self) -> None:
        """Let go of the pixels."""
        self._array = None


def decode(path: Path, *, numbers: bool = False) -> NDArray[Any]:
    """Pixels of a picture, ``(H, W)`` or ``(H, W, S)``.

    With ``numbers`` the picture is a mask: palette indices instead of colours, 0/1 instead of 0/255.
    """
    if _sixteen_bits(path):
        # Pillow would cut 16-bit colour to 8 bits.
        array: NDArray[Any] = imagecodecs.png_decode(path.read_bytes())
        return native(array[..., 0] if array.ndim == 3 and array.shape[-1] == 1 else array)
    with _opened(path) as picture:
        keep = numbers and picture.mode in ("P", "1")
        return native(np.array(picture if keep else _as_picture(picture)))


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    with warnings.catch_warnings():
        # Pillow warns of large pictures (we check the size ourselves), odd metadata and palettes.
        warnings.simplefilter("ignore")
        try:
            with Image.open(path) as picture:
                yield picture
        except Image.DecompressionBombError as error:
            raise ImageError(
                "the picture claims more pixels than can be decoded at once",
                path=path,
                allowed=f"up to {(Image.MAX_IMAGE_PIXELS or 0) // 500_000} million pixels in such a file",
                remedy="Check that the file is intact, or convert it to TIFF",
            ) from error


def _sixteen_bits(path: Path) -> tuple[int, np.dtype[Any]] | None:
    with path.open("rb") as file:
        head = file.read(26)
    if len(head) < 26 or head[:8] != _PNG_SIGNATURE or head[24] != 16:
        return None
    return _PNG_SAMPLES[head[25]], np.dtype(np.uint16)


def _layout(picture: Image.Image) -> tuple[int, np.dtype[Any]]:
    tiny = np.array(_as_picture(Image.new(picture.mode, (1, 1))))
    return (1 if tiny.ndim == 2 else tiny.shape[-1]), native_dtype(tiny.dtype)


def _check_whole(path: Path) -> None:
    """Go from chunk to chunk of a PNG. One that is longer than the rest of the file would be asked for all
    the same, up to 2 GiB at once."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(8) != _PNG_SIGNATURE:
            return
        kind = b""
        while kind != b"IEND":
            head = file.read(8)
            length, kind = int.from_bytes(head[:4], "big"), head[4:]
            if len(head) < 8 or file.tell() + length > size:
                raise ImageError(
                    "the file ends before its image does", path=path, remedy="Copy it again; it is truncated"
                )
            file.seek(length + 4, 1)


def _as_picture(picture: Image.Image) -> Image.Image:
    if picture.mode == "1":
        return picture.convert("L")
    if picture.mode in ("P", "PA", "CMYK", "YCbCr", "LAB", "HSV", "RGBX"):
        return picture.convert("RGB")
    return picture
