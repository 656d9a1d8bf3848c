"""Pixel sizes in mm, whatever unit a file uses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pccs.images import SourceInfo
from pccs.images.physical import length_words, pixel_mm, pixel_words


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
