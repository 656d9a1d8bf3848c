"""Augmentation moves labels exactly as it moves pixels, and photometric changes move none."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pccs.data.augment import (
    cut_image,
    cut_target,
    paste,
    photometric,
    plain_view,
    random_view,
    rectangles,
    sampling_grid,
)


def test_a_plain_view_of_the_whole_image_is_the_image() -> None:
    image, target = torch.randn(2, 32, 32), torch.randint(0, 4, (32, 32), dtype=torch.uint8)
    target[3, 4] = 255
    grid = sampling_grid(plain_view(15.5, 15.5), 32, 32, 32)
    torch.testing.assert_close(cut_image(image, grid), image, atol=1e-5, rtol=1e-5)
    assert torch.equal(cut_target(target, grid), target.long())


def test_a_plain_view_cuts_where_it_is_told() -> None:
    image = torch.arange(60 * 40.0).view(1, 60, 40)
    grid = sampling_grid(plain_view(29.5, 19.5), 60, 40, 16)
    torch.testing.assert_close(cut_image(image, grid)[0], image[0, 22:38, 12:28], atol=1e-2, rtol=0)


@given(seed=st.integers(0, 10_000), upright=st.booleans())
@settings(deadline=None, max_examples=40)
def test_labels_follow_the_pixels(seed: int, upright: bool) -> None:
    rng = np.random.default_rng(seed)
    smooth = torch.nn.functional.interpolate(
        torch.from_numpy(rng.normal(size=(1, 1, 6, 8)).astype(np.float32)), size=(90, 120), mode="bicubic"
    )[0]
    target = (smooth[0] > 0).to(torch.uint8)
    view = random_view(rng.uniform(0, 90), rng.uniform(0, 120), rng, upright=upright)
    grid = sampling_grid(view, 90, 120, 64)
    image, labels = cut_image(smooth, grid)[0], cut_target(target, grid)
    known = (labels != 255) & (image.abs() > 0.4)  # away from the edge of a label
    assert set(labels.unique().tolist()) <= {0, 1, 255}
    assert torch.equal(labels[known] == 1, image[known] > 0)


def test_beyond_the_border_nothing_is_known_but_the_image_goes_on() -> None:
    grid = sampling_grid(plain_view(0, 0), 32, 32, 32)
    labels = cut_target(torch.zeros(32, 32, dtype=torch.uint8), grid)
    assert (labels[:15, :15] == 255).all()
    assert (labels[17:, 17:] == 0).all()
    assert (cut_image(torch.ones(1, 32, 32), grid) == 1).all()


def test_photometric_changes_every_image_differently_and_reproducibly() -> None:
    x = torch.randn(1, 1, 32, 32).expand(4, 1, 32, 32).contiguous()

    def changed() -> torch.Tensor:
        return photometric(x, np.random.default_rng(5), torch.Generator().manual_seed(5))

    y = changed()
    assert y.shape == x.shape
    assert torch.isfinite(y).all()
    assert torch.equal(y, changed())
    assert not torch.allclose(y[0], y[1], atol=0.05)
    # what was bright stays bright: the label still fits
    flat = torch.stack([x[0].flatten(), y[0].flatten()])
    assert torch.corrcoef(flat)[0, 1] > 0.5


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_photometric_survives_a_constant_image(value: float) -> None:
    y = photometric(torch.full((2, 1, 16, 16), value), np.random.default_rng(0), torch.Generator())
    assert torch.isfinite(y).all()


def test_rectangles_keep_to_their_size() -> None:
    masks = rectangles(50, 40, np.random.default_rng(0), smallest=0.25, largest=0.5)
    areas = masks.sum((1, 2)) / 1600
    assert areas.min() >= 0.25**2 - 0.02
    assert areas.max() <= 0.25
    assert not rectangles(3, 8, np.random.default_rng(0), smallest=0.5, largest=0.9, probability=0).any()


def test_paste_takes_the_inside_from_one_and_the_outside_from_the_other() -> None:
    mask = torch.zeros(1, 4, 4, dtype=torch.bool)
    mask[0, :2] = True
    out = paste(mask, torch.ones(1, 3, 4, 4), torch.zeros(1, 3, 4, 4))
    assert out[0, :, :2].eq(1).all()
    assert out[0, :, 2:].eq(0).all()
    assert torch.equal(paste(mask, torch.ones(1, 4, 4), torch.zeros(1, 4, 4)), mask.float())
