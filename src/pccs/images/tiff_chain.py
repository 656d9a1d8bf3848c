"""The chain of pages in a TIFF, walked before tifffile does: one that leads back has no end for it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from pccs.errors import ImageError

_BIG = 43
_MOST_TAGS = 4096
"""Of a page; beyond it tifffile takes the chain for broken, too."""
_MOST_PAGES = 1_000_000


def check_chain(path: Path) -> None:
    """Refuse a file whose pages lead back to earlier ones; what else is damaged is for tifffile to say.

    Raises
    ------
    ImageError
        If they do, or are more than a million.
    """
    seen: set[int] = set()
    with path.open("rb") as file:
        for offset in _offsets(file):
            if offset in seen:
                raise ImageError(
                    f"its pages lead back to an earlier one after {len(seen):,}",
                    path=path,
                    remedy="Copy or convert it again; it is damaged",
                )
            seen.add(offset)
            if len(seen) > _MOST_PAGES:
                raise ImageError(
                    "it has too many pages",
                    path=path,
                    allowed=f"{_MOST_PAGES:,}",
                    remedy="Divide it, or convert it to OME-Zarr",
                )


def _offsets(file: BinaryIO) -> Iterator[int]:
    """Where the pages begin, as each says of the next."""
    head = file.read(16)
    order = {b"II": "<", b"EP": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 8:
        return
    big = struct.unpack(f"{order}H", head[2:4])[0] == _BIG
    number, place, tag = (f"{order}Q", f"{order}Q", 20) if big else (f"{order}H", f"{order}I", 12)
    width = struct.calcsize(place)
    following = head[8:16] if big else head[4:8]
    while len(following) == width and (offset := struct.unpack(place, following)[0]):
        yield offset
        file.seek(offset)
        counted = file.read(struct.calcsize(number))
        if len(counted) < struct.calcsize(number) or (tags := struct.unpack(number, counted)[0]) > _MOST_TAGS:
            return
        file.seek(tags * tag, 1)
        following = file.read(width)
