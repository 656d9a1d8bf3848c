"""Tidying, with answers known beforehand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.draw import disk

from pccs.errors import ConfigError
from pccs.labels import make_class
from pccs.tidy import Cleaning, clean, connected, filled, sifted, smoothed, split

CLASSES = (make_class(3, "background"), make_class(1, "cell"), make_class(2, "wall"))


def disks(*centres: tuple[int, int], radius: float = 12, side: int = 70) -> NDArray[np.bool_]:
    mask = np.zeros((side, side), bool)
    for centre in centres:
        mask[disk(centre, radius, shape=mask.shape)] = True
    return mask


def test_nothing_asked_is_nothing_done() -> None:
    values = np.random.default_rng(0).choice(np.array([1, 2, 3], np.uint8), (9, 9))
    assert clean(values, CLASSES, Cleaning()) is values
    assert not Cleaning().is_on


def test_small_objects_go_to_the_background_and_touching_by_a_corner_is_one() -> None:
    values = np.full((8, 8), 3, np.uint8)
    values[0, 0] = values[1, 1] = 1
    values[4, 4] = 1
    values[6, 0:3] = 2
    tidy = clean(values, CLASSES, Cleaning(smallest=2))
    wanted = values.copy()
    wanted[4, 4] = 3
    assert np.array_equal(tidy, wanted)


def test_the_largest_of_each_class_stays() -> None:
    values = np.full((8, 12), 3, np.uint8)
    values[0:2, 0:2] = values[4:7, 4:7] = 1
    values[0, 8:11] = values[7, 0] = 2
    tidy = clean(values, CLASSES, Cleaning(keep_largest=True))
    assert ((tidy == 1).sum(), (tidy == 2).sum()) == (9, 3)


def test_holes_are_filled_up_to_their_size_and_not_at_the_border() -> None:
    mask = np.ones((10, 10), bool)
    mask[2, 2] = mask[5:7, 5:7] = mask[0, 8] = False
    assert filled(mask, 1)[2, 2]
    assert not filled(mask, 3)[5, 5]
    assert filled(mask, 4)[5:7, 5:7].all()
    assert not filled(mask, 100)[0, 8]


def test_a_hole_of_another_class_takes_the_class_around_it() -> None:
    values = np.full((7, 7), 1, np.uint8)
    values[3, 3] = 2
    assert (clean(values, CLASSES, Cleaning(fill_holes=1)) == 1).all()


def test_smoothing_takes_spurs_and_leaves_what_is_smooth() -> None:
    mask = disks((30, 30))
    spur = mask.copy()
    spur[30, 40:60] = True
    assert (smoothed(spur, 2) != mask).sum() < 12
    assert np.array_equal(smoothed(np.ones((9, 9), bool), 3), np.ones((9, 9), bool))


def test_touching_disks_are_split_and_single_ones_are_not() -> None:
    touching = disks((30, 20), (30, 41), (50, 30))
    assert connected(touching).max() == 1
    apart = split(touching, 1)
    assert connected(apart).max() == 3
    assert not (apart & ~touching).any()
    assert (touching & ~apart).sum() < 60
    one = disks((30, 30))
    assert np.array_equal(split(one, 1), one)
    speck = touching.copy()
    speck[66, 66] = True
    assert split(speck, 2)[66, 66]


def test_a_cell_around_its_nucleus_is_one_and_two_such_cells_are_two() -> None:
    body, nuclei = disks((30, 20), (30, 41)), np.zeros((70, 70), bool)
    nuclei[21:40, 17:24] = nuclei[21:40, 38:45] = True  # leaves a lobe on either side
    values = np.full(body.shape, 3, np.uint8)
    values[body], values[nuclei] = 1, 2
    tidy = clean(values, CLASSES, Cleaning(split=1))
    assert connected(tidy == 1).max() == 2
    assert np.array_equal(tidy == 2, nuclei)
    one = np.where(np.arange(70) < 31, values, 3).astype(np.uint8)
    assert np.array_equal(clean(one, CLASSES, Cleaning(split=2)), one)
    assert connected(split(body & ~nuclei, 1)).max() > 2  # a hole of background is an outside


def test_sifting_nothing_gives_nothing() -> None:
    assert not sifted(np.zeros((4, 4), bool), 3, largest=True).any()


def test_negative_sizes_are_refused() -> None:
    with pytest.raises(ConfigError, match="smallest cannot be -1; allowed: 0"):
        Cleaning(smallest=-1)
