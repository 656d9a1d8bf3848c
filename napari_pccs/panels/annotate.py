"""Annotate: classes with keys, complete or partial, and moving between images."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QCheckBox,
    QColorDialog,
    QComboBox,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from napari_pccs import dialogs
from napari_pccs.desk import Desk
from napari_pccs.ui import button, line, reported, row, stage_layout, swatch, text
from napari_pccs.viewer_link import PREDICTION, UNCERTAINTY

ROW_HEIGHT = 26
MAX_ROWS = 6


class AnnotateStage(QWidget):
    """The second stage."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self._filling = False
        self.hint = text("", "hint")
        self.table = self._make_table()
        self.add = button("Add class", self._add)
        self.color = button("Colour…", self._recolor)
        self.delete = button("Delete…", self._delete)
        self.complete = QCheckBox("Complete: the rest is background  (D)")
        self.complete.setToolTip(
            "Partial (the default): pixels you have not painted are unknown and teach nothing.\n"
            "Complete: you have painted every object, and everything else is background."
        )
        self.complete.clicked.connect(self._set_complete)
        self.explain = text("", "quiet")
        self.accept = button("Accept prediction  (A)", self._accept)
        self.previous = button("◀ Previous", lambda: self._step(-1), tip="Shift N")
        self.next = button("Next ▶", lambda: self._step(1), tip="N")
        self.prediction = QCheckBox("Prediction  (Q)")
        self.prediction.clicked.connect(lambda on: desk.link.set_visible(PREDICTION, on))
        self.uncertainty = QCheckBox("(U)")
        self.uncertainty.clicked.connect(lambda on: desk.link.set_visible(UNCERTAINTY, on))
        self.map = QComboBox()
        self.map.addItem("Uncertainty", "uncertainty")
        self.map.addItem("Disagreement", "disagreement")
        self.map.setToolTip(
            "Uncertainty: 0 = sure, 1 = all classes equally likely.\n"
            "Disagreement: how far student and teacher are apart."
        )
        self.map.currentIndexChanged.connect(lambda _: desk.link.show_map(self.map.currentData()))
        self._lay_out()
        self._listen()

    def _lay_out(self) -> None:
        layout = stage_layout(self)
        for widget in (
            self.hint,
            self.table,
            row(self.add, self.color, self.delete),
            self.complete,
            self.explain,
            row(self.previous, self.next),
            self.accept,
            line(),
            row(self.prediction, self.uncertainty, self.map, stretch=2),
        ):
            layout.addWidget(widget)
        layout.addStretch(1)

    def _listen(self) -> None:
        signals = self._desk.session.signals
        for signal in (signals.project_changed, signals.classes_changed):
            signal.connect(self._fill)
        for signal in (signals.current_changed, signals.prediction_changed, signals.item_changed):
            signal.connect(lambda *_: self.refresh(), check_nargs=False)
        signals.class_selected.connect(self._mark)
        self._fill()

    def _make_table(self) -> QTableWidget:
        table = QTableWidget(0, 3)
        table.horizontalHeader().setVisible(False)
        table.verticalHeader().setVisible(False)
        table.horizontalHeader().setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        table.setColumnWidth(0, 34)
        table.setColumnWidth(2, 64)
        table.setShowGrid(False)
        table.setSelectionBehavior(QTableWidget.SelectionBehavior.SelectRows)
        table.setSelectionMode(QTableWidget.SelectionMode.SingleSelection)
        table.currentCellChanged.connect(self._picked)
        table.itemChanged.connect(self._renamed)
        table.cellDoubleClicked.connect(lambda r, c: self._recolor() if c == 0 else None)
        return table

    # ------------------------------------------------------------- showing

    def refresh(self) -> None:
        """Show the state of the image on screen."""
        session, link = self._desk.session, self._desk.link
        project, item = session.project, session.current
        here = project is not None and item is not None
        for widget in (self.table, self.add, self.color, self.delete, self.complete, self.explain):
            widget.setVisible(project is not None)
        for widget in (self.complete, self.previous, self.next):
            widget.setEnabled(here)
        self.prediction.setChecked(link.is_visible(PREDICTION))
        self.uncertainty.setChecked(link.is_visible(UNCERTAINTY))
        if project is None or item is None:
            self.hint.setText("Add images first.")
            self.accept.setEnabled(False)
            return
        facts = project.item_facts(item)
        self.complete.setChecked(facts.complete)
        self.explain.setText(
            "Everything you have not painted counts as background."
            if facts.complete
            else "Partial: what you have not painted is unknown and teaches nothing."
        )
        self.hint.setText(self._next_thing(facts.state))
        self.accept.setEnabled(session.prediction is not None or facts.complete)
        self.accept.setText("Take the acceptance back  (A)" if facts.accepted else "Accept prediction  (A)")

    def _next_thing(self, state: str) -> str:
        if self._desk.link.annotation is None:
            return "The Annotation layer was removed; what you painted is saved. Press Next to bring it back."
        if state == "accepted":
            return "Accepted: this image is finished. Go on with the next (N)."
        missing = self._desk.actions.why_not_train()
        if missing and not self._desk.session.annotations.painted_classes():
            return "Choose a class by its number key and paint a few strokes; then another class."
        if missing:
            return missing
        if self._desk.session.training.active:
            return "Keep painting where the prediction is wrong: new strokes count within seconds."
        return "Enough to begin: press Train. A few strokes on another image help even more."

    def _fill(self) -> None:
        self._filling = True
        project = self._desk.session.project
        classes = project.classes if project is not None else ()
        self.table.setRowCount(len(classes))
        for position, label in enumerate(classes):
            self.table.setRowHeight(position, ROW_HEIGHT)
            icon = QTableWidgetItem(swatch(label.color), "")
            icon.setFlags(icon.flags() & ~Qt.ItemFlag.ItemIsEditable)
            icon.setToolTip("Double-click to change the colour")
            name = QTableWidgetItem(label.name)
            name.setData(Qt.ItemDataRole.UserRole, label.value)
            name.setToolTip("Double-click to rename")
            key = QTableWidgetItem(f"key {label.value}" if label.value <= 9 else "")
            key.setFlags(key.flags() & ~Qt.ItemFlag.ItemIsEditable)
            for column, cell in enumerate((icon, name, key)):
                self.table.setItem(position, column, cell)
        self.table.setFixedHeight(ROW_HEIGHT * max(1, min(len(classes), MAX_ROWS)) + 4)
        self._filling = False
        self._mark(self._desk.session.selected_class)
        self.refresh()

    def _mark(self, value: int) -> None:
        self._filling = True
        self.table.clearSelection()
        for position in range(self.table.rowCount()):
            if self._value(position) == value:
                self.table.setCurrentCell(position, 1)
        self._filling = False

    def _value(self, position: int) -> int:
        return int(self.table.item(position, 1).data(Qt.ItemDataRole.UserRole))

    # -------------------------------------------------------------- acting

    def _picked(self, position: int, *_: int) -> None:
        if not self._filling and position >= 0:
            self._desk.session.select_class(self._value(position))

    def _renamed(self, cell: QTableWidgetItem) -> None:
        if self._filling or cell.column() != 1:
            return
        with reported():
            self._desk.classes.rename(int(cell.data(Qt.ItemDataRole.UserRole)), cell.text())
        self._fill()  # shows the old name again when the new one was refused

    def _add(self) -> None:
        with reported():
            self._desk.classes.add()
        self.table.editItem(self.table.item(self.table.rowCount() - 1, 1))

    def _chosen(self) -> int | None:
        position = self.table.currentRow()
        return self._value(position) if position >= 0 else None

    def _recolor(self) -> None:
        value, project = self._chosen(), self._desk.session.project
        if value is None or project is None:
            return
        old = next(label.color for label in project.classes if label.value == value)
        color = QColorDialog.getColor(QColor(old), self, "Colour of the class")
        if color.isValid():
            with reported():
                self._desk.classes.recolor(value, color.name())

    def _delete(self) -> None:
        value, project = self._chosen(), self._desk.session.project
        if value is None or project is None:
            return
        with reported():
            label = next(one for one in project.classes if one.value == value)
            usage = self._desk.classes.usage(value)
            others = [one for one in project.classes if one.value != value]
            if not usage.items:
                choices, into = ["Delete it"], [0]
            else:
                choices = ["Delete, and clear its pixels", f"Delete, and make its pixels “{others[0].name}”"]
                into = [0, others[0].value]
            answer = dialogs.ask_choice(
                self, f"{usage.describe(label.name)} Delete the class?", choices, dangerous=0
            )
            if answer is not None:
                self._desk.classes.delete(value, into[answer])

    def _set_complete(self, on: bool) -> None:
        with reported():
            self._desk.session.annotations.set_complete(on)
        self.refresh()

    def _accept(self) -> None:
        with reported():
            self._desk.session.annotations.toggle_accepted()

    def _step(self, by: int) -> None:
        with reported():
            self._desk.session.step_item(by, self._desk.order())
