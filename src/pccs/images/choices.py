"""What a person says of channels and values, as text."""

from __future__ import annotations

from math import inf

from pccs.errors import ImageError


def parse_channels(text: str) -> tuple[int, ...]:
    """Channels with commas between, counted from 0; none for empty text, which means all.

    >>> parse_channels("2, 0")
    (2, 0)

    Raises
    ------
    ImageError
        If it is something else.
    """
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    if not all(part.isdecimal() and len(part) < 6 for part in parts):
        raise ImageError(
            f"{text!r} is no list of channels", allowed="numbers from 0 with commas between: 0,2"
        )
    return tuple(map(int, parts))


def parse_window(text: str) -> tuple[float, float] | None:
    """``CENTER,WIDTH`` or ``LOW:HIGH`` as the lowest and highest value; ``None`` for empty text.

    >>> parse_window("40,400"), parse_window("-160:240")
    ((-160.0, 240.0), (-160.0, 240.0))

    Raises
    ------
    ImageError
        If it is something else, or no value lies between.
    """
    if not text.strip():
        return None
    middle = "," in text
    try:
        first, second = (float(part) for part in text.split("," if middle else ":"))
    except ValueError:
        first, second = inf, -inf
    low, high = (first - second / 2, first + second / 2) if middle else (first, second)
    if not -inf < low < high < inf:
        raise ImageError(
            f"{text!r} is no window of values", allowed="CENTER,WIDTH or LOW:HIGH, such as 40,400"
        )
    return low, high
