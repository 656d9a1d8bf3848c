"""Items at the working scale: labels by majority, memory within its budget."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pccs.data.resolution import choose_scale
from pccs.data.store import ItemStore, choose_channels, resize_target
from pccs.project import Project


def test_targets_shrink_by_majority_and_unpainted_stays_unknown() -> None:
    target = np.full((40, 40), 255, np.uint8)
    target[:20, :20], target[:20, 20:] = 1, 2
    small = resize_target(target, 3, (10, 10))
    assert (small[:4, :4] == 1).all()
    assert (small[:4, 6:] == 2).all()
    assert (small[6:] == 255).all()


def test_a_thin_scribble_survives_shrinking() -> None:
    target = np.full((64, 64), 255, np.uint8)
    target[30:33] = 1
    assert (resize_target(target, 2, (32, 32)) == 1).any(0).all()


@pytest.mark.parametrize("size", [(5, 9), (80, 100)])
def test_no_label_is_invented(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    target = rng.choice([0, 2, 255], (40, 50)).astype(np.uint8)
    assert set(np.unique(resize_target(target, 3, size))) <= {0, 2, 255}


def test_images_and_targets_of_a_project(sample_project: Project) -> None:
    store = ItemStore(sample_project, channels=1, scale=0.5)
    name = sample_project.annotated_items()[0]
    height, width = sample_project.sources[name].info.plane_shape
    image, target = store.image(name), store.target(name)
    assert image.shape == (1, height // 2, width // 2)
    assert target.shape == (height // 2, width // 2)
    assert image.dtype == torch.float32
    assert target.dtype == torch.uint8
    assert store.image(name).data_ptr() == image.data_ptr()  # kept, not read again


def test_the_budget_is_kept(sample_project: Project) -> None:
    one = 4 * 192 * 192
    store = ItemStore(sample_project, channels=1, scale=1.0, budget=3 * one)
    for item in sample_project.items:
        store.image(item.name)
        assert store.images.buffer.nbytes <= 3 * one
    assert len(store.images) == 3


def test_a_batch_larger_than_the_budget_is_there_all_the_same(sample_project: Project) -> None:
    store = ItemStore(sample_project, channels=1, scale=1.0, budget=4 * 192 * 192)
    names = [item.name for item in sample_project.items][:5]
    images = [store.image(name).clone() for name in names]
    for start, image in zip(store.starts(names), images, strict=True):
        assert torch.equal(store.images.buffer[start : start + image.numel()].view(image.shape), image)


def test_nothing_is_read_before_it_is_wanted(sample_project: Project) -> None:
    store = ItemStore(sample_project, channels=1, scale=1.0)
    assert len(store.images) == 0
    store.starts([sample_project.items[3].name])
    assert len(store.images) == 1


def test_a_changed_annotation_is_read_again(sample_project: Project) -> None:
    store = ItemStore(sample_project, channels=1, scale=1.0)
    name = sample_project.annotated_items()[0]
    before = store.target(name).clone()
    raster = np.full(before.shape, 2, np.uint8)
    sample_project.save_annotation(name, raster)
    assert torch.equal(store.target(name), before)
    store.forget_target(name)
    assert (store.target(name) == 1).all()


def test_channels_and_scale_follow_the_project(sample_project: Project) -> None:
    assert choose_channels(sample_project) == 1
    assert 0.5 < choose_scale(sample_project) <= 1.0


def test_a_window_is_the_same_numbers_in_every_image(sample_project: Project) -> None:
    first, second = (item.name for item in sample_project.items[:2])
    for name in (first, second):
        sample_project.choose(name, window=(50, 150))
    store = ItemStore(sample_project, channels=1, scale=1.0)
    for name in (first, second):
        pixels = sample_project.image(name)[..., 0].astype(np.float32)
        expected = (np.clip(pixels, 50, 150) - 100) / (100 / 12**0.5)
        np.testing.assert_allclose(store.image(name)[0].numpy(), expected, atol=1e-6)


def test_other_channels_and_windows_are_read_again(sample_project: Project) -> None:
    store = ItemStore(sample_project, channels=1, scale=1.0)
    first, second = (item.name for item in sample_project.items[:2])
    before, other = store.image(first).clone(), store.image(second).clone()
    sample_project.choose(first, window=(50, 150))
    assert torch.equal(store.image(first), before)
    store.forget_changed()
    assert second in store.images
    assert not torch.equal(store.image(first), before)
    assert float(store.image(first).abs().max()) <= 12**0.5 / 2 + 1e-6
    sample_project.choose(first)
    store.forget_changed()
    assert torch.equal(store.image(first), before)
    assert torch.equal(store.image(second), other)
