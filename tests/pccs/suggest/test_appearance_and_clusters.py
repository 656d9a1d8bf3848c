"""Kinds of images are told apart without a network, and clusters beside fixed centres are found."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from pccs.suggest.appearance import LENGTH, describe, look_of
from pccs.suggest.kmeans import FEW, cluster, gaps_to_nearest, spread, squared_distances


def of_kind(kind: str, seed: int, shape: tuple[int, int] = (150, 130)) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=shape)
    smooth = gaussian_filter(noise, {"fine": 1, "coarse": 8, "bright": 8}[kind])
    level = {"fine": 90, "coarse": 90, "bright": 170}[kind]
    return (level + 25 * smooth / smooth.std()).clip(0, 255).astype(np.uint8)[..., None]


def described(images: list[np.ndarray]) -> np.ndarray:
    return describe(np.stack([look_of(image) for image in images]))


def test_images_of_a_kind_are_nearest_to_each_other() -> None:
    kinds = ["fine"] * 4 + ["coarse"] * 4 + ["bright"] * 4
    points = described([of_kind(k, n) for n, k in enumerate(kinds)])
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
    points = described([image, of_kind("fine", 0)])
    assert np.isfinite(points).all()
    assert points.shape[0] == 2


def test_every_kind_of_feature_weighs_the_same_whatever_the_scale_of_values() -> None:
    images = [of_kind("fine", k) for k in range(5)] + [of_kind("bright", k) for k in range(5)]
    as_bytes = described(images)
    as_floats = described([i.astype(np.float32) / 1000 for i in images])
    np.testing.assert_allclose(as_bytes, as_floats, atol=1e-3)


@given(st.integers(1, 25), st.integers(1, 6), st.integers(0, 4), st.integers(0, 10**6))
@settings(deadline=None, max_examples=60)
def test_every_point_is_with_its_nearest_centre_or_with_what_is_served(
    n: int, k: int, f: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    points, fixed = rng.normal(size=(n, 3)), rng.normal(size=(f, 3))
    centres, member = cluster(points, min(k, n), rng, served=gaps_to_nearest(points, fixed))
    assert centres.shape == (min(k, n), 3)
    nearest = squared_distances(points, np.concatenate([centres, fixed])).argmin(1)
    np.testing.assert_array_equal(np.where(nearest < min(k, n), nearest, -1), member)


def test_separate_clusters_are_found_beside_a_served_one() -> None:
    rng = np.random.default_rng(0)
    middles = np.array([[0.0, 0], [10, 0], [0, 10]])
    points = np.concatenate([m + 0.1 * rng.normal(size=(8, 2)) for m in middles])
    centres, member = cluster(points, 2, rng, served=gaps_to_nearest(points, middles[:1]))
    assert (member[:8] == -1).all()
    assert len(set(member[8:16])) == len(set(member[16:])) == 1
    assert sorted(np.round(centres).tolist()) == [[0, 10], [10, 0]]


@given(st.integers(0, 3 * FEW), st.integers(1, 20), st.integers(0, 10**6))
@settings(deadline=None, max_examples=25)
def test_gaps_are_never_too_small_and_exact_among_few(others: int, dims: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    points, among = rng.normal(size=(40, dims)), rng.normal(size=(others, dims))
    found = gaps_to_nearest(points, among)
    exact = np.min([((points - a) ** 2).sum(1) for a in among], axis=0, initial=np.inf)
    assert (found >= exact - 1e-9).all()
    if others <= FEW:
        np.testing.assert_allclose(found, exact, atol=1e-9)
    elif dims <= 8:  # all directions are looked along: only the slack of the search is left
        assert (np.sqrt(found) <= 1.5 * np.sqrt(exact) + 1e-9).all()


def test_among_many_of_a_few_kinds_the_kind_is_found() -> None:
    rng = np.random.default_rng(0)
    kinds = 10 * rng.normal(size=(30, 32))
    among = kinds[rng.integers(25, size=3 * FEW)] + rng.normal(size=(3 * FEW, 32))
    points = np.repeat(kinds, 4, axis=0) + rng.normal(size=(120, 32))
    gaps = gaps_to_nearest(points, among)
    assert gaps[:100].max() < 100 < gaps[100:].min(), "five kinds are not among the others"


@given(st.integers(1, 30), st.integers(0, 10**6))
@settings(deadline=None, max_examples=40)
def test_spread_draws_every_point_once(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.integers(0, 2, size=(n, 2)).astype(float)
    drawn = spread(points, n, rng, gaps_to_nearest(points, points[:0]))
    assert sorted(drawn) == list(range(n))


def test_spread_goes_to_what_is_not_served() -> None:
    points = np.concatenate([np.zeros((500, 2)), np.full((3, 2), 9.0)])
    served = gaps_to_nearest(points, np.zeros((1, 2)))
    assert spread(points, 1, np.random.default_rng(0), served)[0] >= 500


def test_a_look_has_one_length_and_no_look_is_no_description() -> None:
    assert look_of(of_kind("fine", 0)).shape == (LENGTH,)
    assert len(describe(np.zeros((0, LENGTH), np.float32))) == 0
