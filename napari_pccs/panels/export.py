"""Export: what, in which format, where to; done by a child process."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt, QTimer, QUrl
from qtpy.QtGui import QDesktopServices, QHideEvent, QShowEvent
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHeaderView,
    QLineEdit,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from napari_pccs import dialogs
from napari_pccs.desk import Desk
from napari_pccs.export_job import CONTENTS, FORMATS, ExportJob
from napari_pccs.export_preview import planned
from napari_pccs.panels.export_choices import ExportChoices, narrow
from napari_pccs.tidy_preview import TidyPreview
from napari_pccs.ui import Fold, button, count, reported, row, stage_layout, text

PREVIEW = 60
"""Files that the preview names; of the others it says how many."""
PREVIEW_ROWS = 5
ROW_HEIGHT = 22


def _preview_table() -> QTableWidget:
    table = QTableWidget(0, 2)
    table.setHorizontalHeaderLabels(["File", "Shape"])
    table.setAccessibleName("Files that will be written")
    table.verticalHeader().setVisible(False)
    header = table.horizontalHeader()
    header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
    header.setHighlightSections(False)
    table.setShowGrid(False)
    table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
    table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
    table.setSelectionMode(QTableWidget.SelectionMode.NoSelection)
    return table


class ExportStage(QWidget):
    """The sixth stage."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self.job: ExportJob | None = None
        self.hint = text("", "hint")
        self.format = QComboBox()
        for name, (title, suffix) in FORMATS.items():
            self.format.addItem(f"{title}  ({suffix})", name)
        narrow(self.format)
        self.format.currentIndexChanged.connect(lambda _: self.refresh())
        self.what = {name: QCheckBox(title) for name, title in CONTENTS.items()}
        self.what["masks"].setChecked(True)
        self.choices = ExportChoices(self.refresh)
        self.more = Fold("Tidying and types", self.choices)
        self.tidied = TidyPreview(desk.session, desk.link, self.choices.note.setText)
        self.out = QLineEdit()
        self.out.setPlaceholderText("Folder for the results")
        self.out.textChanged.connect(lambda _: self.refresh())
        self.browse = button("Browse…", self._browse)
        self.preview = _preview_table()
        self.count = text("", "quiet")
        self.start = button("Export", self.export, primary=True)
        self.cancel = button("Cancel", self._cancel)
        self.status = text("")
        self.show_folder = button("Open folder", self._open)
        self._timer = QTimer(self)
        self._timer.setInterval(150)
        self._timer.timeout.connect(self._look)
        self._lay_out()
        self._listen()

    def _lay_out(self) -> None:
        layout = stage_layout(self)
        for widget in (
            self.hint,
            self.format,
            self._boxes(),
            self.more,
            self.choices,
            row(self.out, self.browse, stretch=0),
            self.count,
            self.preview,
            self.start,
            self.cancel,
            self.status,
            self.show_folder,
        ):
            layout.addWidget(widget)
        layout.addStretch(1)

    def _boxes(self) -> QWidget:
        boxes = QWidget()
        grid = QGridLayout(boxes)
        grid.setContentsMargins(0, 0, 0, 0)
        for position, box in enumerate(self.what.values()):
            box.toggled.connect(lambda _: self.refresh())
            grid.addWidget(box, position // 2, position % 2)
        return boxes

    def _listen(self) -> None:
        signals = self._desk.session.signals
        signals.project_changed.connect(self._project_changed)
        for signal in (signals.items_changed, signals.training_changed):
            signal.connect(self.refresh)
        self._project_changed()

    # ------------------------------------------------------------- showing

    def _project_changed(self) -> None:
        project = self._desk.session.project
        self.out.setText(str(project.path.with_name(f"{project.name}-export")) if project is not None else "")
        self.status.setText("")
        self.refresh()

    def chosen(self) -> list[str]:
        """Names of what is ticked."""
        return [name for name, box in self.what.items() if box.isChecked()]

    def refresh(self) -> None:
        """Show what would be written, and whether it can be."""
        self.tidied.choose(self.choices.tidying())
        missing = self._missing()
        running = self.job is not None
        self.start.setEnabled(not missing and not running)
        self.start.setToolTip(missing)
        self.cancel.setVisible(running)
        self.show_folder.setVisible(not running and Path(self.out.text() or "?").is_dir())
        self.status.setVisible(bool(self.status.text()))
        self.hint.setText(missing or "Masks have the shape, axes and name of their images.")
        self._preview("" if missing else self.format.currentData())

    def _missing(self) -> str:
        project = self._desk.session.project
        if project is None or not len(project.items):
            return "Add images first."
        if not self.chosen():
            return "Tick at least one thing to export."
        if not self.out.text().strip():
            return "Choose a folder for the results."
        needs_model = set(self.chosen()) - {"annotations"}
        if needs_model and not self._desk.session.models.known.run and not self._all_complete():
            return "Train first: without a model only your annotations can be exported."
        return ""

    def _all_complete(self) -> bool:
        project = self._desk.session.need_project()
        if set(self.chosen()) - {"masks", "annotations", "measurements", "report"}:
            return False
        return all(project.is_complete(item) for item in project.items)

    def _preview(self, fmt: str) -> None:
        """Name the files that will be written, and their shapes; with no ``fmt`` nothing."""
        for widget in (self.count, self.preview):
            widget.setVisible(bool(fmt))
        if not fmt:
            return
        table = self.choices.table.currentData()
        files, total = planned(self._desk.session.need_project(), fmt, self.chosen(), PREVIEW, table)
        more = f"; the first {len(files)}:" if total > len(files) else ":"
        self.count.setText(f"{count(total, 'file')} will be written{more}")
        self.preview.setRowCount(len(files))
        for position, file in enumerate(files):
            self.preview.setRowHeight(position, ROW_HEIGHT)
            for column, words in enumerate(file):
                cell = QTableWidgetItem(words)
                cell.setToolTip(f"{Path(self.out.text()) / file.name}: {file.shape}")
                self.preview.setItem(position, column, cell)
        self.preview.setFixedHeight(ROW_HEIGHT * (1 + min(len(files), PREVIEW_ROWS)) + 6)

    # -------------------------------------------------------------- acting

    def export(self) -> None:
        """Start the export of what is ticked."""
        with reported():
            session = self._desk.session
            session.annotations.need_saved()
            out = Path(self.out.text().strip()).expanduser()
            project, fmt, more = session.need_project(), self.format.currentData(), self.choices.arguments()
            self.job = ExportJob(project.path, out, fmt, self.chosen(), more)
            self.status.setText("Exporting…")
            self._timer.start()
            self.refresh()

    def _look(self) -> None:
        if self.job is None:
            self._timer.stop()
            return
        outcome = self.job.poll()
        if outcome is None:
            self.status.setText(self.job.progress() or "Exporting…")
            return
        self._timer.stop()
        self.job = None
        self.status.setText(outcome.sentence)
        self._desk.session.say("info" if outcome.done else "warning", outcome.sentence)
        self.refresh()

    def _cancel(self) -> None:
        if self.job is not None:
            self.job.cancel()

    def _browse(self) -> None:
        folder = dialogs.ask_folder(self, "Folder for the results")
        if folder is not None:
            self.out.setText(str(folder))

    def _open(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(self.out.text()))

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802 (Qt's name)
        """The stage is chosen: the prediction is shown as it would be exported."""
        self.tidied.switch(True)
        super().showEvent(event)

    def hideEvent(self, event: QHideEvent | None) -> None:  # noqa: N802 (Qt's name)
        """The stage is left: the prediction is shown as it is."""
        self.tidied.switch(False)
        super().hideEvent(event)

    def stop(self) -> None:
        """End a running export; the panel is going."""
        self.tidied.stop()
        self._timer.stop()
        if self.job is not None:
            self.job.close()
            self.job = None
