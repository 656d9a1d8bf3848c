"""Parts of a TIFF page: only the tiles or strips that they touch are read and decoded."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_TOGETHER = 1
"""Samples of a pixel lie side by side."""


def has_parts(page: Any) -> bool:
    """Whether a page is stored so that parts of it can be read."""
    key = page.keyframe
    return bool(
        key.planarconfig == _TOGETHER and key.imagedepth == 1 and not key.is_subsampled and key.chunks
    )


def read_part(page: Any, rows: slice, cols: slice) -> NDArray[Any] | None:
    """Rows and columns of a page, ``(h, w)`` or ``(h, w, samples)``.

    Parameters
    ----------
    page
        Of tifffile.
    rows, cols
        With both ends, inside the page.

    Returns
    -------
    None where the page is stored in a way that has no such parts.
    """
    if not has_parts(page):
        return None
    key = page.keyframe
    high = key.tilelength if key.is_tiled else key.rowsperstrip
    wide = key.tilewidth if key.is_tiled else key.imagewidth
    across = -(-key.imagewidth // wide)
    out = np.zeros((rows.stop - rows.start, cols.stop - cols.start, key.samplesperpixel), key.dtype)
    for down in range(rows.start // high, -(-rows.stop // high)):
        for right in range(cols.start // wide, -(-cols.stop // wide)):
            segment = _decoded(page, down * across + right)
            if segment is not None:
                _paste(out, segment, down * high - rows.start, right * wide - cols.start)
    return out if len(key.shape) == 3 else out[..., 0]


def _decoded(page: Any, number: int) -> NDArray[Any] | None:
    """A tile or strip ``(h, w, samples)`` without what sticks out of the page; ``None`` when it is empty."""
    file, count = page.parent.filehandle, page.databytecounts[number]
    if not count:
        return None
    file.seek(page.dataoffsets[number])
    tables = {"jpegtables": page.jpegtables, "jpegheader": page.keyframe.jpegheader}
    data, _, shape = page.keyframe.decode(file.read(count), number, **tables)
    return None if data is None else np.asarray(data)[0, : shape[1], : shape[2]]


def _paste(out: NDArray[Any], segment: NDArray[Any], top: int, left: int) -> None:
    first, before = max(top, 0), max(left, 0)
    piece = segment[first - top : out.shape[0] - top, before - left : out.shape[1] - left]
    out[first : first + piece.shape[0], before : before + piece.shape[1]] = piece
