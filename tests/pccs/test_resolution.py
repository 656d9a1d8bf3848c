"""One size in mm for all images: the arithmetic of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pccs.errors import ModelError
from pccs.labels import default_classes
from pccs.nets import ModelFacts
from pccs.nets.model_file import weights_digest
from pccs.nets.resolution import Resolution

FACTS = ModelFacts(default_classes(), 1, 0.5, (4, 4, 8, 8, 8), 8)
SCALES, SIDES = st.floats(0.05, 4), st.integers(1, 3000)
MM = st.floats(1e-6, 1e3)


def test_an_object_has_one_size_in_working_pixels() -> None:
    seen = Resolution(0.5, (1.0, 1.0))
    assert seen.working_mm == (2.0, 2.0)
    assert seen.size((100, 80), (1.0, 1.0)) == (50, 40)  # 100 mm × 80 mm in each of them
    assert seen.size((50, 40), (2.0, 2.0)) == (50, 40)
    assert seen.size((200, 160), (0.5, 0.5)) == (50, 40)


def test_pixels_that_are_no_squares_become_what_the_typical_ones_are() -> None:
    assert Resolution(0.5, (1.0, 1.0)).size((100, 40), (1.0, 2.0)) == (50, 40)
    assert Resolution(0.5, (1.0, 2.0)).size((100, 40), (1.0, 2.0)) == (50, 20)
    assert Resolution(0.5, (1.0, 2.0)).size((100, 80), (1.0, 1.0)) == (50, 20)


@given(scale=SCALES, height=SIDES, width=SIDES, mm=MM)
def test_one_size_for_all_is_what_it_always_was(scale: float, height: int, width: int, mm: float) -> None:
    before = max(1, round(height * scale)), max(1, round(width * scale))
    for seen, size in (
        (Resolution(scale), None), (Resolution(scale), (mm, mm)), (Resolution(scale, (mm, mm)), None),
        (Resolution(scale, (mm, mm)), (mm, mm)), (Resolution(scale, (mm, 2 * mm)), (mm, 2 * mm)),
    ):  # fmt: skip
        assert seen.size((height, width), size) == before


@given(scale=st.floats(0.05, 1), mm=MM, times=st.floats(1 / 15, 15))
def test_the_size_in_mm_decides(scale: float, mm: float, times: float) -> None:
    seen = Resolution(scale, (mm, mm))
    rows, cols = seen.size((600, 300), (mm * times, mm * times))
    assert rows == pytest.approx(600 * scale * times, rel=0.011, abs=1)
    assert cols == pytest.approx(300 * scale * times, rel=0.011, abs=1)


def test_a_unit_that_is_wrong_or_an_image_that_would_not_fit_changes_nothing() -> None:
    seen = Resolution(1.0, (1.0, 1.0))
    assert seen.ratios((100, 100), (1000.0, 1000.0)) is None
    assert seen.size((100, 100), (1000.0, 1000.0)) == (100, 100)
    assert seen.size((100, 100), (0.001, 0.001)) == (100, 100)
    assert seen.size((4000, 4000), (10.0, 10.0)) == (4000, 4000)
    assert seen.size((40000, 40000), (0.5, 0.5)) == (20000, 20000)  # smaller than it is: no matter how large
    assert seen.ratios((100, 100), (1.004, 0.996)) == (1.0, 1.0)


@given(scale=SCALES, mm=MM, wide=st.floats(0.3, 3), times=st.floats(1 / 4, 4))
def test_seen_by_other_pixels_it_is_the_same_resolution(
    scale: float, mm: float, wide: float, times: float
) -> None:
    seen = Resolution(scale, (mm, mm * wide))
    other = seen.as_seen_by((mm * times, mm * times))
    assert seen.working_mm is not None
    assert other.working_mm == pytest.approx(seen.working_mm)
    assert other.scale == pytest.approx(scale * times / wide**0.5)


def test_seen_by_pixels_of_no_size_or_an_absurd_one() -> None:
    seen = Resolution(0.5, (1.0, 1.0))
    assert seen.as_seen_by(None) is seen
    assert seen.as_seen_by((1.0, 1.0)) == seen
    assert Resolution(0.5).as_seen_by((2.0, 2.0)) == Resolution(0.5, (2.0, 2.0))
    assert seen.as_seen_by((1e-3, 1e-3)) == Resolution(0.5, (1e-3, 1e-3))
    assert Resolution(10.0, (1.0, 1.0)).as_seen_by((8.0, 8.0)).scale == 10.0  # 80 would be no scale


def test_facts_of_earlier_versions_are_read_and_written_as_before() -> None:
    fields = FACTS.to_json()
    assert set(fields) == {"classes", "channels", "scale", "widths", "embedding"}
    assert ModelFacts.from_json(fields, Path("m")) == FACTS
    known = replace(FACTS, pixel_mm=(0.7, 0.8))
    assert ModelFacts.from_json(known.to_json(), Path("m")) == known
    weights = FACTS.build().state_dict()
    assert weights_digest(FACTS, weights) != weights_digest(known, weights)


@pytest.mark.parametrize(
    "pixel", ["ab", 3, [1.0], [1, 2, 3], [0, 1], [1.0, float("nan")], {"y": 1}, [None, 1]]
)
def test_a_pixel_that_is_none_is_refused(pixel: object) -> None:
    with pytest.raises(ModelError, match="describes no model"):
        ModelFacts.from_json({**FACTS.to_json(), "pixel_mm": pixel}, Path("m"))
