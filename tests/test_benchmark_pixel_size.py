"""The comparison of pixel sizes resamples image and truth alike, and measures what it says."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import pixel_size
from benchmarks._data import DATA_SETS, Source
from pccs.images.physical import pixel_mm


def test_image_and_truth_are_resampled_alike() -> None:
    truth = np.zeros((60, 80), np.uint8)
    truth[12:30, 20:50] = 1
    image = np.stack([truth * 200, 255 - truth * 200], axis=-1)
    for mm in pixel_size.SIZES:
        small = pixel_size.at_size(image, mm)
        assert small.dtype == np.uint8
        assert small.shape == (round(60 / mm), round(80 / mm), 2)
        mask = pixel_size.mask_at(truth, small.shape[:2])
        assert np.mean((small[..., 0] > 100) != mask) < 0.01
        assert mask.sum() * mm**2 == pytest.approx(truth.sum(), rel=0.1)
    assert pixel_size.mask_at(truth, truth.shape).tobytes() == truth.tobytes()


def test_the_project_has_every_size_among_annotated_and_others(tmp_path: Path) -> None:
    source = Source(DATA_SETS["cells"], tmp_path)
    names = source.parts(None)[0][:8]
    with pixel_size.make_project(tmp_path, source, names, names[:4], one_size=False) as project:
        sizes = {name: pixel_mm(project.sources[name].info) for name in names}
        assert [sizes[n][0] for n in names[:4]] == [0.6, 1.0, 1.7, 0.6]  # type: ignore[index]
        assert project.annotated_items() == names[:4]
        assert project.shape(names[0]) == (320, 320)
    (tmp_path / "one").mkdir()
    with pixel_size.make_project(tmp_path / "one", source, names[:2], names[:1], one_size=True) as project:
        assert {project.shape(name) for name in names[:2]} == {(192, 192)}


def test_it_prints_its_baseline_and_a_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ["net.widths=4,4,8,8,8", "net.embedding=8", "data.crop=32", "data.scale=0.3"]
    words = ["--quick", "--steps", "2", "--every", "6", "--unlabelled", "2", "--preset", "supervised"]
    options = [word for setting in small for word in ("--set", setting)]
    monkeypatch.setattr(sys, "argv", ["x", *words, *options, "--json", str(tmp_path / "a.json")])
    assert pixel_size.main() in (0, 1)
    said = capsys.readouterr()
    assert "one factor" in said.out
    assert "target cells-9_gain_seed0 >= 0" in said.out
    assert (tmp_path / "a.json").exists()
