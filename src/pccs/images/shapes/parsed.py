"""JSON files of others: read once, and taken apart without trusting their form."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from pccs.errors import MaskError
from pccs.images.reader import check_memory

_SWELLS = 12
"""Bytes of memory that a byte of JSON takes at most, about."""


def read_json(path: Path) -> Any:
    """The content of a JSON file; that of the last one is kept, for it may hold the masks of all images.

    Raises
    ------
    MaskError
        If it is no JSON.
    ImageError
        If it is larger than this machine's memory allows.
    """
    stat = path.stat()
    check_memory(stat.st_size * _SWELLS, path)
    return _parsed(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=1)
def _parsed(path: Path, changed: int, size: int) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise MaskError("it is no JSON", path=path, remedy="Export it again; it may be damaged") from error


def table(value: Any) -> dict[str, Any]:
    """``value`` if it is an object of JSON, else an empty one."""
    return value if isinstance(value, dict) else {}


def rows(value: Any) -> list[Any]:
    """``value`` if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def whole(value: Any) -> int:
    """``value`` if it is a whole number from 0 that 32 bits hold, else 0."""
    return value if type(value) is int and 0 <= value < 2**32 else 0


def text(value: Any) -> str:
    """``value`` without spaces around it if it is text, else ``""``."""
    return value.strip() if isinstance(value, str) else ""
