"""``benchmarks.tiled``: its measures find a seam where there is one, and none where there is none."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import tiled
from benchmarks._harness import ROOT
from pccs.labels import make_class
from pccs.nets import ModelFacts, SegmentationNet
from pccs.predict import Predictor

FACTS = ModelFacts(tuple(make_class(k + 1, f"c{k}") for k in range(3)), 1, 1.0, (8, 8, 8, 8, 8), 8)


def network() -> SegmentationNet:
    torch.manual_seed(0)
    net = FACTS.build().eval()
    assert isinstance(net, SegmentationNet)
    return net


def test_a_step_is_seen_where_tiles_meet_and_smooth_differences_are_none() -> None:
    smooth = torch.linspace(0, 0.1, 200).expand(1, 3, 50, 200)
    assert tiled._step(smooth, [64, 128]) == pytest.approx(0, abs=1e-6)
    broken = smooth.clone()
    broken[..., 64:] += 0.05
    assert tiled._step(broken, [64]) == pytest.approx(0.05, abs=1e-4)
    assert tiled._step(broken, [100]) < 0.001


def test_where_tiles_meet() -> None:
    assert tiled._starts(1024, 512, 0.25) == [384, 512, 896]  # MONAI's: 0, 384, and 512 at the end
    assert tiled._ends(2048, 848, 96) == [720, 1344]


def test_arms_come_to_the_same_and_ours_has_no_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiled, "TILE", 512)
    monkeypatch.setattr("pccs.predict.tiles.TILE", 512)
    monkeypatch.setattr("pccs.predict.tiles.WHOLE", 512 * 512)
    net, x = network(), tiled.patchwork(640)
    assert x.shape == (1, 1, 640, 640)
    figures = tiled.apart(net, x)
    assert figures["ours"]["alike"] < figures["monai"]["max"]
    assert figures["ours"]["step"] < figures["monai"]["step"] + 1e-3
    assert set(tiled.times(net, tiled.patchwork(512), 1)) == set(tiled.ARMS)


def test_memory_is_that_of_the_arm(tmp_path: Path) -> None:
    model = Predictor(FACTS, network(), torch.device("cpu")).save_model(tmp_path)
    job = json.dumps({"arm": "ours", "model": str(model), "side": 640})
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.tiled", "--child", job],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert 5 < float(done.stdout.split()[-1]) < 1000
