"""Where a part of an image is cut out, so that what surrounds it is seen too."""

from __future__ import annotations

import math
from typing import NamedTuple

SURROUNDINGS = 64
"""Pixels of working scale that are looked at beyond a part of an image, so that its edge is no edge."""


class Span(NamedTuple):
    """One side of a part: where it is cut out, how long that is in pixels, and what of it is asked for."""

    cut: slice
    length: int
    inner: slice


def span(start: int, end: int, full: int, small: int) -> Span:
    """The side ``[start, end)`` of ``full`` pixels, which are ``small`` ones at the working scale."""
    factor = small / full
    first = max(0, int(start * factor) - SURROUNDINGS)
    last = min(small, math.ceil(end * factor) + SURROUNDINGS)
    origin = round(first / factor)
    return Span(slice(first, last), round(last / factor) - origin, slice(start - origin, end - origin))
