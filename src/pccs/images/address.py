"""Where an image is: a file or folder, and perhaps which of several images in it: ``scan.h5:/raw``.

An address is written as one path, so that it can be typed, dropped and listed like any other.
"""

from __future__ import annotations

import re
from pathlib import Path

_MARK = re.compile(r"(?P<place>.{2,}):[\\/](?P<part>.+)")
"""Of the place two characters at least: ``C:/`` is a drive."""


def split_address(address: str | Path) -> tuple[Path, str]:
    """The file or folder, made absolute, and the part of it; ``""`` when all of it is one image.

    >>> split_address("/scans/a.h5:/volumes/raw")[1]
    'volumes/raw'
    >>> split_address("/scans/a.tif")[1]
    ''
    """
    path = Path(address)
    match = _MARK.fullmatch(str(path))
    if match is None or _exists(path):
        return path.absolute(), ""
    return Path(match["place"]).absolute(), match["part"].replace("\\", "/").strip("/")


def join_address(path: Path, part: str) -> Path:
    """The inverse of :func:`split_address`."""
    return Path(f"{path}:/{part}") if part else path


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long for a file, say
        return False
