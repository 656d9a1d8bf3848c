"""Curves of a training: loss, validation Dice, and corrective Dice, the honest one.

pyqtgraph takes most of a second to import, so it is imported when the plot is first shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_pccs.hover import Hover, Line
from napari_pccs.training import Curve

LOSS, VALIDATION, CORRECTIVE = "#e69f00", "#56b4e9", "#009e73"
OTHERS = "#8f8f8f"
"""Colour of the Dice of other runs: grey, and dashed."""
HEIGHT = 150


class Plot(QWidget):
    """Three small curves in one widget.

    Parameters
    ----------
    on_item
        Called with an item's name when its point on the corrective curve is clicked.
    """

    def __init__(self, on_item: Callable[[str], None]) -> None:
        super().__init__()
        self._on_item = on_item
        self._names: list[str] = []
        self._training = (Curve(), Curve())
        self._others: dict[str, Curve] = {}
        self._other_items: list[Any] = []
        self._corrected: list[float] = []
        self._colors = ("#262930", "#f0f1f2")
        self._loss: Any = None
        self.setMinimumHeight(HEIGHT)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)

    def showEvent(self, event: Any) -> None:  # noqa: N802 (Qt's name)
        """Build the curves when they are first looked at."""
        self._build()
        super().showEvent(event)

    def show_training(self, loss: Curve, validation: Curve) -> None:
        """Draw loss and validation Dice against the step."""
        self._training = (loss, validation)
        self._draw()

    def show_others(self, others: Mapping[str, Curve]) -> None:
        """Draw the validation Dice of other runs, by name, to compare with."""
        self._others = dict(others)
        self._draw_others()

    def show_corrected(self, corrected: Sequence[tuple[str, float]]) -> None:
        """Draw corrective Dice, in the order the items were corrected."""
        self._names = [name for name, _ in corrected]
        self._corrected = [dice for _, dice in corrected]
        self._draw()

    def _draw(self) -> None:
        if self._loss is None:
            return
        loss, validation = self._training
        self._loss.setData(loss.x, loss.y)
        self._validation.setData(validation.x, validation.y)
        self._corrective.setData(list(range(1, len(self._corrected) + 1)), self._corrected)
        self._bottom.setVisible(bool(self._corrected))

    def _draw_others(self) -> None:
        if self._loss is None:
            return
        import pyqtgraph

        for item in self._other_items:
            self._right.removeItem(item)
        pen = pyqtgraph.mkPen(OTHERS, width=1, style=Qt.PenStyle.DashLine)
        self._other_items = [pyqtgraph.PlotDataItem(c.x, c.y, pen=pen) for c in self._others.values()]
        for item in self._other_items:
            self._right.addItem(item)

    def _lines(self) -> list[Line]:
        """What can be read off the upper plot at the mouse."""
        loss, validation = self._training
        others = [Line(f"Dice of {name}", curve) for name, curve in self._others.items()]
        return [Line("loss", loss), Line("Dice", validation), *others]

    def _corrections(self) -> list[Line]:
        numbers = [float(n) for n in range(1, len(self._corrected) + 1)]
        return [Line("Dice", Curve(numbers, self._corrected))]

    def _correction_words(self, number: float) -> str:
        return f"{self._names[round(number) - 1]} (click to open)"

    def recolor(self, background: str, foreground: str) -> None:
        """Follow napari's theme."""
        self._colors = (background, foreground)
        if self._loss is None:
            return
        for widget in (self._top, self._bottom):
            widget.setBackground(background)
            for side in ("left", "bottom", "right"):
                axis = widget.getAxis(side)
                axis.setPen(QColor(foreground))
                axis.setTextPen(QColor(foreground))
        for hover in self._hovers:
            hover.recolor(background, foreground)
        self._right.setXLink(self._top.getViewBox())

    def _build(self) -> None:
        if self._loss is not None:
            return
        import pyqtgraph

        self._top = self._plot_widget(pyqtgraph, "step")
        self._top.setLabel("left", "loss on labels", color=LOSS)
        self._top.setLabel("right", "Dice", color=VALIDATION)
        self._top.showAxis("right")
        self._right = pyqtgraph.ViewBox(enableMenu=False)
        self._right.setMouseEnabled(False, False)
        self._top.scene().addItem(self._right)
        self._top.getAxis("right").linkToView(self._right)
        self._right.setYRange(0, 1, padding=0.02)
        self._top.getViewBox().sigResized.connect(self._follow)
        self._loss = self._top.plot([], [], pen=pyqtgraph.mkPen(LOSS, width=1.5))
        self._validation = pyqtgraph.PlotDataItem(
            [], [], pen=pyqtgraph.mkPen(VALIDATION, width=2), symbol="o", symbolSize=4, symbolBrush=VALIDATION
        )
        self._right.addItem(self._validation)
        self._bottom = self._plot_widget(pyqtgraph, "images corrected, in order")
        self._bottom.setLabel("left", "Dice", color=CORRECTIVE)
        self._bottom.setYRange(0, 1, padding=0.02)
        self._corrective = self._bottom.plot(
            [],
            [],
            pen=pyqtgraph.mkPen(CORRECTIVE, width=1.5),
            symbol="o",
            symbolSize=8,
            symbolBrush=CORRECTIVE,
        )
        self._corrective.sigPointsClicked.connect(self._clicked)
        self._hovers = (
            Hover(self._top, self._lines, lambda step: f"step {step:,.0f}"),
            Hover(self._bottom, self._corrections, self._correction_words),
        )
        self.layout().addWidget(self._top)
        self.layout().addWidget(self._bottom)
        self.recolor(*self._colors)
        self._draw()
        self._draw_others()

    def _plot_widget(self, pyqtgraph: Any, bottom: str) -> Any:
        widget = pyqtgraph.PlotWidget(self)
        widget.setMenuEnabled(False)
        widget.hideButtons()
        widget.setMouseEnabled(x=False, y=False)
        widget.setFixedHeight(HEIGHT)
        widget.setLabel("bottom", bottom)
        widget.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        return widget

    def _follow(self) -> None:
        self._right.setGeometry(self._top.getViewBox().sceneBoundingRect())

    def _clicked(self, curve: Any, points: Sequence[Any], event: Any = None) -> None:
        for point in points:
            position = round(point.pos().x()) - 1
            if 0 <= position < len(self._names):
                self._on_item(self._names[position])
                return
