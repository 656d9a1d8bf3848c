"""The table of images below the stages, with its filter."""

from __future__ import annotations

from qtpy.QtCore import QModelIndex, QSize, Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHeaderView,
    QLineEdit,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from napari_pccs.items_model import MARKS, STATES, ItemsModel
from napari_pccs.session import Session
from napari_pccs.thumbnails import SIDE
from napari_pccs.ui import reported, row

WIDTHS = {1: 86, 2: 64, 3: 44}


class ItemsView(QWidget):
    """Filter and table; a click or the arrow keys open an image."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.model = ItemsModel(session)
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("Find by name or state…")
        self.filter.setClearButtonEnabled(True)
        self.filter.setAccessibleName("Find images by name or state")
        self.filter.textChanged.connect(self._sift)
        self.state = QComboBox()
        self.state.setAccessibleName("Show images in this state")
        self.state.addItem("all", "")
        for state in STATES:
            self.state.addItem(f"{MARKS[state]} {state}", state)
        self.state.currentIndexChanged.connect(self._sift)
        self.table = self._make_table()
        self._following = False
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(row(self.filter, self.state, stretch=0))
        layout.addWidget(self.table)
        self._layout = layout
        signals = session.signals
        signals.project_changed.connect(self.reload)
        signals.items_changed.connect(self.reload)
        signals.item_changed.connect(self.model.refresh)
        signals.current_changed.connect(self.follow)
        signals.opening_changed.connect(self.follow)
        self.table.selectionModel().currentRowChanged.connect(self._chosen)
        self.reload()

    def _make_table(self) -> QTableView:
        table = QTableView()
        table.setModel(self.model)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        table.setShowGrid(False)
        table.setIconSize(QSize(SIDE, SIDE))
        table.verticalHeader().setVisible(False)
        table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        table.verticalHeader().setDefaultSectionSize(SIDE + 4)
        header = table.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column, width in WIDTHS.items():
            table.setColumnWidth(column, width)
        table.setSortingEnabled(True)
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        table.setMinimumHeight(110)
        return table

    def put_above_table(self, widget: QWidget) -> None:
        """Make room for a line between filter and table."""
        self._layout.insertWidget(1, widget)

    def selected(self) -> list[str]:
        """Names of the selected items, top to bottom."""
        rows = sorted(index.row() for index in self.table.selectionModel().selectedRows())
        return [self.model.names()[row] for row in rows]

    def _sift(self, *_: object) -> None:
        """Show what filter and state leave, with the item on screen marked if it is there."""
        self.model.sift(self.filter.text(), self.state.currentData())
        self.follow()

    def reload(self) -> None:
        """The items are other ones."""
        self.model.reload()
        self.follow()

    def follow(self) -> None:
        """Mark the item that was chosen: on screen, or on its way there."""
        item = self._session.heading
        row = self.model.row_of(item.name) if item is not None else -1
        self._following = True
        if row < 0:
            self.table.clearSelection()
        elif self.table.currentIndex().row() != row or not self.selected():  # keep what is selected besides
            self.table.selectRow(row)
            self.table.scrollTo(self.model.index(row, 0))
        self._following = False

    def order(self) -> list[str]:
        """Item names as the table shows them."""
        return self.model.names()

    def _chosen(self, current: QModelIndex, previous: QModelIndex) -> None:
        if self._following or not current.isValid():
            return
        name = self.model.names()[current.row()]
        last = self._session.heading
        if last is None or last.name != name:
            with reported():
                self._session.go_to(name)
