"""Pixel sizes of images in one unit, so that they can be compared."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TypeAlias

from pccs.errors import ImageError
from pccs.images.info import SourceInfo

PixelSize: TypeAlias = tuple[float, float]
"""Height and width of a pixel, in mm."""

_UNITS = {
    "nm": 1e-6,
    "nanometer": 1e-6,
    "um": 1e-3,
    "\u00b5m": 1e-3,
    "\u03bcm": 1e-3,
    "micron": 1e-3,
    "micrometer": 1e-3,
    "mm": 1.0,
    "millimeter": 1.0,
    "cm": 10.0,
    "centimeter": 10.0,
    "m": 1000.0,
    "meter": 1000.0,
}
"""Millimetres of the units of length that files use; anything else is no physical size."""
_POSSIBLE = (1e-12, 1e9)
"""Sides of a pixel, in mm: from far below an atom to a thousand kilometres."""
_NUMBER = r"\d*\.?\d+(?:e[+-]?\d+)?"
_SIZE = re.compile(rf"\s*(?P<high>{_NUMBER})(?:\s*[,x×]\s*(?P<wide>{_NUMBER}))?\s*(?P<unit>[^\W\d]+)\s*")


def pixel_mm(info: SourceInfo) -> PixelSize | None:
    """Height and width of a pixel in mm; ``None`` when the image does not say both as a length."""
    factor = _unit_mm(info.unit)
    high, wide = info.step("Y"), info.step("X")
    if factor is None or high is None or wide is None:
        return None
    size = high * factor, wide * factor
    return size if _possible(size) else None


def with_pixel(info: SourceInfo, size: PixelSize) -> SourceInfo:
    """``info`` with pixels of that height and width in mm, whatever its file says.

    Distances of slices stay; where their unit was not known they grow as the width does.
    """
    factor, unit = _unit_mm(info.unit), info.unit
    wide = info.step("X")
    others = 1.0 if factor is not None else None if wide is None else size[1] / wide
    if factor is None:
        factor, unit = (1.0, "mm") if min(size) >= 0.1 else (1e-3, "µm")
        others = None if others is None else others / factor
    steps = {"Y": size[0] / factor, "X": size[1] / factor}
    spacing = tuple(
        steps.get(axis, step if step is None or axis != "Z" else others and step * others)
        for axis, step in zip(info.axes, info.spacing, strict=True)
    )
    return replace(info, spacing=spacing, unit=unit)


def parse_pixel(text: str) -> PixelSize | None:
    """A pixel's size with its unit, as mm; ``None`` for empty text.

    >>> parse_pixel("0.5 mm"), parse_pixel("650 x 700nm")
    ((0.5, 0.5), (0.00065, 0.0007))

    Raises
    ------
    ImageError
        If it is something else.
    """
    if not text.strip():
        return None
    match = _SIZE.fullmatch(text)
    factor = None if match is None else _unit_mm(match["unit"])
    if match is not None and factor is not None:
        high = float(match["high"])
        size = high * factor, float(match["wide"] or high) * factor
        if _possible(size):
            return size
    raise ImageError(
        f"{text!r} is no size of a pixel",
        allowed="a length with its unit, or height × width: 0.65 um, 0.5 × 0.75 mm",
    )


def _unit_mm(unit: str) -> float | None:
    plain = unit.strip()
    return _UNITS.get(plain) or _UNITS.get(plain.lower().removesuffix("s").replace("metre", "meter"))


def _possible(size: PixelSize) -> bool:
    return all(_POSSIBLE[0] <= side <= _POSSIBLE[1] for side in size)


def length_words(mm: float) -> str:
    """A length in the unit that suits it.

    >>> length_words(0.75), length_words(0.0005), length_words(5e-6)
    ('0.75 mm', '0.5 µm', '5 nm')
    """
    for unit, size in (("mm", 1.0), ("µm", 1e-3)):
        if mm >= 0.1 * size:
            return f"{mm / size:.3g} {unit}"
    return f"{mm * 1e6:.3g} nm"


def pixel_words(size: PixelSize) -> str:
    """A pixel's size: one length, or height × width where they differ by more than a hundredth."""
    high, wide = size
    if abs(high / wide - 1) <= 0.01:
        return length_words((high * wide) ** 0.5)
    return f"{length_words(high)} × {length_words(wide)}"
