"""The classes: swatch, name and key of each, with everything that can be done to them."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QHeaderView, QTableWidget, QTableWidgetItem, QVBoxLayout, QWidget

from napari_pccs import dialogs
from napari_pccs.classes import shown
from napari_pccs.desk import Desk
from napari_pccs.ui import SPACE, button, reported, row, swatch

ROW_HEIGHT = 26
MAX_ROWS = 6
SWATCH, NAME, KEY = 0, 1, 2


class ClassTable(QWidget):
    """Choose a class by its row; add, rename, recolour, move or delete one with a click."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self._filling = False
        self.table = self._make_table()
        self.add = button("Add class", self._add, tip="A new class, ready to be named")
        self.up = button("▲", lambda: self._move(-1), tip="Move up: its key moves with it  (Alt ↑)")
        self.down = button("▼", lambda: self._move(1), tip="Move down: its key moves with it  (Alt ↓)")
        self.delete = button("Delete…", self._delete, tip="Says what happens to its labels first")
        self.up.setAccessibleName("Move the class up")
        self.down.setAccessibleName("Move the class down")
        for widget, keys in ((self.up, "Alt+Up"), (self.down, "Alt+Down")):
            shortcut = QShortcut(QKeySequence(keys), self.table)
            shortcut.setContext(Qt.ShortcutContext.WidgetShortcut)
            shortcut.activated.connect(widget.click)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE)
        layout.addWidget(self.table)
        layout.addWidget(row(self.add, self.up, self.down, self.delete, stretch=0))
        signals = desk.session.signals
        for signal in (signals.project_changed, signals.classes_changed):
            signal.connect(self.fill)
        signals.class_selected.connect(self._mark)
        self.fill()

    def _make_table(self) -> QTableWidget:
        table = QTableWidget(0, 3)
        table.setAccessibleName("Classes")
        table.horizontalHeader().setVisible(False)
        table.verticalHeader().setVisible(False)
        table.horizontalHeader().setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        table.setColumnWidth(SWATCH, 34)
        table.setColumnWidth(KEY, 64)
        table.setShowGrid(False)
        table.setSelectionBehavior(QTableWidget.SelectionBehavior.SelectRows)
        table.setSelectionMode(QTableWidget.SelectionMode.SingleSelection)
        table.setTabKeyNavigation(False)
        table.currentCellChanged.connect(self._picked)
        table.itemChanged.connect(self._renamed)
        table.cellClicked.connect(lambda position, place: self._recolor() if place == SWATCH else None)
        return table

    def fill(self) -> None:
        """Show the project's classes."""
        self._filling = True
        project = self._desk.session.project
        classes = shown(project) if project is not None else []
        self.table.setRowCount(len(classes))
        for position, label in enumerate(classes):
            self.table.setRowHeight(position, ROW_HEIGHT)
            icon = _cell("", "Click to change the colour", editable=False)
            icon.setIcon(swatch(label.color))
            icon.setData(Qt.ItemDataRole.AccessibleTextRole, f"Colour of {label.name}: {label.color}")
            name = _cell(label.name, "Double-click (or F2) to rename", editable=True)
            name.setData(Qt.ItemDataRole.UserRole, label.value)
            key = _cell(f"key {position + 1}" if position < 9 else "", "", editable=False)
            for place, cell in enumerate((icon, name, key)):
                self.table.setItem(position, place, cell)
        self.table.setFixedHeight(ROW_HEIGHT * max(1, min(len(classes), MAX_ROWS)) + 4)
        self._filling = False
        self._mark(self._desk.session.selected_class)

    def _mark(self, value: int) -> None:
        self._filling = True
        self.table.clearSelection()
        for position in range(self.table.rowCount()):
            if self.value(position) == value:
                self.table.setCurrentCell(position, NAME)
        self._filling = False
        self._enable()

    def _enable(self) -> None:
        position, last = self.table.currentRow(), self.table.rowCount() - 1
        self.up.setEnabled(position > 0)
        self.down.setEnabled(0 <= position < last)
        project = self._desk.session.project
        first = project.classes[0].value if project is not None else 0
        deletable = position >= 0 and self.value(position) != first
        self.delete.setEnabled(deletable)
        self.delete.setToolTip(
            "Says what happens to its labels first"
            if deletable or project is None
            else f"“{project.classes[0].name}” stands for the background: rename it, but it stays"
        )

    def value(self, position: int) -> int:
        """The class value of a row."""
        return int(self.table.item(position, NAME).data(Qt.ItemDataRole.UserRole))

    # -------------------------------------------------------------- acting

    def _picked(self, position: int, *_: int) -> None:
        if not self._filling and position >= 0:
            self._desk.session.select_class(self.value(position))

    def _renamed(self, cell: QTableWidgetItem) -> None:
        if self._filling or cell.column() != NAME:
            return
        with reported():
            self._desk.classes.rename(int(cell.data(Qt.ItemDataRole.UserRole)), cell.text())
        self.fill()  # shows the old name again when the new one was refused

    def _add(self) -> None:
        with reported():
            self._desk.classes.add()
            costs = self._desk.classes.retraining()
            if costs:
                self._desk.session.say("info", costs)
        self.table.editItem(self.table.item(self.table.currentRow(), NAME))

    def _chosen(self) -> int | None:
        position = self.table.currentRow()
        return self.value(position) if position >= 0 else None

    def _move(self, by: int) -> None:
        value = self._chosen()
        if value is not None:
            with reported():
                self._desk.classes.move(value, by)

    def _recolor(self) -> None:
        value, project = self._chosen(), self._desk.session.project
        if value is None or project is None:
            return
        old = next(label.color for label in project.classes if label.value == value)
        color = dialogs.ask_color(self, old)
        if color is not None:
            with reported():
                self._desk.classes.recolor(value, color)

    def _delete(self) -> None:
        value, project = self._chosen(), self._desk.session.project
        if value is None or project is None:
            return
        with reported():
            label = next(one for one in project.classes if one.value == value)
            self._desk.session.annotations.need_saved()
            count = self._desk.run_aside("Looking where the class is painted…")
            usage = count(lambda: self._desk.classes.usage(value))
            others = [one for one in shown(project) if one.value != value] if usage.items else []
            words = f"{usage.describe(label.name)} {self._desk.classes.retraining()}".strip()
            into = dialogs.ask_delete_class(self, words, others)
            if into is not None:
                self._desk.classes.delete(value, into)


def _cell(words: str, tip: str, *, editable: bool) -> QTableWidgetItem:
    cell = QTableWidgetItem(words)
    cell.setToolTip(tip)
    if not editable:
        cell.setFlags(cell.flags() & ~Qt.ItemFlag.ItemIsEditable)
    return cell
