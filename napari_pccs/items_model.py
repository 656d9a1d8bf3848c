"""The item table: one row an item, facts read when they are looked at, so that 20,000 rows are fine."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt
from qtpy.QtGui import QIcon

from napari_pccs.session import Session
from napari_pccs.thumbnails import Thumbnails
from pccs.project import ItemFacts

COLUMNS = ("Image", "State", "Uncertain", "Dice")
TIPS = (
    "One 2D image, or one slice of a stack",
    "empty, partial, complete, predicted or accepted",
    "Mean uncertainty of the newest prediction, 0 to 1",
    "Agreement of the prediction with what you made of it",
)
STATES = ("empty", "partial", "complete", "predicted", "accepted")
MARKS = {"empty": "○", "partial": "◔", "complete": "●", "predicted": "◇", "accepted": "✓"}
_ROLE = Qt.ItemDataRole


class ItemsModel(QAbstractTableModel):
    """Items of the session's project, sorted and filtered by a list of rows."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._names: list[str] = []
        self._rows: list[str] = []
        self._index: dict[str, int] = {}
        self._filter, self._state = "", ""
        self._known: dict[str, ItemFacts] = {}
        self._order: tuple[int, bool] | None = None
        self.thumbnails = Thumbnails(self._plane, self._thumbnail_came)
        self.reload()

    # ---------------------------------------------------------- what to show

    def reload(self) -> None:
        """Take over the project's items."""
        project = self._session.project
        self.beginResetModel()
        self.thumbnails.clear()
        self._known = {}
        self._names = [item.name for item in project.items] if project is not None else []
        self._arrange()
        self.endResetModel()

    def sift(self, words: str, state: str = "") -> None:
        """Show only items whose name holds ``words`` (or whose state they are), in ``state`` if given."""
        self.beginResetModel()
        self._filter, self._state = words.strip().lower(), state
        self._arrange()
        self.endResetModel()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; ``-1`` is the project's own order."""
        self.layoutAboutToBeChanged.emit()
        self._order = None if column < 0 else (column, order == Qt.SortOrder.DescendingOrder)
        self._arrange()
        self.layoutChanged.emit()

    def refresh(self, name: str) -> None:
        """The facts of an item have changed; its row stays where it is."""
        if name in self._known:
            self._known[name] = self._read_facts(name)
        row = self._index.get(name)
        if row is not None:
            self.dataChanged.emit(self.index(row, 0), self.index(row, len(COLUMNS) - 1))

    def names(self) -> list[str]:
        """Item names as the table shows them, top to bottom."""
        return self._rows

    def row_of(self, name: str) -> int:
        """Row of an item, -1 when it is not shown."""
        return self._index.get(name, -1)

    def _arrange(self) -> None:
        rows = self._names
        if self._state or self._filter in STATES or self._order is not None:
            self._know_all()
        if self._state:
            rows = [n for n in rows if self._facts(n).state == self._state]
        if self._filter in STATES:
            rows = [n for n in rows if self._filter in n.lower() or self._filter == self._facts(n).state]
        elif self._filter:
            rows = [n for n in rows if self._filter in n.lower()]
        if self._order is not None:
            column, down = self._order
            rows = sorted(rows, key=lambda name: self._sort_key(name, column), reverse=down)
        self._rows = list(rows)
        self._index = {name: row for row, name in enumerate(self._rows)}

    def _sort_key(self, name: str, column: int) -> Any:
        facts = self._facts(name)
        if column == 1:
            return STATES.index(facts.state)
        if column == 2:
            return -1.0 if facts.uncertainty is None else facts.uncertainty
        if column == 3:
            return -1.0 if facts.corrective_dice is None else facts.corrective_dice
        return name

    # ------------------------------------------------------------- Qt's part

    def rowCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802 (Qt's name)
        """Rows shown."""
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def columnCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802 (Qt's name)
        """Columns shown."""
        return 0 if parent is not None and parent.isValid() else len(COLUMNS)

    def headerData(  # noqa: N802 (Qt's name)
        self, section: int, orientation: Qt.Orientation, role: int = _ROLE.DisplayRole
    ) -> Any:
        """Column titles and what they mean."""
        if orientation == Qt.Orientation.Horizontal:
            if role == _ROLE.DisplayRole:
                return COLUMNS[section]
            if role == _ROLE.ToolTipRole:
                return TIPS[section]
        return None

    def data(self, index: QModelIndex, role: int = _ROLE.DisplayRole) -> Any:
        """What one cell shows."""
        if not index.isValid() or index.row() >= len(self._rows):
            return None
        name, column = self._rows[index.row()], index.column()
        if role == _ROLE.DisplayRole:
            return self._text(name, column)
        if role == _ROLE.DecorationRole and column == 0:
            return self.thumbnails.icon(name) or QIcon()
        if role == _ROLE.TextAlignmentRole and column > 1:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role == _ROLE.ToolTipRole:
            said = self._session.together.sentence(name)
            return f"{name}: {self._facts(name).state}. {said}".strip() if column < 2 else TIPS[column]
        return None

    def _text(self, name: str, column: int) -> str:
        if column == 0:
            return name
        facts = self._facts(name)
        if column == 1:
            return self._session.together.mark(name) or f"{MARKS[facts.state]} {facts.state}"
        value = facts.uncertainty if column == 2 else facts.corrective_dice
        return "" if value is None else f"{value:.2f}"

    # -------------------------------------------------------------- plumbing

    def _facts(self, name: str) -> ItemFacts:
        """Facts are read once and again when the item says that it has changed."""
        facts = self._known.get(name)
        if facts is None:
            facts = self._known[name] = self._read_facts(name)
        return facts

    def _know_all(self) -> None:
        if len(self._known) < len(self._names):
            self._known = self._session.need_project().all_facts()

    def _read_facts(self, name: str) -> ItemFacts:
        project = self._session.need_project()
        return project.item_facts(project.item(name))

    def _plane(self, name: str) -> Any:
        project = self._session.need_project()
        return project.image(project.item(name))

    def _thumbnail_came(self, name: str) -> None:
        row = self._index.get(name)
        if row is not None:
            cell = self.index(row, 0)
            self.dataChanged.emit(cell, cell, [_ROLE.DecorationRole])
