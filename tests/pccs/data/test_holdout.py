"""Held-out blocks are a rule: the same everywhere, about the share asked for."""

from __future__ import annotations

import pytest
import torch

from pccs.data.holdout import held_out


def test_the_same_in_every_process_and_for_every_annotation() -> None:
    a = held_out("item", 100, 120, share=0.2, block=16, seed=1)
    assert torch.equal(a, held_out("item", 100, 120, share=0.2, block=16, seed=1))
    assert not torch.equal(a, held_out("other", 100, 120, share=0.2, block=16, seed=1))
    assert not torch.equal(a, held_out("item", 100, 120, share=0.2, block=16, seed=2))
    # written down, so that an upgrade cannot move the blocks of a run that is resumed
    assert int(a.sum()) == 2976


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_about_the_share_asked_for_in_whole_blocks(share: float) -> None:
    masks = torch.stack([held_out(f"i{k}", 96, 96, share=share, block=24, seed=0) for k in range(200)])
    assert masks.float().mean().item() == pytest.approx(share, abs=0.03)
    blocks = masks.view(200, 4, 24, 4, 24).float().mean((2, 4))
    assert set(blocks.unique().tolist()) == {0.0, 1.0}


def test_nothing_when_nothing_is_asked_for() -> None:
    assert not held_out("i", 50, 50, share=0.0, block=8, seed=0).any()
