"""Pixel sizes in mm, whatever unit a file uses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pccs.errors import ImageError
from pccs.images import SourceInfo
from pccs.images.physical import length_words, parse_pixel, pixel_mm, pixel_words, with_pixel


def image(spacing: tuple[float | None, float | None], unit: str) -> SourceInfo:
    return SourceInfo(Path("a.tif"), "YX", (40, 60), np.dtype(np.uint8), spacing, unit)


@pytest.mark.parametrize(
    ("unit", "mm"),
    [
        ("nm", 1e-6), ("um", 1e-3), ("µm", 1e-3), ("μm", 1e-3), ("microns", 1e-3), ("Micrometre", 1e-3),
        ("mm", 1), ("Millimeters", 1), ("cm", 10), ("m", 1000),
    ],
)  # fmt: skip
def test_every_unit_of_length_is_understood(unit: str, mm: float) -> None:
    assert pixel_mm(image((0.5, 0.25), unit)) == pytest.approx((0.5 * mm, 0.25 * mm))


@pytest.mark.parametrize("unit", ["", "pixel", "s", "units", "furlong"])
def test_what_is_no_length_is_no_size(unit: str) -> None:
    assert pixel_mm(image((1.0, 1.0), unit)) is None


@pytest.mark.parametrize(
    "sides", [(None, 1.0), (1.0, None), (float("nan"), 1.0), (float("inf"), 1.0), (1e-20, 1.0)]
)
def test_half_a_size_or_an_impossible_one_is_none(sides: tuple[float | None, float | None]) -> None:
    assert pixel_mm(image(sides, "mm")) is None


def test_lengths_are_said_in_the_unit_that_suits_them() -> None:
    assert [length_words(mm) for mm in (12.5, 0.1, 0.09, 1e-4, 9e-5)] == [
        "12.5 mm", "0.1 mm", "90 µm", "0.1 µm", "90 nm"
    ]  # fmt: skip
    assert pixel_words((0.5, 0.5)) == "0.5 mm"
    assert pixel_words((0.5, 1.5)) == "0.5 mm × 1.5 mm"


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("", None), ("  ", None), ("0.65um", (0.65e-3, 0.65e-3)), (" 650 nm ", (0.65e-3, 0.65e-3)),
        ("0.5 × 0.75 mm", (0.5, 0.75)), ("0.5x0.75mm", (0.5, 0.75)), ("0.5,0.75 mm", (0.5, 0.75)),
        ("1e-3 cm", (0.01, 0.01)), (".5 µm", (0.5e-3, 0.5e-3)),
    ],
)  # fmt: skip
def test_what_a_person_says_of_a_pixel(text: str, size: tuple[float, float] | None) -> None:
    assert parse_pixel(text) == (size if size is None else pytest.approx(size))


@pytest.mark.parametrize(
    "text", ["0.65", "um", "0 mm", "-1 mm", "1 2 mm", "1 px", "nan mm", "1e99 m", "1x2x3 mm"]
)
def test_what_is_no_pixel_is_refused(text: str) -> None:
    with pytest.raises(ImageError, match=r"is no size of a pixel; allowed: a length with its unit"):
        parse_pixel(text)


@pytest.mark.parametrize(
    ("spacing", "unit", "corrected", "named"),
    [
        ((2.0, 1.0, 1.0), "mm", (2.0, 0.5, 0.25), "mm"),
        ((2.0, 1.0, 1.0), "µm", (2.0, 500.0, 250.0), "µm"),
        ((4.0, 1.0, 1.0), "", (1.0, 0.5, 0.25), "mm"),  # the unit is the same along all axes
        ((None, None, None), "", (None, 0.5, 0.25), "mm"),
        ((4.0, None, None), "pixel", (None, 0.5, 0.25), "mm"),
    ],
)
def test_a_corrected_pixel(
    spacing: tuple[float | None, ...], unit: str, corrected: tuple[float | None, ...], named: str
) -> None:
    info = SourceInfo(Path("a.tif"), "ZYX", (4, 40, 60), np.dtype(np.uint8), spacing, unit)
    found = with_pixel(info, (0.5, 0.25))
    assert (found.spacing, found.unit) == (corrected, named)
    assert pixel_mm(found) == (0.5, 0.25)
    small = with_pixel(image((None, None), ""), (2e-4, 2e-4))
    assert (small.unit, small.spacing) == ("µm", pytest.approx((0.2, 0.2)))
