"""``benchmarks.by_rows`` and ``benchmarks.three_planes``: that they measure what they say, in small."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from benchmarks import by_rows, three_planes
from pccs.export import by_rows as engine


def test_both_ways_are_measured_and_give_the_same_masks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    by_rows.small_model(tmp_path / "model")
    images = [str(by_rows.picture(tmp_path, side)) for side in (512, 530)]
    taken: list[bool] = []
    real = engine.write_by_rows
    monkeypatch.setattr(
        "pccs.export.stream.write_by_rows", lambda *a, **k: taken.append(True) or real(*a, **k)
    )
    masks = []
    for way in by_rows.WAYS:
        out = tmp_path / way
        job = {
            "model": str(tmp_path / "model"),
            "images": images,
            "out": str(out),
            "memory": by_rows.WAYS[way],
        }
        assert by_rows._child(job) == 0
        found = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert found["mib"] >= 0
        assert found["seconds"] > 0
        masks.append(tifffile.imread(out / "masks" / "plane.tif"))
        assert len(taken) == (2 if way == "rows" else 0)
    assert masks[0].shape == (530, 530)
    assert np.array_equal(*masks)


def test_three_directions_are_measured_beside_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ["net.widths=4,4,8,8,8", "net.embedding=8", "data.crop=32", "data.scale=0.3", "data.unlabelled=0"]
    options = [word for setting in small for word in ("--set", setting)]
    target = tmp_path / "a.json"
    monkeypatch.setattr(sys, "argv", ["x", "--quick", "--steps", "2", *options, "--json", str(target)])
    assert three_planes.main() == 0
    said = capsys.readouterr().out
    assert "| stack | 1 " in said
    assert "| stack | 3 " in said
    assert {"stack_planes1_dice", "stack_planes3_alike"} <= set(json.loads(target.read_text())["figures"])


def test_data_that_are_not_here_are_left_out(tmp_path: Path) -> None:
    assert three_planes.cord(tmp_path) is None
    assert three_planes.hearts(tmp_path, 2) is None
