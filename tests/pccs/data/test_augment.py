"""Augmentation moves labels exactly as it moves pixels, and photometric changes move none."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pccs.data.augment import (
    Cuts,
    Grid,
    cut_images,
    cut_targets,
    inside,
    paste,
    photometric,
    photometric_draws,
    plain_cuts,
    random_cuts,
    rectangles,
    sampling_grid,
)

CPU = torch.device("cpu")


def grid_of(cuts: Cuts, images: list[torch.Tensor], side: int) -> Grid:
    return sampling_grid(cuts, np.array([image.shape[-2:] for image in images]), side, CPU)


def pooled(images: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    sizes = [image.numel() for image in images]
    return torch.cat([image.flatten() for image in images]), torch.tensor([0, *np.cumsum(sizes)[:-1]])


def cut(
    image: torch.Tensor, target: torch.Tensor, cuts: Cuts, side: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """One crop of one image ``[C, h, w]``."""
    grid = grid_of(cuts, [image], side)
    start = torch.zeros(1, dtype=torch.long)
    images = cut_images(image.flatten(), start, len(image), grid)
    return images[0], cut_targets(target.flatten(), start, grid)[0]


def test_a_plain_cut_of_the_whole_image_is_the_image() -> None:
    image, target = torch.randn(2, 32, 32), torch.randint(0, 4, (32, 32), dtype=torch.uint8)
    target[3, 4] = 255
    images, targets = cut(image, target, plain_cuts(np.array([[15.5, 15.5]])), 32)
    torch.testing.assert_close(images, image)
    assert torch.equal(targets, target.long())


def test_a_plain_cut_is_where_it_is_told() -> None:
    image = torch.arange(60 * 40.0).view(1, 60, 40)
    images, _ = cut(image, torch.zeros(60, 40, dtype=torch.uint8), plain_cuts(np.array([[29.5, 19.5]])), 16)
    torch.testing.assert_close(images[0], image[0, 22:38, 12:28])


@given(seed=st.integers(0, 10_000), upright=st.booleans(), channels=st.integers(1, 3))
@settings(deadline=None, max_examples=40)
def test_a_batch_from_images_of_many_sizes_is_what_grid_sample_cuts_from_each(
    seed: int, upright: bool, channels: int
) -> None:
    rng, side = np.random.default_rng(seed), 24
    sizes = rng.integers(3, 60, (4, 2))
    images = [torch.randn(channels, int(h), int(w)) for h, w in sizes]
    targets = [torch.randint(0, 5, (int(h), int(w)), dtype=torch.uint8) for h, w in sizes]
    cuts = random_cuts(rng.uniform(-5, 60, (4, 2)), rng, upright=upright)
    grid = sampling_grid(cuts, sizes, side, CPU)
    got = cut_images(*pooled(images), channels, grid)
    labels = cut_targets(*pooled(targets), grid)
    for k, (h, w) in enumerate(sizes):
        unit = torch.stack([(grid.x[k] + 0.5) / (w / 2) - 1, (grid.y[k] + 0.5) / (h / 2) - 1], dim=-1)[None]
        want = torch.nn.functional.grid_sample(
            images[k][None], unit, padding_mode="reflection", align_corners=False
        )
        torch.testing.assert_close(got[k], want[0], atol=2e-3, rtol=2e-3)
        shifted = torch.nn.functional.grid_sample(
            targets[k][None, None].float() + 1, unit, mode="nearest", align_corners=False
        )[0, 0]
        same = torch.where(shifted == 0, 255, shifted - 1).long() == labels[k]
        assert same.float().mean() > 0.99  # a pixel exactly between two may go either way


@given(seed=st.integers(0, 10_000), upright=st.booleans())
@settings(deadline=None, max_examples=40)
def test_labels_follow_the_pixels(seed: int, upright: bool) -> None:
    rng = np.random.default_rng(seed)
    smooth = torch.nn.functional.interpolate(
        torch.from_numpy(rng.normal(size=(1, 1, 6, 8)).astype(np.float32)), size=(90, 120), mode="bicubic"
    )[0]
    target = (smooth[0] > 0).to(torch.uint8)
    cuts = random_cuts(rng.uniform(0, 90, (1, 2)), rng, upright=upright)
    images, labels = cut(smooth, target, cuts, 64)
    known = (labels != 255) & (images[0].abs() > 0.4)  # away from the edge of a label
    assert set(labels.unique().tolist()) <= {0, 1, 255}
    assert torch.equal(labels[known] == 1, images[0][known] > 0)


def test_beyond_the_border_nothing_is_known_but_the_image_goes_on() -> None:
    cuts = plain_cuts(np.array([[0.0, 0.0]]))
    images, labels = cut(torch.ones(1, 32, 32), torch.zeros(32, 32, dtype=torch.uint8), cuts, 32)
    assert (labels[:15, :15] == 255).all()
    assert (labels[17:, 17:] == 0).all()
    assert (images == 1).all()


def test_an_image_without_annotation_is_unknown_throughout() -> None:
    grid = grid_of(plain_cuts(np.array([[4.0, 4.0]])), [torch.zeros(1, 8, 8)], 8)
    assert (cut_targets(torch.zeros(64, dtype=torch.uint8), torch.tensor([-1]), grid) == 255).all()


def changed_by(x: torch.Tensor, seed: int) -> torch.Tensor:
    draws = torch.from_numpy(photometric_draws(len(x), np.random.default_rng(seed)))
    return photometric(x, draws, torch.Generator().manual_seed(seed))


def test_photometric_changes_every_image_differently_and_reproducibly() -> None:
    x = torch.randn(1, 1, 32, 32).expand(4, 1, 32, 32).contiguous()

    def changed() -> torch.Tensor:
        return changed_by(x, 5)

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
    y = changed_by(torch.full((2, 1, 16, 16), value), 0)
    assert torch.isfinite(y).all()


def test_rectangles_keep_to_their_size() -> None:
    masks = inside(
        torch.from_numpy(rectangles(50, 40, np.random.default_rng(0), smallest=0.25, largest=0.5)), 40
    )
    areas = masks.sum((1, 2)) / 1600
    assert areas.min() >= 0.25**2 - 0.02
    assert areas.max() <= 0.25
    none = rectangles(3, 8, np.random.default_rng(0), smallest=0.5, largest=0.9, probability=0)
    assert not inside(torch.from_numpy(none), 8).any()


def test_paste_takes_the_inside_from_one_and_the_outside_from_the_other() -> None:
    mask = torch.zeros(1, 4, 4, dtype=torch.bool)
    mask[0, :2] = True
    out = paste(mask, torch.ones(1, 3, 4, 4), torch.zeros(1, 3, 4, 4))
    assert out[0, :, :2].eq(1).all()
    assert out[0, :, 2:].eq(0).all()
    assert torch.equal(paste(mask, torch.ones(1, 4, 4), torch.zeros(1, 4, 4)), mask.float())
