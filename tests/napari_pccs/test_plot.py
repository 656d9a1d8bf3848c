"""The curves: read with the mouse, other runs beside them, a point opens its image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import xvfb_display
from qtpy.QtCore import QEvent, QPointF
from qtpy.QtWidgets import QApplication

from napari_pccs.plot import Plot
from napari_pccs.training import Curve

pytestmark = pytest.mark.skipif(bool(xvfb_display.MISSING), reason=xvfb_display.MISSING or "a display")


@pytest.fixture
def opened(qtbot: Any) -> Iterator[tuple[Plot, list[str]]]:
    names: list[str] = []
    plot = Plot(names.append)
    qtbot.addWidget(plot)
    plot.resize(360, 320)
    plot.show_training(Curve([0.0, 50.0, 100.0], [1.0, 0.5, 0.25]), Curve([50.0, 100.0], [0.4, 0.8]))
    plot.show_corrected([("first", 0.5), ("second", 0.9)])
    plot.show()
    qtbot.waitExposed(plot)
    qtbot.waitUntil(lambda: bool(hover(plot, plot._top, 52.0, 0.6)))  # all is where it will be
    yield plot, names
    plot.close()


def hover(plot: Plot, widget: Any, x: float, y: float) -> str:
    """Put the mouse on a point of a plot; what the plot says then."""
    QApplication.processEvents()
    where = widget.getViewBox().mapViewToScene(QPointF(x, y))
    widget.scene().sigMouseMoved.emit(where)
    label = next(h for h in plot._hovers if h.parent() is widget).label
    return str(label.text()) if label.isVisible() else ""


def test_curves_tell_their_values_at_the_mouse(opened: tuple[Plot, list[str]]) -> None:
    plot, _ = opened
    assert hover(plot, plot._top, 52.0, 0.6) == "step 50  ·  loss 0.50  ·  Dice 0.40"
    assert hover(plot, plot._top, 96.0, 0.6) == "step 100  ·  loss 0.25  ·  Dice 0.80"
    assert hover(plot, plot._bottom, 1.8, 0.6) == "second (click to open)  ·  Dice 0.90"
    QApplication.sendEvent(plot._top.viewport(), QEvent(QEvent.Type.Leave))
    assert not plot._hovers[0].label.isVisible()


def test_nothing_is_said_beside_the_curves(opened: tuple[Plot, list[str]]) -> None:
    plot, _ = opened
    assert hover(plot, plot._top, -1e6, 0.0) == ""


def test_other_runs_are_drawn_and_told(opened: tuple[Plot, list[str]]) -> None:
    plot, _ = opened
    plot.show_others({"0001-pccs": Curve([50.0, 100.0], [0.3, 0.6])})
    assert hover(plot, plot._top, 98.0, 0.6).endswith("Dice of 0001-pccs 0.60")
    plot.show_others({})
    assert "0001" not in hover(plot, plot._top, 98.0, 0.6)


def test_a_click_on_a_corrective_point_opens_its_image(opened: tuple[Plot, list[str]], qtbot: Any) -> None:
    from qtpy.QtCore import Qt

    plot, names = opened
    QApplication.processEvents()
    scene = plot._bottom.getViewBox().mapViewToScene(QPointF(2.0, 0.9))
    qtbot.mouseClick(plot._bottom.viewport(), Qt.MouseButton.LeftButton, pos=plot._bottom.mapFromScene(scene))
    qtbot.waitUntil(lambda: names == ["second"], timeout=5000)


def test_curves_follow_the_theme(opened: tuple[Plot, list[str]]) -> None:
    plot, _ = opened
    plot.recolor("#ffffff", "#101010")
    assert "#101010" in plot._hovers[0].label.styleSheet()
