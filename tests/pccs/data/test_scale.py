"""The working scale keeps thin classes drawable and large images affordable."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.draw import disk

from pccs.data.scale import object_count, scribbled_scale, thickness, working_scale


def scene(side: int, radius: int) -> np.ndarray:
    target = np.zeros((side, side), np.uint8)
    target[disk((side // 2, side // 2), radius)] = 1
    return target


def test_thickness_of_a_disc_and_of_a_ribbon() -> None:
    assert thickness(scene(200, 60), 2) == pytest.approx(4 * 60 / 3, rel=0.05)
    ribbon = np.zeros((100, 100), np.uint8)
    ribbon[40:50] = 1
    assert thickness(ribbon, 2) == pytest.approx(12, rel=0.1)  # ten pixels, within a fifth


def test_nothing_to_measure() -> None:
    assert thickness(np.zeros((50, 50), np.uint8), 2) is None
    assert working_scale(448, [np.zeros((50, 50), np.uint8)], 2) == pytest.approx(320 / 448)


def test_one_large_object_is_worked_on_small_and_thin_ones_at_full_size() -> None:
    assert working_scale(448, [scene(448, 80)], 2) == pytest.approx(112 / 448)
    thin = np.zeros((256, 256), np.uint8)
    thin[::40] = 1
    assert working_scale(256, [thin], 2) == 1.0


def test_many_objects_keep_more_detail_than_one() -> None:
    many = np.zeros((448, 448), np.uint8)
    for row, column in np.ndindex(4, 4):
        many[disk((56 + 112 * row, 56 + 112 * column), 40)] = 1
    assert object_count(many, 2) == 16
    assert working_scale(448, [many], 2) == pytest.approx(192 / 448)


def test_specks_and_unknown_pixels_are_no_objects() -> None:
    target = np.zeros((64, 64), np.uint8)
    target[5, 5] = 1
    target[30:40, 30:40] = 255
    assert object_count(target, 2) == 0


def test_tiny_images_are_enlarged_but_not_without_end() -> None:
    assert working_scale(64, [], 2) == pytest.approx(3.0)
    assert working_scale(5, [], 2) == 4.0


def test_unknown_targets_do_not_count_as_objects() -> None:
    scribbled = np.full((256, 256), 255, np.uint8)
    assert working_scale(256, [scribbled], 3) == 1.0


def strokes(side: int, *places: tuple[int, int]) -> np.ndarray:
    target = np.full((side, side), 255, np.uint8)
    target[2:6, 10:-10] = 0
    for row, column in places:
        target[row : row + 4, column : column + 12] = 1
    return target


def test_strokes_in_one_place_of_every_image_show_the_whole_picture() -> None:
    organ = [strokes(448, (100 + 40 * k, 150), (140 + 40 * k, 200)) for k in range(3)]
    assert scribbled_scale(448, organ, 2) == pytest.approx(144 / 448)


def test_strokes_all_over_or_on_too_few_images_tell_nothing() -> None:
    everywhere = [strokes(448, (20, 20), (400, 400))] * 3
    assert scribbled_scale(448, everywhere, 2) is None
    assert scribbled_scale(448, [strokes(448, (100, 100))] * 2, 2) is None
    assert scribbled_scale(448, [strokes(448)] * 5, 2) is None  # background alone
