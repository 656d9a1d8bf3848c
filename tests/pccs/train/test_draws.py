"""What is drawn for a step: within the crops, of every kind, and no more than the settings need."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_learner import TINY, crops

from pccs.config import preset
from pccs.train.draws import Draws, draw

LABELLED, UNLABELLED, SIDE = 3, 5, 32


def drawn(mixing: str, times: int = 1, unlabelled: int = UNLABELLED, cutmix: bool = True) -> list[Draws]:
    settings = preset("pccs", {**TINY, "method.mixing": mixing, "data.cutmix": str(cutmix)})
    rng = np.random.default_rng(0)
    return [draw(rng, settings, crops(LABELLED, unlabelled, 2)) for _ in range(times)]


@pytest.mark.parametrize("mixing", ["none", "cutmix", "copy-paste"])
def test_everything_lies_within_the_crops(mixing: str) -> None:
    for one in drawn(mixing, 20):
        assert one.light.shape == (14, LABELLED)
        assert one.strong.shape == (14, UNLABELLED)
        for boxes, count in ((one.boxes, LABELLED), (one.windows, UNLABELLED)):
            assert boxes.shape == (2, count, 2)
            assert (boxes[0] >= 0).all()
            assert (boxes[0] <= boxes[1]).all()
            assert (boxes[1] <= SIDE).all()
        assert sorted(one.others) == list(range(LABELLED))
        assert sorted(one.neighbours) == list(range(UNLABELLED))
        assert ((one.partners >= 0) & (one.partners < LABELLED)).all()


def test_a_crop_is_never_its_own_partner() -> None:
    for one in drawn("cutmix", 20):
        assert (one.others != torch.arange(LABELLED)).all()
        assert (one.neighbours != torch.arange(UNLABELLED)).all()


def test_copy_and_paste_goes_both_ways_with_every_annotated_crop() -> None:
    many = drawn("copy-paste", 20)
    share = torch.stack([one.inverted for one in many]).float().mean()
    assert 0.3 < share < 0.7
    assert all(set(one.partners.tolist()) == set(range(LABELLED)) for one in many)
    assert len({tuple(one.partners.tolist()) for one in many}) > 5


@pytest.mark.parametrize("mixing", ["none", "cutmix"])
def test_other_ways_of_mixing_paste_the_inside_alone(mixing: str) -> None:
    assert not any(one.inverted.any() for one in drawn(mixing, 20))


def test_without_mixing_the_rectangles_are_empty() -> None:
    (one,) = drawn("none", cutmix=False)
    assert (one.boxes == 0).all()
    assert (one.windows == 0).all()


def test_without_unlabelled_crops_nothing_is_drawn_for_them() -> None:
    (one,) = drawn("copy-paste", unlabelled=0)
    assert one.strong.shape == (14, 0)
    assert all(len(part) == 0 for part in (one.neighbours, one.partners, one.inverted))


def test_the_next_step_draws_something_else() -> None:
    first, second = drawn("copy-paste", 2)
    assert not torch.equal(first.light, second.light)
    assert not torch.equal(first.windows, second.windows)
