"""The demonstration, run for real with few steps, and its drawing."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from skimage.io import imread

from pccs.demo import run_demo
from pccs.demo.pictures import curve_chart
from pccs.demo.score import Tally
from pccs.labels import default_classes
from pccs.metrics import evaluate_folder
from pccs.predict import Prediction
from pccs.project import Project
from pccs.samples import truth_folder

STEPS = 21


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demonstration of few steps."""
    out = tmp_path_factory.mktemp("demo") / "out"
    run_demo(out, steps=STEPS, seed=1, device="cpu")
    return out


def test_summary_has_the_agreed_form(shown: Path) -> None:
    summary = json.loads((shown / "summary.json").read_text())
    arm = {"dice", "iou", "ece", "steps", "seconds"}
    assert summary.keys() == {
        "supervised", "pccs", "gain_dice", "first_overlay_seconds", "device", "seed",
    }  # fmt: skip
    for name in ("supervised", "pccs"):
        assert summary[name].keys() == arm
        assert summary[name]["steps"] == STEPS
        assert 0 < summary[name]["iou"] < summary[name]["dice"] < 1
        assert 0 <= summary[name]["ece"] <= 1
    assert summary["gain_dice"] == pytest.approx(summary["pccs"]["dice"] - summary["supervised"]["dice"])
    assert 0 < summary["first_overlay_seconds"] < 120
    assert (summary["device"], summary["seed"]) == ("cpu", 1)


def test_masks_of_every_image_agree_with_the_table(
    shown: Path, tmp_path: Path, sample_project: Project
) -> None:
    """An independent reading of the exported masks gives the Dice that was printed."""
    summary = json.loads((shown / "summary.json").read_text())
    assert len(list((shown / "pccs" / "masks").iterdir())) == 40
    truth = tmp_path / "truth"
    truth.mkdir()
    for item in sample_project.select("unannotated"):
        shutil.copy(truth_folder("cells") / f"{item.stem}.png", truth)
    found = evaluate_folder(shown / "pccs", truth, sample_project.classes)
    assert found["n_images"] == 34
    assert found["mean_dice"] == pytest.approx(summary["pccs"]["dice"], abs=1e-9)


def test_pictures_are_drawn(shown: Path) -> None:
    for name in ("examples.png", "curve.png"):
        picture = imread(shown / name)
        assert picture.shape[0] > 300
        assert picture.std() > 5


def test_nothing_else_is_left_behind(shown: Path) -> None:
    names = {p.name for p in shown.iterdir()}
    assert names == {"summary.json", "examples.png", "curve.png", "supervised", "pccs"}


def prediction(labels: np.ndarray) -> Prediction:
    """A prediction that is sure of ``labels`` (class values 1 and 2)."""
    probabilities = np.stack([labels == 1, labels == 2]).astype(np.float32)
    return Prediction(labels.astype(np.uint8), np.zeros(labels.shape, np.float32), None, probabilities)


def test_tally_pools_a_group_and_leaves_out_what_is_absent() -> None:
    tally = Tally(default_classes())
    empty, full = np.ones((2, 2), np.uint8), np.full((2, 2), 2, np.uint8)
    half = np.array([[2, 2], [1, 1]], np.uint8)
    tally.add("a", prediction(full), half)  # 2 of 4 right: Dice 2·2/(4+2)
    tally.add("a", prediction(empty), half)  # pooled: both 2, mask 4, truth 4 → 0.5
    tally.add("b", prediction(empty), empty)  # has no object: says nothing
    score = tally.score()
    assert score.dice == pytest.approx(0.5)
    assert score.iou == pytest.approx(2 / 6)
    assert score.ece == pytest.approx(4 / 12)
    assert math.isnan(Tally(default_classes()).score().dice)


def test_chart_of_nothing_is_still_a_chart(tmp_path: Path) -> None:
    curve_chart(tmp_path / "c.png", {"pccs": []}, "title", "seconds")
    assert imread(tmp_path / "c.png").shape == (420, 760, 3)
