"""The comparison of slices with and without their neighbours: what it measures, and that it runs."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import slice_context
from pccs.labels import default_classes
from pccs.predict import Prediction


class Still:
    """Says of every slice what it was told."""

    def __init__(self, labels: np.ndarray) -> None:
        self.labels = labels

    def predict_item(self, project: object, item: str) -> Prediction:
        plane = self.labels[int(item.partition(":")[2])]
        nothing = np.zeros(plane.shape, np.float32)
        return Prediction(plane, nothing, None, nothing[None])


def test_dice_of_volumes_and_likeness_of_neighbours() -> None:
    truth = np.ones((4, 10, 10), np.uint8)
    truth[1:3, 2:6, 2:6] = 2
    volume = slice_context.Volume("a", truth, truth)
    task = slice_context.Task("t", default_classes()[:2], [], [volume])
    exact = slice_context.measure(Still(truth), task)  # type: ignore[arg-type]
    assert exact == slice_context.Found(1.0, pytest.approx(1 / 3), pytest.approx(1 / 3))
    flicker = truth.copy()
    flicker[2] = 1
    found = slice_context.measure(Still(flicker), task)  # type: ignore[arg-type]
    assert (found.dice, found.alike) == (pytest.approx(2 / 3), 0.0)


def test_every_second_slice_is_annotated(tmp_path: Path) -> None:
    task = slice_context.sample(tmp_path)
    assert len(task.train[0].truth) + len(task.held[0].truth) == 16
    with slice_context.project_of(task) as project:
        assert project.annotated_items() == [f"half0:{k}" for k in (0, 2, 4, 6)]


def test_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    small = ["net.widths=4,4,8,8,8", "net.embedding=8", "data.crop=32", "data.scale=0.3", "data.unlabelled=0"]
    options = [word for setting in small for word in ("--set", setting)]
    monkeypatch.setattr(
        sys, "argv", ["x", "--quick", "--steps", "2", *options, "--json", str(tmp_path / "a.json")]
    )
    assert slice_context.main() == 0
    assert "| stack | 1 " in capsys.readouterr().out
