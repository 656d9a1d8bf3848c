"""Suggest: where the next annotation is worth most, with the reason, to take or to skip."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QListWidget, QListWidgetItem, QWidget

from napari_pccs.desk import Desk
from napari_pccs.suggestions import choices
from napari_pccs.ui import button, reported, row, stage_layout, text
from pccs.events import Progressed, Suggestion

COUNT = 10


class SuggestStage(QWidget):
    """The fourth stage."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self.hint = text("", "hint")
        self.strategy = QComboBox()
        self._choices = choices()
        for name, (title, about) in self._choices.items():
            self.strategy.addItem(title, name)
            self.strategy.setItemData(self.strategy.count() - 1, about, Qt.ItemDataRole.ToolTipRole)
        self.strategy.currentIndexChanged.connect(lambda _: self.refresh())
        self.about = text("", "quiet")
        self.ask = button("Suggest next", self._ask, primary=True)
        self.list = QListWidget()
        self.list.setWordWrap(True)
        self.list.setSpacing(2)
        self.list.setMinimumHeight(120)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.itemDoubleClicked.connect(lambda _: self._take())
        self.take = button("Take  (S)", self._take, tip="Go there and show the region worth painting")
        self.skip = button("Skip", self._skip, tip="Do not suggest this image again in this project")
        layout = stage_layout(self)
        for widget in (
            self.hint,
            self.strategy,
            self.about,
            self.ask,
            self.list,
            row(self.take, self.skip),
        ):
            layout.addWidget(widget)
        layout.addStretch(1)
        signals = desk.session.signals
        for signal in (signals.suggestions_changed, signals.project_changed, signals.items_changed):
            signal.connect(self.refresh)
        signals.progressed.connect(self._progressed)
        self.refresh()

    def refresh(self) -> None:
        """Show the queue, or how to fill it."""
        session = self._desk.session
        queue, project = session.suggestions, session.project
        ready = project is not None and bool(len(project.items))
        self.about.setText(self._choices[self.strategy.currentData()][1])
        self.ask.setEnabled(ready and not queue.asked)
        self.ask.setText("Looking at the images…" if queue.asked else "Suggest next")
        self.list.clear()
        for suggestion in queue.entries:
            where = ", a region" if suggestion.region is not None else ""
            entry = QListWidgetItem(f"{suggestion.item}{where}\n{suggestion.reason}")
            entry.setData(Qt.ItemDataRole.UserRole, suggestion)
            entry.setToolTip(f"Score {suggestion.score:.3g}")
            self.list.addItem(entry)
        if queue.entries:
            self.list.setCurrentRow(0)
        some = bool(queue.entries)
        for widget in (self.list, self.take, self.skip):
            widget.setVisible(some)
        self.hint.setText(self._hint(ready, some))

    def _hint(self, ready: bool, some: bool) -> str:
        if not ready:
            return "Add images first."
        if some:
            title = self._choices.get(self._desk.session.suggestions.strategy, ("", ""))[0]
            return f"Best first, chosen by “{title}”. Take one, paint inside the frame, or skip it."
        return "Ask which image, and which part of it, is worth annotating next."

    def _progressed(self, event: Progressed) -> None:
        if event.task == "suggest" and self._desk.session.suggestions.asked:
            self.ask.setText(f"Looking at image {event.done} of {event.total}…")

    def chosen(self) -> Suggestion | None:
        """The selected suggestion."""
        entry = self.list.currentItem()
        suggestion: Suggestion | None = entry.data(Qt.ItemDataRole.UserRole) if entry is not None else None
        return suggestion

    def take_next(self) -> None:
        """Take the best suggestion, asking for some when there are none."""
        if self._desk.session.suggestions.entries:
            self._take()
        elif not self._desk.session.suggestions.asked:
            self._ask()

    def _ask(self) -> None:
        with reported():
            self._desk.actions.suggest(self.strategy.currentData(), COUNT)

    def _take(self) -> None:
        suggestion = self.chosen()
        if suggestion is not None:
            with reported():
                self._desk.actions.take(suggestion)

    def _skip(self) -> None:
        suggestion = self.chosen()
        if suggestion is not None:
            with reported():
                self._desk.actions.skip(suggestion)
