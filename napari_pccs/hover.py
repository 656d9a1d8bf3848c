"""The values of a plot's curves at the mouse: a thin line through the nearest point, and words."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QLabel

from napari_pccs.training import Curve

MARGIN = 4


class Line(NamedTuple):
    """A curve that can be read: what its value is called, and its points."""

    name: str
    curve: Curve


class Hover(QObject):
    """Shows what the curves of a plot say where the mouse is.

    Parameters
    ----------
    widget
        A pyqtgraph ``PlotWidget``.
    lines
        The curves; the first that has points decides which point is nearest.
    words
        What a place on the x axis is called.
    """

    def __init__(
        self, widget: Any, lines: Callable[[], Sequence[Line]], words: Callable[[float], str]
    ) -> None:
        super().__init__(widget)
        import pyqtgraph

        self._widget, self._lines, self._words = widget, lines, words
        self.label = QLabel(widget)
        self.label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.label.setTextFormat(Qt.TextFormat.PlainText)
        self.label.hide()
        self._mark = pyqtgraph.InfiniteLine(angle=90, movable=False)
        self._mark.hide()
        widget.addItem(self._mark, ignoreBounds=True)
        widget.scene().sigMouseMoved.connect(self._moved)
        widget.viewport().installEventFilter(self)

    def recolor(self, background: str, foreground: str) -> None:
        """Follow napari's theme."""
        self.label.setStyleSheet(f"background: {background}; color: {foreground}; padding: 1px 4px;")
        self._mark.setPen(foreground)

    def eventFilter(self, watched: Any, event: Any) -> bool:  # noqa: N802 (Qt's name)
        """Nothing is said any more when the mouse has left."""
        if event.type() == QEvent.Type.Leave:
            self._hide()
        return False

    def _moved(self, where: Any) -> None:
        lines = [line for line in self._lines() if line.curve.x]
        view = self._widget.getViewBox()
        if not lines or not view.sceneBoundingRect().contains(where):
            self._hide()
            return
        x = _nearest(lines[0].curve.x, view.mapSceneToView(where).x())
        said = [f"{line.name} {_value(line.curve, x):.2f}" for line in lines]
        self._mark.setPos(x)
        self._mark.show()
        self.label.setText("  ·  ".join([self._words(x), *said]))
        self.label.adjustSize()
        room = self._widget.width() - self.label.width() - MARGIN
        self.label.move(max(0, min(int(where.x()) + 3 * MARGIN, room)), MARGIN)
        self.label.show()

    def _hide(self) -> None:
        self.label.hide()
        self._mark.hide()


def _nearest(xs: Sequence[float], x: float) -> float:
    """The one of ascending ``xs`` that is nearest to ``x``."""
    after = min(bisect_left(xs, x), len(xs) - 1)
    before = max(0, after - 1)
    return xs[before] if x - xs[before] < xs[after] - x else xs[after]


def _value(curve: Curve, x: float) -> float:
    """What a curve was last at ``x``: its newest point until then, or its first."""
    position = bisect_left(curve.x, x)
    if position < len(curve.x) and curve.x[position] == x:
        return curve.y[position]
    return curve.y[max(0, position - 1)]
