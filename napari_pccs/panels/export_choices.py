"""Choices of an export that most people leave alone: tidying, the type of maps, the form of the table."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from qtpy.QtWidgets import QCheckBox, QComboBox, QFormLayout, QSpinBox, QWidget

from napari_pccs.ui import text

MAPS = {"float32": "float32, 0 to 1", "uint16": "uint16, 0 to 65535", "uint8": "uint8, 0 to 255"}
TABLES = {"csv": "CSV", "parquet": "Parquet"}
LARGEST = 1_000_000
NARROW = 70
"""Pixels that a number needs to be read and changed."""


class Tidying(NamedTuple):
    """One number of the tidying: words, unit, largest value, explanation."""

    words: str
    unit: str
    largest: int
    tip: str


TIDYING: dict[str, Tidying] = {
    "smooth": Tidying(
        "Smooth outlines", " px", 50, "Opens and closes every object by a disk of this radius."
    ),
    "fill-holes": Tidying("Fill holes up to", " px", LARGEST, "Holes of at most so many pixels are filled."),
    "split": Tidying(
        "Split touching objects",
        " px",
        100,
        "A line of background is drawn at a waist that is narrower than the objects beside it by so many "
        "pixels on each side. 1 splits most, larger numbers only what is clearly two.",
    ),
    "smallest": Tidying("Remove objects below", " px", LARGEST, "Objects of fewer pixels become background."),
}
"""Options of ``pccs export`` in the order in which they are done."""


class ExportChoices(QWidget):
    """Tidying and types; :meth:`arguments` gives them to the command line.

    Parameters
    ----------
    changed
        Called when any of them changes.
    """

    def __init__(self, changed: Callable[[], object]) -> None:
        super().__init__()
        self.numbers = {name: _number(one, changed) for name, one in TIDYING.items()}
        self.keep_largest = QCheckBox("Keep only the largest object of each class")
        self.keep_largest.toggled.connect(lambda _: changed())
        self.note = text("", "quiet")
        self.maps = _list(MAPS, "Type of probabilities and uncertainty", changed)
        self.table = _list(TABLES, "Form of the table of objects", changed)
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for name, number in self.numbers.items():
            form.addRow(TIDYING[name].words, number)
        form.addRow(self.keep_largest)
        form.addRow(self.note)
        form.addRow("Maps", self.maps)
        form.addRow("Table", self.table)

    def tidying(self) -> dict[str, int]:
        """What is tidied, as the fields of :class:`pccs.tidy.Cleaning`; empty when nothing is."""
        chosen = {name.replace("-", "_"): one.value() for name, one in self.numbers.items() if one.value()}
        return {**chosen, "keep_largest": True} if self.keep_largest.isChecked() else chosen

    def arguments(self) -> list[str]:
        """Options of ``pccs export`` for what differs from its defaults."""
        given = [f"--{name}={one.value()}" for name, one in self.numbers.items() if one.value()]
        if self.keep_largest.isChecked():
            given.append("--keep-largest")
        for name, box in (("maps", self.maps), ("table", self.table)):
            if box.currentIndex():
                given.append(f"--{name}={box.currentData()}")
        return given


def narrow(box: QComboBox) -> None:
    """Let the list be narrower than its longest line: the panel is as wide as a person makes it."""
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(6)


def _number(one: Tidying, changed: Callable[[], object]) -> QSpinBox:
    number = QSpinBox()
    number.setRange(0, one.largest)
    number.setMinimumWidth(NARROW)
    number.setSuffix(one.unit)
    number.setSpecialValueText("off")
    number.setToolTip(f"{one.tip} What you painted stays as it is.")
    number.setAccessibleName(one.words)
    number.valueChanged.connect(lambda _: changed())
    return number


def _list(titles: dict[str, str], name: str, changed: Callable[[], object]) -> QComboBox:
    box = QComboBox()
    box.setAccessibleName(name)
    for key, title in titles.items():
        box.addItem(title, key)
    narrow(box)
    box.currentIndexChanged.connect(lambda _: changed())
    return box
