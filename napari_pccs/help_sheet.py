"""The sheet of keys."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialog, QDialogButtonBox, QGridLayout, QLabel, QWidget


class HelpSheet(QDialog):
    """Keys and what they do; closes with Escape and is gone then."""

    def __init__(self, parent: QWidget, rows: Sequence[tuple[str, str]]) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keys")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        grid = QGridLayout(self)
        grid.setHorizontalSpacing(18)
        for position, (shown, does) in enumerate(rows):
            key = QLabel(shown)
            key.setProperty("role", "title")
            grid.addWidget(key, position, 0)
            grid.addWidget(QLabel(does), position, 1)
        close = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        close.rejected.connect(self.reject)
        grid.addWidget(close, len(rows), 0, 1, 2)
