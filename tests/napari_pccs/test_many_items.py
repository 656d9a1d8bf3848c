"""Many items: opening, sorting and walking stay quick; thumbnails are read only when looked at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_pccs.thumbnails import SIDE, shrink
from pccs.project import Project

if TYPE_CHECKING:
    from napari_pccs.panel import PccsPanel

MANY = 20_000


def test_twenty_thousand_items(panel: PccsPanel, tmp_path: Path) -> None:
    np.save(tmp_path / "long.npy", np.zeros((MANY, 8, 8), np.uint8))
    with Project.create(tmp_path / "long.pccs") as project:
        project.add_source(tmp_path / "long.npy")
    panel.session.open_project(tmp_path / "long.pccs")
    model = panel.items.model
    assert model.rowCount() == MANY
    model.sort(1)
    panel.session.step_item(1, panel.items.order())
    panel.items.filter.setText("long:1999")
    assert model.rowCount() == 11
    assert panel.session.need_item().name == "long:1"
    assert len(model.thumbnails._asked) < 200, "only rows that are looked at"


def test_thumbnails_of_any_image() -> None:
    rng = np.random.default_rng(0)
    grey = shrink(rng.integers(0, 60_000, (301, 100, 1), dtype=np.uint16))
    assert grey.dtype == np.uint8
    assert max(grey.shape[:2]) <= SIDE
    assert grey.min() == 0
    assert grey.max() == 255
    nothing = shrink(np.full((20, 30, 4), np.nan, np.float32))
    assert nothing.shape == (20, 30, 3) or max(nothing.shape[:2]) <= SIDE


def test_a_thumbnail_of_a_grainy_image_shows_what_is_in_it() -> None:
    rng = np.random.default_rng(0)
    image = np.zeros((512, 512, 1), np.float32)
    image[:, 256:] = 30
    small = shrink(image + rng.normal(0, 40, image.shape).astype(np.float32)).astype(float)[..., 0]
    left, right = small[:, : small.shape[1] // 2 - 1], small[:, small.shape[1] // 2 + 1 :]
    assert right.mean() - left.mean() > 2 * left.std()


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 400, 3), (400, 1, 1), (29, 57, 1), (5000, 27, 4)])
def test_a_thumbnail_keeps_to_its_side(shape: tuple[int, int, int]) -> None:
    small = shrink(np.ones(shape, np.uint8))
    assert 0.5 * min(SIDE, max(shape[:2])) <= max(small.shape[:2]) <= SIDE
    assert small.shape[2] == 3
