"""The simulated annotator: strokes that tell the truth, in every class, and few."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks._data import DATA_SETS, Row, Source
from benchmarks._scribbles import Pace, scribble


@pytest.fixture
def disk() -> np.ndarray:
    """A disk of radius 20 with a hole of another class, in 96 × 128."""
    rows, columns = np.indices((96, 128))
    radius = np.hypot(rows - 40, columns - 60)
    truth = np.ones((96, 128), np.uint8)
    truth[radius <= 20] = 2
    truth[radius <= 6] = 3
    return truth


def test_strokes_lie_inside_their_class_and_every_class_has_some(disk: np.ndarray) -> None:
    strokes, lengths = scribble(disk, 5)
    assert strokes.dtype == np.uint8
    assert (strokes[strokes > 0] == disk[strokes > 0]).all()
    assert set(np.unique(strokes)) == {0, 1, 2, 3}
    assert 0.005 <= (strokes > 0).mean() <= 0.06
    assert len(lengths) >= 3


def test_the_seed_decides(disk: np.ndarray) -> None:
    assert (scribble(disk, 1)[0] == scribble(disk, 1)[0]).all()
    assert (scribble(disk, 1)[0] != scribble(disk, 2)[0]).any()


def test_specks_and_thin_lines_get_a_dab() -> None:
    truth = np.ones((32, 32), np.uint8)
    truth[5, 5] = 2
    truth[20, 3:29] = 3
    strokes, _ = scribble(truth, 0)
    assert strokes[5, 5] == 2
    assert (strokes[20, 3:29] == 3).any()


def test_an_image_of_one_class_is_scribbled_too() -> None:
    strokes, _ = scribble(np.ones((64, 64), np.uint8), 0)
    assert set(np.unique(strokes)) == {0, 1}


def test_time_grows_with_what_is_drawn() -> None:
    pace = Pace(item=1.0, stroke=2.0, stroke_speed=10.0, region=3.0, contour_speed=5.0)
    assert pace.scribbles([20.0, 30.0]) == pytest.approx(1 + 2 * 2 + 5)
    square = np.ones((30, 30), np.uint8)
    square[10:20, 10:20] = 2
    around = 4 * 9 + 4 * np.sqrt(0.5)  # half a pixel outside, corners cut
    assert pace.complete(square) == pytest.approx(1 + 3 + around / 5)
    assert pace.complete(np.ones((30, 30), np.uint8)) == pytest.approx(1.0)


@pytest.mark.shared
@pytest.mark.parametrize("name", ["busi", "acdc", "dsb", "isbi"])
def test_real_images_are_covered_sparsely(name: str, shared_data: Path) -> None:
    data = Source(DATA_SETS[name], shared_data)
    (first,) = data.draw(data.parts(None)[0], Row(name, 1), seed=0)
    truth = data.truth(first)
    strokes, _ = scribble(truth, 0)
    assert (strokes[strokes > 0] == truth[strokes > 0]).all()
    assert set(np.unique(truth)) <= set(np.unique(strokes))
    assert 0.003 <= (strokes > 0).mean() <= 0.05
