"""Kinds of images are told apart without a network, and clusters beside fixed centres are found."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from pccs.suggest.appearance import describe, thumbnail
from pccs.suggest.kmeans import cluster, squared_distances


def of_kind(kind: str, seed: int, shape: tuple[int, int] = (150, 130)) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=shape)
    smooth = gaussian_filter(noise, {"fine": 1, "coarse": 8, "bright": 8}[kind])
    level = {"fine": 90, "coarse": 90, "bright": 170}[kind]
    return (level + 25 * smooth / smooth.std()).clip(0, 255).astype(np.uint8)[..., None]


def test_images_of_a_kind_are_nearest_to_each_other() -> None:
    kinds = ["fine"] * 4 + ["coarse"] * 4 + ["bright"] * 4
    points = describe([thumbnail(of_kind(k, n)) for n, k in enumerate(kinds)])
    gaps = squared_distances(points, points) + np.diag(np.full(12, np.inf))
    assert [kinds[int(k)] for k in gaps.argmin(1)] == kinds


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((5, 3, 1), np.uint8),
        np.full((40, 40, 3), np.nan, np.float32),
        np.full((1, 1, 7), 65535, np.uint16),
        np.array([[[np.inf], [-np.inf]]], np.float32),
    ],
    ids=["flat", "nan", "one pixel, seven channels", "infinite"],
)
def test_odd_images_have_a_finite_description(image: np.ndarray) -> None:
    points = describe([thumbnail(image), thumbnail(of_kind("fine", 0))])
    assert np.isfinite(points).all()
    assert points.shape[0] == 2


def test_every_kind_of_feature_weighs_the_same_whatever_the_scale_of_values() -> None:
    images = [of_kind("fine", k) for k in range(5)] + [of_kind("bright", k) for k in range(5)]
    as_bytes = describe([thumbnail(i) for i in images])
    as_floats = describe([thumbnail(i.astype(np.float32) / 1000) for i in images])
    np.testing.assert_allclose(as_bytes, as_floats, atol=1e-3)


@given(st.integers(1, 25), st.integers(1, 6), st.integers(0, 4), st.integers(0, 10**6))
@settings(deadline=None, max_examples=60)
def test_every_point_is_with_its_nearest_centre_and_fixed_ones_stay(
    n: int, k: int, f: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    points, fixed = rng.normal(size=(n, 3)), rng.normal(size=(f, 3))
    centres, member = cluster(points, min(k, n), rng, fixed=fixed)
    np.testing.assert_array_equal(centres[:f], fixed)
    np.testing.assert_array_equal(squared_distances(points, centres).argmin(1), member)


def test_separate_clusters_are_found_beside_a_fixed_one() -> None:
    rng = np.random.default_rng(0)
    middles = np.array([[0.0, 0], [10, 0], [0, 10]])
    points = np.concatenate([m + 0.1 * rng.normal(size=(8, 2)) for m in middles])
    centres, member = cluster(points, 2, rng, fixed=middles[:1])
    assert (member[:8] == 0).all()
    assert len(set(member[8:16])) == len(set(member[16:])) == 1
    assert sorted(np.round(centres[1:]).tolist()) == [[0, 10], [10, 0]]
