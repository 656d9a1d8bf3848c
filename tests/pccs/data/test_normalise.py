"""Intensities of any camera come out alike; what is not a number does no harm."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pccs.data.normalise import match_channels, measure, normalise, sample_indices, windowed


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32, np.float64, ">u2"])
def test_zero_mean_and_unit_spread_for_every_dtype(dtype: str) -> None:
    plane = np.random.default_rng(0).integers(0, 200, (64, 48, 1)).astype(dtype)
    x = normalise(plane, measure([plane]))
    assert x.shape == (1, 64, 48)
    assert x.dtype == np.float32
    assert abs(float(x.mean())) < 0.05
    assert float(x.std()) == pytest.approx(1.0, abs=0.05)


@given(gain=st.floats(0.01, 100), offset=st.floats(-1000, 1000))
@settings(deadline=None, max_examples=25)
def test_brightness_and_contrast_of_the_camera_do_not_matter(gain: float, offset: float) -> None:
    plane = np.random.default_rng(1).normal(size=(32, 32, 1))
    there = plane * gain + offset
    np.testing.assert_allclose(
        normalise(plane, measure([plane])), normalise(there, measure([there])), atol=2e-2
    )


@pytest.mark.parametrize("value", [0, 7, -3.5])
def test_a_constant_image_is_zero(value: float) -> None:
    plane = np.full((8, 8, 2), value, np.float32)
    assert not normalise(plane, measure([plane])).any()


def test_pixels_that_are_no_numbers_become_the_mean() -> None:
    plane = np.random.default_rng(2).normal(size=(16, 16, 1)).astype(np.float32)
    plane[0, 0], plane[1, 1], plane[2, 2] = np.nan, np.inf, -np.inf
    x = normalise(plane, measure([plane]))
    assert np.isfinite(x).all()
    assert x[0, 0, 0] == 0
    nothing = np.full((4, 4, 1), np.nan, np.float32)
    assert not normalise(nothing, measure([nothing])).any()


def test_sparse_bright_pixels_survive() -> None:
    plane = np.zeros((100, 100, 1), np.uint8)
    plane[50, 50] = 200
    x = normalise(plane, measure([plane]))
    assert x[0, 50, 50] > 10 * abs(x[0, 0, 0])


def test_colour_keeps_its_hue_when_measured_jointly() -> None:
    plane = np.random.default_rng(3).integers(0, 100, (32, 32, 3)) + np.array([0, 50, 100])
    x = normalise(plane, measure([plane], joint=True))
    assert x[0].mean() < x[1].mean() < x[2].mean()


def test_channels_are_fitted_where_it_makes_sense() -> None:
    grey, colour = np.ones((1, 2, 2), np.float32), np.arange(12, dtype=np.float32).reshape(3, 2, 2)
    repeated = match_channels(grey, 3)
    assert repeated is not None
    assert repeated.shape == (3, 2, 2)
    averaged = match_channels(colour, 1)
    assert averaged is not None
    np.testing.assert_array_equal(averaged[0], colour.mean(0))
    assert match_channels(colour, 2) is None


def test_planes_sampled_from_a_stack() -> None:
    assert sample_indices(1) == [0]
    assert sample_indices(5) == [0, 1, 2, 3, 4]
    many = sample_indices(1000)
    assert len(many) == 16
    assert many[0] == 0
    assert many[-1] == 999


def test_values_spread_over_a_window_have_zero_mean_and_unit_spread() -> None:
    plane = np.linspace(-160, 240, 100_001).reshape(1, -1, 1)
    x = normalise(plane, windowed((-160, 240), 1))
    assert abs(float(x.mean())) < 1e-4
    assert float(x.std()) == pytest.approx(1, abs=1e-4)
    beyond = normalise(np.array([[[-1000.0], [3000.0]]]), windowed((-160, 240), 1))
    assert beyond.ravel().tolist() == pytest.approx([x.min(), x.max()])
