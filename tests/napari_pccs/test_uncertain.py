"""The least certain places of an image, with known answers."""

from __future__ import annotations

import numpy as np

from napari_pccs.uncertain import uncertain_places


def test_the_worst_place_comes_first_and_none_overlaps() -> None:
    amount = np.zeros((100, 140), np.float32)
    amount[20:30, 40:50] = 0.9
    amount[70:80, 100:110] = 0.5
    places = uncertain_places(amount, np.zeros(amount.shape, bool))
    assert places[0] == (20, 40, 30, 50)
    assert places[1] == (70, 100, 80, 110)
    taken = np.zeros(amount.shape, int)
    for row0, col0, row1, col1 in places:
        taken[row0:row1, col0:col1] += 1
    assert taken.max() == 1


def test_painted_pixels_are_settled_and_certain_images_have_no_place() -> None:
    amount = np.zeros((100, 100), np.float32)
    amount[20:30, 40:50] = 0.9
    assert uncertain_places(amount, amount > 0) == []
    amount[80:90, 80:90] = 0.2
    assert uncertain_places(amount, amount > 0.5)[0] == (80, 80, 90, 90)


def test_a_large_image_gives_places_in_its_own_pixels() -> None:
    amount = np.zeros((1500, 2100), np.float32)
    amount[600:750, 900:1050] = 1.0
    row0, col0, row1, col1 = uncertain_places(amount, np.zeros(amount.shape, bool), 1)[0]
    assert abs((row0 + row1) / 2 - 675) < 20
    assert abs((col0 + col1) / 2 - 975) < 20


def test_the_smallest_images_do_not_break_it() -> None:
    assert uncertain_places(np.ones((1, 1), np.float32), np.zeros((1, 1), bool)) == [(0, 0, 1, 1)]
    assert len(uncertain_places(np.ones((3, 200), np.float32), np.zeros((3, 200), bool))) == 12
