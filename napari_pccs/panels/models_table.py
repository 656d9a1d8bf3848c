"""Models compared: every run's newest and those kept on the way; use, keep or delete one."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHeaderView, QTableWidget, QTableWidgetItem, QVBoxLayout, QWidget

from napari_pccs import dialogs
from napari_pccs.desk import Desk
from napari_pccs.training import Curve, TrainingFacts
from napari_pccs.ui import Fold, button, column, duration, reported, row
from pccs.project import ModelRef

ROW_HEIGHT = 24
MAX_ROWS = 6
COLUMNS = (
    ("", "● is in use: it predicts, and its run is the one that goes on"),
    ("Run", "Number and preset"),
    ("Step", "Steps of training"),
    ("Trained", "Time of training"),
    (
        "Dice",
        "On strokes it has not seen, ± its standard error over images, measured last before that step",
    ),
)


class ModelsTable(QWidget):
    """A fold with a table of models and what can be done with the marked one."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self._models: list[ModelRef] = []
        self.table = self._make_table()
        self.use = button("Use", self._use, tip="Predict with it; its run goes on with Train")
        self.keep = button(
            "Keep present", self._keep, tip="A copy for later, whatever training does from now on"
        )
        self.delete = button("Delete…", self._delete)
        body = column(self.table, row(self.use, self.keep, self.delete))
        self.fold = Fold("Models", body)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(column(self.fold, body))
        signals = desk.session.signals
        for signal in (signals.models_changed, signals.project_changed):
            signal.connect(self.reload)
        signals.training_changed.connect(self.refresh)
        self.table.itemSelectionChanged.connect(self.refresh)
        self.reload()

    def _make_table(self) -> QTableWidget:
        table = QTableWidget(0, len(COLUMNS))
        table.setAccessibleName("Models")
        table.verticalHeader().setVisible(False)
        for position, (title, tip) in enumerate(COLUMNS):
            head = QTableWidgetItem(title)
            head.setToolTip(tip)
            table.setHorizontalHeaderItem(position, head)
        header = table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        header.setHighlightSections(False)
        table.setShowGrid(False)
        table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        table.setSelectionBehavior(QTableWidget.SelectionBehavior.SelectRows)
        table.setSelectionMode(QTableWidget.SelectionMode.SingleSelection)
        table.cellDoubleClicked.connect(lambda *_: self._use())
        return table

    # ------------------------------------------------------------- showing

    def reload(self) -> None:
        """The models are other ones."""
        self._models = self._desk.session.models.all()[::-1]  # the newest on top
        in_use = self._desk.session.models.in_use(self._models)
        self.table.setRowCount(len(self._models))
        for position, model in enumerate(self._models):
            self.table.setRowHeight(position, ROW_HEIGHT)
            for number, words in enumerate(_words(model, model == in_use)):
                cell = QTableWidgetItem(words)
                if number > 1:
                    cell.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.table.setItem(position, number, cell)
        head = self.table.horizontalHeader().sizeHint().height()
        self.table.setFixedHeight(head + ROW_HEIGHT * max(1, min(len(self._models), MAX_ROWS)) + 4)
        self.refresh()

    def other_runs(self) -> dict[str, Curve]:
        """Measured Dice of every run but the one in use, by name, to draw beside it."""
        project = self._desk.session.project
        if project is None or not self._models:
            return {}
        here, found = self._desk.session.training.run, {}
        for run in project.runs():
            if run.has_checkpoint and run.name != here:
                facts = TrainingFacts()
                facts.load(run.name, run.metrics())
                found[run.name] = facts.validation
        return found

    def refresh(self) -> None:
        """What can be done now."""
        active, model = self._desk.session.training.active, self.marked()
        self.use.setEnabled(model is not None and not active)
        self.keep.setEnabled(bool(self._models) or (active and self._desk.session.training.step > 0))
        self.setVisible(bool(self._models) or active)
        self.delete.setEnabled(model is not None and not active)
        why = "Stop training first" if active else "Mark one in the table first" if model is None else ""
        self.use.setToolTip(why or "Predict with it; its run goes on with Train")
        self.delete.setToolTip(why or "Delete it, after a question")

    def marked(self) -> ModelRef | None:
        """The marked model."""
        rows = self.table.selectionModel().selectedRows()
        return self._models[rows[0].row()] if rows else None

    # -------------------------------------------------------------- acting

    def _use(self) -> None:
        model = self.marked()
        if model is not None:
            with reported():
                self._desk.session.models.use(model)

    def _keep(self) -> None:
        with reported():
            self._desk.session.models.keep()

    def _delete(self) -> None:
        model = self.marked()
        if model is None:
            return
        whole = model.folder is None
        others = sum(m.run == model.run for m in self._models) - 1
        what = f"run {model.run}" if whole else f"the model of step {model.step} of {model.run}"
        more = f", its {others} kept models and its predictions" if whole and others else ""
        more = more or (" and its predictions" if whole else "")
        question = f"Delete {what}{more}? Annotations stay."
        with reported():
            if dialogs.ask_choice(self, question, ["Delete"], dangerous=0) == 0:
                self._desk.session.models.discard(model)


def _words(model: ModelRef, in_use: bool) -> tuple[str, ...]:
    dice = "" if model.dice is None else f"{model.dice:.2f}"
    if dice and model.error is not None:
        dice += f" ± {model.error:.2f}"
    number, _, preset = model.run.partition("-")
    name = f"{int(number) if number.isdecimal() else number} {preset}"
    trained = duration(model.seconds) if model.seconds else ""
    return ("●" if in_use else "", name, f"{model.step:,}", trained, dice)
