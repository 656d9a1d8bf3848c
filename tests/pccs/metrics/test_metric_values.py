"""Known answers: by hand, against brute force with scipy, and against MONAI's own Dice."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from pccs.metrics import Calibration, Overlap, assd, dice, ece, hd95, iou, surface_distances


def box(shape, *slices):
    mask = np.zeros(shape, bool)
    mask[slices] = True
    return mask


def test_overlap_by_hand():
    a = box((4, 4), slice(0, 2), slice(0, 2))  # 4 pixels
    b = box((4, 4), slice(0, 2), slice(1, 3))  # 4 pixels, 2 shared
    assert dice(a, b) == pytest.approx(2 * 2 / 8)
    assert iou(a, b) == pytest.approx(2 / 6)
    assert dice(a, a) == iou(a, a) == 1.0


def test_empty_masks():
    full, none = np.ones((3, 3), bool), np.zeros((3, 3), bool)
    assert math.isnan(dice(none, none))
    assert math.isnan(iou(none, none))
    assert dice(full, none) == dice(none, full) == iou(none, full) == 0.0
    assert all(math.isnan(d) for d in surface_distances(full, none))
    assert all(math.isnan(d) for d in surface_distances(none, none))
    assert surface_distances(full, full) == (0.0, 0.0)


def test_counts_of_slices_add_up_to_those_of_the_volume():
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 5, 8, 8)) > 0.5
    pooled = sum((Overlap.of(x, y) for x, y in zip(a, b, strict=True)), Overlap())
    assert pooled == Overlap.of(a, b)


def test_masks_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match="shape"):
        dice(np.ones((2, 2)), np.ones((2, 3)))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_dice_and_iou_are_bounded_symmetric_and_tied(data):
    shape = data.draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    a, b = (data.draw(arrays(bool, shape)) for _ in range(2))
    d, j = dice(a, b), iou(a, b)
    if math.isnan(d):
        assert not a.any()
        assert not b.any()
    else:
        assert 0 <= j <= d <= 1
        assert d == dice(b, a)
        assert d == pytest.approx(2 * j / (1 + j))


def test_two_parallel_lines_are_their_distance_apart():
    a, b = box((20, 20), slice(None), 5), box((20, 20), slice(None), 9)
    assert surface_distances(a, b) == pytest.approx((4, 4))
    assert surface_distances(a, b, (1.0, 0.5)) == pytest.approx((2, 2))
    assert surface_distances(a[None], b[None], (7.0, 1.0, 0.5)) == pytest.approx((2, 2))


def edges(mask):
    return mask & ~ndimage.binary_erosion(mask)


def by_brute_force(a, b, spacing):
    """Every edge pixel to every other, the definition itself."""
    one, two = (np.argwhere(edges(m)) * np.asarray(spacing) for m in (a, b))
    apart = np.linalg.norm(one[:, None] - two[None], axis=-1)
    there, back = apart.min(1), apart.min(0)
    far = max(np.percentile(there, 95), np.percentile(back, 95))
    return far, np.concatenate([there, back]).mean()


@pytest.mark.parametrize("shape", [(24, 30), (7, 12, 10)])
@pytest.mark.parametrize("seed", [0, 1])
def test_distances_equal_brute_force(shape, seed):
    rng = np.random.default_rng(seed)
    a, b = (ndimage.gaussian_filter(rng.random(shape), 2) > 0.5 for _ in range(2))
    spacing = (2.0, 0.7, 1.3)[-len(shape) :]
    assert surface_distances(a, b, spacing) == pytest.approx(by_brute_force(a, b, spacing), abs=1e-4)
    assert (hd95(a, b, spacing), assd(a, b, spacing)) == surface_distances(a, b, spacing)


@pytest.mark.filterwarnings("ignore:.*always_return_as_numpy:FutureWarning")  # inside MONAI 1.5
@pytest.mark.parametrize("spacing", [None, (2.0, 0.7), (2.0, 0.7, 1.3)])
def test_dice_and_distances_equal_monai(spacing):
    import torch
    from monai import metrics as theirs

    shape = (24, 30) if spacing is None else (7, 12, 10)[: len(spacing)]
    rng = np.random.default_rng(3)
    a, b = (ndimage.gaussian_filter(rng.random(shape), 1) > 0.5 for _ in range(2))
    one, two = (torch.from_numpy(m)[None, None] for m in (a, b))
    assert dice(a, b) == pytest.approx(float(theirs.compute_dice(one, two)), abs=1e-6)
    options = {"include_background": True, "spacing": spacing}
    far = theirs.compute_hausdorff_distance(one, two, percentile=95, **options)
    mean = theirs.compute_average_surface_distance(one, two, symmetric=True, **options)
    assert surface_distances(a, b, spacing) == pytest.approx((float(far), float(mean)), abs=1e-4)


def test_calibration_by_hand():
    # Four pixels at confidence 0.8, three of them right: off by 0.05; one at 1.0, wrong: off by 1.
    p = np.array([[0.8, 0.8, 0.8, 0.8, 1.0], [0.2, 0.2, 0.2, 0.2, 0.0]])
    target = np.array([0, 0, 0, 1, 1])
    assert ece(p, target) == pytest.approx((4 * 0.05 + 1.0) / 5)


def test_calibration_leaves_unknown_pixels_out_and_adds_images_up():
    p = np.array([[0.9, 0.6], [0.1, 0.4]])
    both = Calibration()
    both.add(p[:, :1], np.array([0]))
    both.add(p[:, 1:], np.array([0]))
    assert both.error == pytest.approx(ece(p, np.array([0, 0])))
    assert ece(p, np.array([0, -1])) == pytest.approx(0.1)
    assert math.isnan(Calibration().error)


def test_a_perfectly_calibrated_guess_has_a_small_error():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1, 200_000)
    target = (rng.random(200_000) > confidence).astype(int)
    assert ece(np.stack([confidence, 1 - confidence]), target) < 0.01
