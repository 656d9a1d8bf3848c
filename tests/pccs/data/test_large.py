"""Planes read band by band are what whole planes give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from scipy.ndimage import gaussian_filter

from pccs.data import large, store
from pccs.data.store import ItemStore, resize_target
from pccs.project import Project

RNG = np.random.default_rng(0)
PLANE = (gaussian_filter(RNG.normal(size=(403, 301)), 6) * 9000 + 20_000).astype(np.uint16)


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (large, store):
        monkeypatch.setattr(module, "LARGE", 10_000)
    monkeypatch.setattr(large, "_BAND", 301 * 40)
    monkeypatch.setattr(large, "_BLOCK", 301 * 7)
    monkeypatch.setattr(store, "_BAND", 301 * 40)
    monkeypatch.setattr(large, "_PATCH", 64)


def stored(folder: Path, scale: float) -> torch.Tensor:
    with Project.open(folder / "p.pccs", write=False) as project:
        return ItemStore(project, channels=1, scale=scale).image("a").clone()


@pytest.mark.parametrize("scale", [1.0, 0.5, 0.2, 0.13, 1.4])
def test_a_large_plane_is_read_in_bands(
    tmp_path: Path, scale: float, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", PLANE, tile=(32, 32), compression="zlib", photometric="minisblack")
    with Project.create(tmp_path / "p.pccs") as project:
        project.add_source(tmp_path / "a.tif", window=(0, 40_000))
    whole = stored(tmp_path, scale)
    request.getfixturevalue("small_limits")
    monkeypatch.setattr(Project, "image", None)  # nobody reads the plane as a whole
    banded = stored(tmp_path, scale)
    assert torch.equal(banded, whole)


@pytest.mark.usefixtures("small_limits")
def test_intensities_of_a_large_plane_are_measured_all_over_it(tmp_path: Path) -> None:
    ramp = np.tile(np.arange(301, dtype=np.float32), (403, 1))
    tifffile.imwrite(tmp_path / "a.tif", ramp, tile=(32, 32), compression="zlib", photometric="minisblack")
    with Project.create(tmp_path / "p.pccs") as project:
        project.add_source(tmp_path / "a.tif")
        image = ItemStore(project, channels=1, scale=0.2).image("a")
        assert abs(float(image.mean())) < 0.1
        assert float(image.std()) == pytest.approx(1, abs=0.1)


def test_targets_in_bands_are_those_of_the_whole(request: pytest.FixtureRequest) -> None:
    target = np.full((403, 301), 255, np.uint8)
    target[:390, 10:200] = np.arange(390)[:, None] // 70 % 3
    whole = resize_target(target, 3, (81, 60))
    request.getfixturevalue("small_limits")
    assert np.array_equal(resize_target(target, 3, (81, 60)), whole)
