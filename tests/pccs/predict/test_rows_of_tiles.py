"""A large image looked at row of tiles by row of tiles, each apart: the same as all at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pccs.images import write_tiff
from pccs.labels import make_class
from pccs.nets import ModelFacts
from pccs.predict import Predictor, tiles
from pccs.predict.rows import look_at_row, rows_of_tiles, see_row, settled_for
from pccs.project import Project

CLASSES = tuple(make_class(k + 1, f"class {k}") for k in range(3))


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "TILE", 288)
    monkeypatch.setattr(tiles, "WHOLE", 288 * 288)


def predictor(scale: float) -> Predictor:
    torch.manual_seed(0)
    facts = ModelFacts(CLASSES, 1, scale, (4, 4, 8, 8, 8), 8)
    return Predictor(facts, facts.build().eval(), torch.device("cpu"))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    rng = np.random.default_rng(0)
    write_tiff(tmp_path / "large.tif", rng.integers(0, 255, (523, 301), np.uint8), "YX", (None, None))
    write_tiff(tmp_path / "small.tif", rng.integers(0, 255, (90, 80), np.uint8), "YX", (None, None))
    with Project.create(tmp_path / "p.pccs", CLASSES) as project:
        project.add_source(tmp_path / "large.tif")
        project.add_source(tmp_path / "small.tif")
        yield project


@pytest.mark.parametrize("scale", [1.0, 0.83, 1.3])
def test_rows_apart_are_the_image(small_tiles, project, scale):
    whole, apart = predictor(scale), predictor(scale)
    wanted = whole.predict_item(project, "large")
    info = project.sources["large"].info
    count = rows_of_tiles(apart, info)
    assert count >= 2
    weights = settled_for(apart, project, "large")
    shares = [look_at_row(apart, project, "large", k, weights) for k in reversed(range(count))][::-1]
    above = [None, *(one[:, -1:] for one in shares[:-1])]
    seen = [see_row(apart, info, k, shares[k], above[k]) for k in range(count)]
    assert np.array_equal(np.concatenate([one.labels for one in seen]), wanted.labels)
    assert np.array_equal(np.concatenate([one.uncertainty for one in seen]), wanted.uncertainty)
    found = np.concatenate([one.probabilities for one in seen], axis=1)
    assert np.array_equal(found, wanted.probabilities)


def test_a_small_image_is_one_row(small_tiles, project):
    assert rows_of_tiles(predictor(1.0), project.sources["small"].info) == 1
