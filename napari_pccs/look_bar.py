"""What lies over the image, in two lines that always show: overlays on and off, legend, threshold, jump."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QRect, Qt
from qtpy.QtGui import QColor, QLinearGradient, QPainter, QPen
from qtpy.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QSizePolicy, QSlider, QWidget

from napari_pccs import layer_looks
from napari_pccs.desk import Desk
from napari_pccs.ui import button, column, reported, row, text
from napari_pccs.uncertain import uncertain_places
from napari_pccs.viewer_link import PREDICTION, UNCERTAINTY
from pccs.events import Region

MAPS = {
    "uncertainty": ("Uncertainty", "0: the model is sure. 1: all classes are equally likely."),
    "disagreement": ("Disagreement", "How far student and teacher are apart: 0 they agree, 1 not at all."),
}
HANDLE = 7
"""Width of the threshold's handle in pixels."""


class Legend(QSlider):
    """The tint from sure to unsure; the handle is the threshold below which nothing is tinted."""

    def __init__(self) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.setRange(0, 100)
        self.setPageStep(10)
        self.setMinimumWidth(70)
        self.setFixedHeight(20)
        self.setAccessibleName("Threshold of uncertainty, in hundredths")

    def paintEvent(self, event: Any) -> None:  # noqa: N802 (Qt's name)
        """A strip of the tint over the middle grey of an image, bare below the threshold."""
        painter = QPainter(self)
        strip = QRect(HANDLE // 2, 4, self.width() - HANDLE, self.height() - 8)
        painter.fillRect(strip, QColor(128, 128, 128))
        tint, gradient = (
            QColor.fromRgbF(*layer_looks.UNCERTAINTY_TINT),
            QLinearGradient(strip.left(), 0, strip.right(), 0),
        )
        for level in np.linspace(0, 1, 11):
            tint.setAlphaF(float(layer_looks.tint_opacity(level)))
            gradient.setColorAt(float(level), tint)
        here = strip.left() + round(strip.width() * self.value() / 100)
        painter.fillRect(QRect(here, strip.top(), strip.right() - here + 1, strip.height()), gradient)
        painter.setPen(QPen(self.palette().windowText().color(), 2 if self.hasFocus() else 1))
        painter.setBrush(self.palette().window())
        painter.drawRoundedRect(QRect(here - HANDLE // 2, 1, HANDLE - 1, self.height() - 3), 2, 2)

    def mousePressEvent(self, event: Any) -> None:  # noqa: N802 (Qt's name)
        """The handle comes to where one clicks."""
        self._follow(event)

    def mouseMoveEvent(self, event: Any) -> None:  # noqa: N802 (Qt's name)
        """The handle follows the mouse."""
        self._follow(event)

    def _follow(self, event: Any) -> None:
        self.setValue(round(100 * (event.position().x() - HANDLE / 2) / max(1, self.width() - HANDLE)))


class LookBar(QWidget):
    """Two lines under the stages."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self._places: list[Region] = []
        self._next = 0
        self.prediction = QCheckBox("Prediction  (Q)")
        self.prediction.clicked.connect(lambda on: desk.link.set_visible(PREDICTION, on))
        self.uncertainty = QCheckBox("(U)")
        self.uncertainty.clicked.connect(lambda on: desk.link.set_visible(UNCERTAINTY, on))
        self.map = QComboBox()
        for name, (title, about) in MAPS.items():
            self.map.addItem(title, name)
            self.map.setItemData(self.map.count() - 1, about, Qt.ItemDataRole.ToolTipRole)
        self.map.currentIndexChanged.connect(lambda _: self._choose_map())
        self.legend = Legend()
        self.legend.valueChanged.connect(lambda _: self._threshold_moved())
        self.jump = button("Least sure place", self.go_to_place)
        self.jump.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._lay_out()
        signals = desk.session.signals
        for signal in (signals.current_changed, signals.prediction_changed, signals.project_changed):
            signal.connect(self.refresh)
        signals.looks_changed.connect(self._show_boxes)
        self._choose_map()

    def _lay_out(self) -> None:
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.sure, self.unsure = text("sure", "quiet"), text("unsure", "quiet")
        for label in (self.sure, self.unsure):
            label.setWordWrap(False)
            label.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
        scale = row(self.sure, self.legend, self.unsure, self.jump, stretch=1)
        layout.addWidget(column(row(self.prediction, self.uncertainty, self.map, stretch=2), scale))

    # ------------------------------------------------------------- showing

    def refresh(self) -> None:
        """Show the state of the overlays; the places are searched again when they are asked for."""
        session = self._desk.session
        self.setVisible(session.current is not None)
        self._show_boxes()
        self._places, self._next = [], 0
        there = session.prediction is not None
        self.jump.setEnabled(there)
        self.jump.setToolTip(
            "Move to where the model is least sure; again: the next such place"
            if there
            else "There is no prediction of this image yet: train first"
        )
        self._explain_threshold()

    def _show_boxes(self) -> None:
        link = self._desk.link
        self.prediction.setChecked(link.is_visible(PREDICTION))
        self.uncertainty.setChecked(link.is_visible(UNCERTAINTY))

    def _explain_threshold(self) -> None:
        limit, amount = self.legend.value() / 100, self._amount()
        word = MAPS[self._desk.link.map_name][0].lower()
        share = "" if amount is None else f": {float((amount >= limit).mean()):.0%} of this image"
        self.legend.setToolTip(f"Only {word} of {limit:.2f} and more is tinted{share}. Drag to change.")

    def _amount(self) -> Any:
        shown = self._desk.session.prediction
        return None if shown is None else getattr(shown, self._desk.link.map_name)

    # -------------------------------------------------------------- acting

    def _choose_map(self) -> None:
        self.map.setToolTip(MAPS[self.map.currentData()][1])
        self._desk.link.show_map(self.map.currentData())
        disagreement = self.map.currentData() == "disagreement"
        self.sure.setText("agree" if disagreement else "sure")
        self.unsure.setText("differ" if disagreement else "unsure")
        self.refresh()

    def _threshold_moved(self) -> None:
        self._desk.link.show_above(self.legend.value() / 100)
        self._explain_threshold()

    def go_to_place(self) -> None:
        """Move the view to the least certain place of the item; again, to the next one."""
        with reported():
            session, amount = self._desk.session, self._amount()
            if amount is None:
                session.say("info", "There is no prediction of this image yet.")
                return
            if not self._places:
                self._places = uncertain_places(amount, session.annotations.current() > 0)
                self._next = 0
            if not self._places:
                session.say("info", "The model is sure of everything that is not painted here.")
                return
            place = self._places[self._next % len(self._places)]
            self._next += 1
            session.signals.region_changed.emit(place)
            self._desk.link.go_to_region(place)
