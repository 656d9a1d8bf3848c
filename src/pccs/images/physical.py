"""Pixel sizes of images in one unit, so that they can be compared."""

from __future__ import annotations

from typing import TypeAlias

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


def pixel_mm(info: SourceInfo) -> PixelSize | None:
    """Height and width of a pixel in mm; ``None`` when the image does not say both as a length."""
    unit = info.unit.strip()
    factor = _UNITS.get(unit) or _UNITS.get(unit.lower().removesuffix("s").replace("metre", "meter"))
    high, wide = info.step("Y"), info.step("X")
    if factor is None or high is None or wide is None:
        return None
    size = high * factor, wide * factor
    return size if all(_POSSIBLE[0] <= side <= _POSSIBLE[1] for side in size) else None


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
