"""What the values of masks mean, asked before any mask is imported."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QDialog,
    QHeaderView,
    QRadioButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_pccs import ui
from pccs.images import Key
from pccs.labels import LabelClass
from pccs.project.mask_values import MaskValues, preset_table

NEW = -1
"""Choice *a new class*, beside class values and 0 for *not annotated*."""

MANY = 40
"""Unnamed values above which one row stands for them all: objects with a number each, most likely."""

_COLOUR = re.compile("#[0-9a-f]{6}")

ROW_HEIGHT, ROWS_SHOWN, INDENT = 34, 8, 22


class Way(NamedTuple):
    """How the numbers of masks are to be understood (:class:`pccs.images.MaskFile`)."""

    objects: bool
    boundary: bool


NUMBERS = Way(objects=False, boundary=False)
WAYS = {
    NUMBERS: "Each number is a class",
    Way(objects=True, boundary=False): "Each object has a number of its own",
    Way(objects=True, boundary=True): "The same, and the edges of the objects are a class",
}
Look = Callable[[Way], MaskValues | None]
"""What masks say when they are understood so; ``None`` when that cannot be found out."""


class Choice(QComboBox):
    """A combo box that leaves the wheel to the table: scrolling must not change an answer."""

    def wheelEvent(self, event: Any) -> None:  # noqa: N802 (Qt's name)
        """Let the table scroll."""
        event.ignore()


@dataclass(frozen=True)
class MaskMeaning:
    """How masks are to be understood."""

    table: dict[Key, int]
    """What masks say → class value, 0 for not annotated."""
    new: tuple[tuple[Key, ...], ...]
    """What makes a new class, one tuple for each class."""
    complete: bool
    way: Way = NUMBERS
    names: Mapping[int, str] = field(default_factory=dict)
    """What files call a number, where they do."""


class MaskDialog(QDialog):
    """Values of masks beside the class each becomes, and whether the masks say everything.

    Parameters
    ----------
    name
        Name of the folder or file with the masks.
    found
        Their values.
    classes
        The project's classes; a value that one of them exports is that class unless the user says
        otherwise. Every other value has to be decided on before masks can be imported.
    replaced
        Images that have annotations now, which the masks replace.
    look
        Finds the values anew when the user says that numbers are objects; without it nobody is asked.
    """

    def __init__(
        self,
        parent: QWidget | None,
        name: str,
        found: MaskValues,
        classes: Sequence[LabelClass],
        replaced: int = 0,
        look: Look | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Import masks")
        self._classes, self._look = classes, look
        self.way = Choice()
        self.way.addItems(list(WAYS.values()))
        self.table = QTableWidget(0, 3)
        self.complete = QRadioButton("Complete")
        self.partial = QRadioButton("Partial")
        self.complete.setChecked(True)
        self.missing = ui.text("", "quiet")
        self.accept_button = ui.button("Import", self.accept, primary=True)
        self.accept_button.setDefault(True)
        self._take(found)
        layout = QVBoxLayout(self)
        layout.setSpacing(ui.SPACE)
        for widget in self._parts(_heading(name, found), classes[0].name, replaced):
            layout.addWidget(widget)
        self.setMinimumWidth(440)
        self._refresh()
        self.way.currentIndexChanged.connect(lambda _: self._look_again())

    def _take(self, found: MaskValues) -> None:
        """A row for each of the values."""
        self._found, self._way = found, self._chosen_way()
        self._preset = preset_table(found.values, self._classes)
        self._groups = _rows(found.values, self._preset)
        self.choices = [self._choice(group) for group in self._groups]
        self._fill_table(found)

    def _chosen_way(self) -> Way:
        ways: list[Way] = list(WAYS)
        return ways[int(self.way.currentIndex())]

    def _look_again(self) -> None:
        """The numbers mean something else now: other rows, or the ones before when that is not possible."""
        found = self._look(self._chosen_way()) if self._look is not None else None
        if found is None:
            with QSignalBlocker(self.way):
                self.way.setCurrentIndex(list(WAYS).index(self._way))
            return
        self._take(found)
        self._refresh()

    def _parts(self, heading: str, background: str, replaced: int) -> list[QWidget]:
        parts = [
            ui.text(heading),
            *([self.way] if self._look is not None else []),
            self.table,
            self.complete,
            _indented(f"Every pixel was decided on: what is not annotated counts as “{background}”."),
            self.partial,
            _indented(f"Only part was annotated: where a mask says “{background}”, the truth is unknown."),
        ]
        if replaced:
            parts.append(ui.text(f"The annotations that {_have(replaced)} now are replaced.", "banner"))
        return [*parts, self.missing, ui.row(ui.button("Cancel", self.reject), self.accept_button)]

    def meaning(self) -> MaskMeaning:
        """What was chosen; every value has a choice once the dialog was accepted."""
        table: dict[Key, int] = {label.export: label.value for label in self._classes}
        new: list[tuple[Key, ...]] = []
        for group, choice in zip(self._groups, self.choices, strict=True):
            value = choice.currentData()
            if value == NEW:
                new.append(group)
            elif value is not None:
                table.update(dict.fromkeys(group, value))
        return MaskMeaning(table, tuple(new), self.complete.isChecked(), self._way, self._found.names)

    # --------------------------------------------------------------- parts

    def _choice(self, group: tuple[Key, ...]) -> Choice:
        box = Choice()
        box.setPlaceholderText("Choose…")
        for label in self._classes:
            box.addItem(ui.swatch(label.color), label.name, label.value)
        box.addItem("not annotated", 0)
        if group[0] not in self._preset:
            box.addItem("a new class", NEW)
        box.setCurrentIndex(box.findData(self._preset.get(group[0])) if group[0] in self._preset else -1)
        box.currentIndexChanged.connect(lambda _: self._refresh())
        return box

    def _fill_table(self, found: MaskValues) -> None:
        table = self.table
        table.setRowCount(0)
        table.setRowCount(len(self._groups))
        table.setHorizontalHeaderLabels(["Value", "Found in", "Becomes"])
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        table.setShowGrid(False)
        table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        header = table.horizontalHeader()
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(2, QHeaderView.ResizeMode.Stretch)
        for row, (group, choice) in enumerate(zip(self._groups, self.choices, strict=True)):
            number = max(found.values[value] for value in group)
            for column, words in enumerate((_title(group, found.names), ui.count(number, "mask"))):
                cell = QTableWidgetItem(words)
                if column == 0 and _COLOUR.fullmatch(words):
                    cell.setIcon(ui.swatch(words))
                cell.setFlags(Qt.ItemFlag.ItemIsEnabled)
                table.setItem(row, column, cell)
            table.setCellWidget(row, 2, ui.column(choice, margin=2))
        table.setFixedHeight(ROW_HEIGHT * (min(len(self._groups), ROWS_SHOWN) + 1))

    def _refresh(self) -> None:
        open_rows = [
            _title(group)
            for group, choice in zip(self._groups, self.choices, strict=True)
            if choice.currentData() is None
        ]
        self.accept_button.setEnabled(not open_rows)
        self.missing.setText(
            f"Still to be decided: {', '.join(open_rows)}." if open_rows else "Every value has its place."
        )


def ask_meaning(
    parent: QWidget,
    name: str,
    found: MaskValues,
    classes: Sequence[LabelClass],
    replaced: int,
    look: Look | None = None,
) -> MaskMeaning | None:
    """What the values of masks mean; ``None`` when the user thinks better of it."""
    dialog = MaskDialog(parent, name, found, classes, replaced, look)
    accepted = dialog.exec() == QDialog.DialogCode.Accepted
    meaning = dialog.meaning()
    dialog.deleteLater()
    return meaning if accepted else None


def _indented(sentence: str) -> QWidget:
    """What a radio button means, below its words."""
    label = ui.text(sentence, "quiet")
    label.setContentsMargins(INDENT, 0, 0, 0)
    return label


def _have(number: int) -> str:
    return "one of these images has" if number == 1 else f"{number:,} of these images have"


def _rows(values: Mapping[Key, int], named: Mapping[Key, int]) -> list[tuple[Key, ...]]:
    """Values that share a row: each alone, unless there are many that nobody named."""
    unnamed = [value for value in values if value not in named]
    if len(unnamed) <= MANY:
        return [(value,) for value in values]
    return [*((value,) for value in values if value in named), tuple(unnamed)]


def _title(group: tuple[Key, ...], names: Mapping[int, str] | None = None) -> str:
    if len(group) == 1:
        own = (names or {}).get(group[0]) if isinstance(group[0], int) else None
        return f"{group[0]}" + (f" ({own})" if own else "")
    return f"{len(group):,} others, {group[0]} … {group[-1]}"


def _heading(name: str, found: MaskValues) -> str:
    if found.files == 1:
        return f"The mask in “{name}” holds these values."
    if found.looked == found.files:
        return f"{found.files:,} masks in “{name}” hold these values."
    return f"{found.looked:,} of {found.files:,} masks in “{name}” were looked into; they hold these values."
