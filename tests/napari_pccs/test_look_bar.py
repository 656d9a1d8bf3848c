"""Overlays in two lines: legend, threshold, the least sure place, disagreement instead."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt

from napari_pccs.review import Prediction
from napari_pccs.viewer_link import ANNOTATION, PREDICTION, REGION, UNCERTAINTY

if TYPE_CHECKING:
    from napari_pccs.panel import PccsPanel


@pytest.fixture
def shown(panel: PccsPanel, project_path: Path) -> PccsPanel:
    """An image, 48 × 64, whose prediction doubts one corner and whose networks differ in another."""
    session = panel.session
    session.open_project(project_path)
    uncertainty, disagreement = np.zeros((2, 48, 64), np.float32)
    uncertainty[4:8, 8:12], uncertainty[40:44, 56:60], disagreement[30:34, 4:8] = 0.9, 0.5, 0.8
    labels = np.ones((48, 64), np.uint8)
    session.prediction = Prediction("a", labels, uncertainty, disagreement, 9, "r", 1)
    session.signals.prediction_changed.emit()
    return panel


def alpha(panel: PccsPanel, value: float) -> float:
    """How opaque the tint is on screen where the map has ``value``."""
    return float(panel.viewer.layers[UNCERTAINTY].colormap.map(np.array([value]))[0, 3])


def centre(panel: PccsPanel) -> tuple[float, float]:
    return panel.viewer.scene.camera.center[-2:]


def test_the_tint_grows_with_uncertainty_and_stops_at_the_threshold(shown: PccsPanel) -> None:
    assert alpha(shown, 0.0) == 0
    assert 0 < alpha(shown, 0.3) < alpha(shown, 0.6) < alpha(shown, 1.0) < 1
    before = alpha(shown, 0.6)
    shown.look.legend.setValue(40)
    assert alpha(shown, 0.3) == 0
    assert alpha(shown, 0.6) == pytest.approx(before, abs=1e-3)
    assert "0.40" in shown.look.legend.toolTip()
    assert "1% of this image" in shown.look.legend.toolTip()  # 32 of 3072 pixels


def test_the_handle_follows_the_mouse_and_the_keys(shown: PccsPanel, qtbot: Any) -> None:
    legend = shown.look.legend
    legend.setFixedSize(207, 20)
    qtbot.mouseClick(legend, Qt.MouseButton.LeftButton, pos=QPoint(103, 10))
    assert legend.value() == 50
    qtbot.keyClick(legend, Qt.Key.Key_Right)
    assert legend.value() == 51
    assert shown.link.threshold == 0.51


def test_the_legend_is_bare_below_the_threshold_and_tinted_above(shown: PccsPanel) -> None:
    legend = shown.look.legend
    legend.setFixedSize(207, 20)
    legend.setValue(50)
    picture = legend.grab().toImage()
    left, right = picture.pixelColor(50, 10), picture.pixelColor(195, 10)
    assert left.red() == left.green() == left.blue()
    assert right.red() > right.green() + 40


def test_least_sure_place_moves_the_view_there_then_to_the_next(shown: PccsPanel) -> None:
    camera = shown.viewer.scene.camera
    camera.zoom = 200.0
    shown.look.jump.click()
    assert centre(shown) == pytest.approx((5.5, 9.5), abs=2)
    assert camera.zoom == 200.0
    assert shown.viewer.layers.selection.active.name == ANNOTATION
    assert shown.viewer.layers[REGION].nshapes == 1
    shown.look.jump.click()
    assert centre(shown) == pytest.approx((41.5, 57.5), abs=2)
    shown.look.jump.click()
    assert centre(shown) == pytest.approx((5.5, 9.5), abs=2)


def test_painted_places_are_settled(shown: PccsPanel) -> None:
    layer = shown.viewer.layers[ANNOTATION]
    layer.brush_size = 10
    layer.paint((5, 9), 2)
    shown.look.jump.click()
    assert centre(shown) == pytest.approx((41.5, 57.5), abs=2)


def test_disagreement_takes_the_place_of_uncertainty(shown: PccsPanel) -> None:
    shown.look.map.setCurrentIndex(shown.look.map.findData("disagreement"))
    assert shown.viewer.layers[UNCERTAINTY].data[31, 5] == np.float32(0.8)
    assert shown.viewer.layers[UNCERTAINTY].data[5, 9] == 0
    assert shown.look.unsure.text() == "differ"
    shown.look.jump.click()
    assert centre(shown) == pytest.approx((31.5, 5.5), abs=2)


def test_the_boxes_hide_the_overlays(shown: PccsPanel) -> None:
    shown.look.prediction.click()
    shown.look.uncertainty.click()
    assert not shown.viewer.layers[PREDICTION].visible
    assert not shown.viewer.layers[UNCERTAINTY].visible


def test_the_boxes_follow_naparis_own_eye(shown: PccsPanel) -> None:
    shown.viewer.layers[UNCERTAINTY].visible = False
    assert not shown.look.uncertainty.isChecked()
    assert shown.look.prediction.isChecked()
    shown.viewer.layers[UNCERTAINTY].visible = True
    assert shown.look.uncertainty.isChecked()


def test_without_a_prediction_the_button_says_what_is_missing(panel: PccsPanel, project_path: Path) -> None:
    assert not panel.look.isVisibleTo(panel)
    panel.session.open_project(project_path)
    assert not panel.look.jump.isEnabled()
    assert "train first" in panel.look.jump.toolTip()
