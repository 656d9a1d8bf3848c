"""The few settings of training that matter, in sight; the rest folded under *Advanced*."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QGridLayout, QLabel, QVBoxLayout, QWidget

from napari_pccs.desk import Desk
from napari_pccs.panels.run_on_box import RunOnBox, RunOnDetails
from napari_pccs.training_choices import DEVICES, FOLDED, SEEN, Choice
from napari_pccs.ui import SPACE, Fold, reported, text

ABOUT_DEVICE = (
    "Where to train. Automatic takes a GPU when there is one.\n"
    "A device that is not there is replaced by one that is, and a sentence says so."
)


class ChoicesBox(QWidget):
    """A combo box for each choice, saved with the project as soon as it is made.

    Parameters
    ----------
    desk
        What the stages work with.
    more
        Further widgets to show under *Advanced*.
    """

    def __init__(self, desk: Desk, more: Sequence[QWidget] = ()) -> None:
        super().__init__()
        self._desk = desk
        self._filling = False
        self.boxes = {choice.key: self._box(choice) for choice in (*SEEN, *FOLDED)}
        self.device = QComboBox()
        for name, title in DEVICES.items():
            self.device.addItem(title, name)
        self.device.currentIndexChanged.connect(lambda _: self._choose_device())
        self.note = text("", "quiet")
        self.run_on, self.run_on_details = RunOnBox(desk), RunOnDetails(desk)
        advanced = QWidget()
        grid = _grid(advanced)
        for choice in FOLDED:
            _add(grid, choice.title, self.boxes[choice.key], choice.about)
        for widget in (*more, self.run_on_details):
            grid.addWidget(widget, grid.rowCount(), 0, 1, 2)
        self.fold = Fold("Advanced", advanced)
        seen = QWidget()
        grid = _grid(seen)
        for choice in SEEN:
            _add(grid, choice.title, self.boxes[choice.key], choice.about)
        _add(grid, "Run on", self.run_on, self.run_on.toolTip())
        _add(grid, "Device", self.device, ABOUT_DEVICE)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE)
        for widget in (seen, self.note, self.fold, advanced):
            layout.addWidget(widget)
        signals = desk.session.signals
        for signal in (signals.project_changed, signals.training_changed, signals.preferences_changed):
            signal.connect(self.refresh)
        self.refresh()

    def _box(self, choice: Choice) -> QComboBox:
        box = QComboBox()
        for option in choice.options:
            box.addItem(option.title, option.key)
        box.currentIndexChanged.connect(lambda _: self._choose(choice))
        return box

    def refresh(self) -> None:
        """Show what is chosen; nothing can be changed while training runs."""
        session = self._desk.session
        free = session.project is not None and not session.training.active
        self._filling = True
        for choice in (*SEEN, *FOLDED):
            box = self.boxes[choice.key]
            box.setCurrentIndex(box.findData(session.choices.option(choice)))
            box.setEnabled(free)
        self.device.setCurrentIndex(max(0, self.device.findData(session.choices.device)))
        self.device.setEnabled(free)
        self.run_on.refresh(free)
        self.run_on_details.refresh(free)
        self._filling = False
        self._note()

    def _note(self) -> None:
        session = self._desk.session
        other = "" if session.training.active else session.choices.begins_anew()
        self.note.setText(
            f"{other} is not what the model was made with: the next training begins another run. "
            "The old one stays."
            if other
            else ""
        )
        self.note.setVisible(bool(other))

    def _choose(self, choice: Choice) -> None:
        if not self._filling:
            with reported():
                self._desk.session.choices.choose(choice, self.boxes[choice.key].currentData())
            self._note()

    def _choose_device(self) -> None:
        if not self._filling:
            with reported():
                self._desk.session.choices.choose_device(self.device.currentData())


def _grid(box: QWidget) -> QGridLayout:
    grid = QGridLayout(box)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setHorizontalSpacing(2 * SPACE)
    grid.setVerticalSpacing(SPACE)
    grid.setColumnStretch(1, 1)
    return grid


def _add(grid: QGridLayout, title: str, box: QComboBox, about: str) -> None:
    label = QLabel(title)
    label.setBuddy(box)
    label.setToolTip(about)
    box.setToolTip(about)
    box.setAccessibleName(title)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    at = grid.rowCount()
    grid.addWidget(label, at, 0, Qt.AlignmentFlag.AlignLeft)
    grid.addWidget(box, at, 1)
