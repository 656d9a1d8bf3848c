"""The comparison of augmentations does the same work on both sides, and says so when one is missing."""

from __future__ import annotations

import sys

import pytest
import torch

from benchmarks import augmentation


def test_own_side_turns_image_and_target_alike() -> None:
    targets = (torch.rand(3, 60, 60) > 0.5).long()
    crops, labels = augmentation.own(targets.unsqueeze(1).float(), targets, 24)()
    assert crops.shape == (3, 1, 24, 24)
    assert labels.shape == (3, 24, 24)
    assert set(labels.unique().tolist()) <= {0, 1, 255}
    bright = [float(c[0][t == 1].mean() - c[0][t == 0].mean()) for c, t in zip(crops, labels, strict=True)]
    assert min(bright) > 0


def test_both_sides_give_the_same_shapes() -> None:
    pytest.importorskip("kornia")
    images, targets = torch.rand(2, 1, 60, 60), torch.zeros(2, 60, 60, dtype=torch.long)
    for way in (augmentation.own, augmentation.with_kornia):
        crops, labels = way(images, targets, 24)()
        assert (crops.shape, labels.shape, labels.dtype) == ((2, 1, 24, 24), (2, 24, 24), torch.int64)


def test_without_kornia_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "kornia", None)
    monkeypatch.setattr(sys, "argv", ["augmentation", "--quick"])
    assert augmentation.main() == 0
    said = capsys.readouterr()
    assert "pip install kornia" in said.err
    assert "own ms" not in said.out, "no figure without its baseline"
