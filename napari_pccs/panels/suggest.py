"""Suggest: where the next annotation is worth most, with the reason, to take, skip or put off."""

from __future__ import annotations

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QComboBox, QListWidget, QListWidgetItem, QWidget

from napari_pccs.desk import Desk
from napari_pccs.suggestion_pictures import SIDE, SuggestionPictures
from napari_pccs.suggestions import SuggestionQueue, choices
from napari_pccs.ui import button, count, reported, row, stage_layout, text
from pccs.events import Progressed, Suggestion

COUNT = 10
_ROLE = Qt.ItemDataRole


class _List(QListWidget):
    """A list that takes the room there is, instead of asking for some and pushing the buttons out."""

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        return QSize(2 * SIDE, SIDE + 12)


class SuggestStage(QWidget):
    """The fourth stage."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self.pictures = SuggestionPictures(desk.session, self._picture_came)
        self.hint = text("", "hint")
        self._choices = choices()
        self.strategy = self._make_strategy()
        self.about = text("", "quiet")
        self.ask = button("Suggest next", self._ask, primary=True)
        self.list = self._make_list()
        self.take = button(
            "Take  (S)", lambda: self._do("take"), tip="Go there and show the region worth painting"
        )
        self.later = button(
            "Later", lambda: self._do("put_off"), tip="To the end of the list, also after asking again"
        )
        self.skip = button(
            "Skip", lambda: self._do("skip"), tip="Do not suggest this image again in this project"
        )
        self.aside = text("", "quiet")
        self.aside.setToolTip("Skipped, or taken and left without a stroke: they are not suggested again")
        self.back = button("Bring back", self._bring_back, tip="Let them be suggested again")
        self.set_aside = row(self.aside, self.back, stretch=0)
        self._lay_out()
        self._listen()
        self.refresh()

    def _make_strategy(self) -> QComboBox:
        box = QComboBox()
        box.setAccessibleName("How to choose")
        for name, (title, about) in self._choices.items():
            box.addItem(title, name)
            box.setItemData(box.count() - 1, about, _ROLE.ToolTipRole)
        box.currentIndexChanged.connect(lambda _: self.refresh())
        return box

    def _make_list(self) -> QListWidget:
        entries = _List()
        entries.setAccessibleName("Suggestions, best first")
        entries.setWordWrap(True)
        entries.setSpacing(2)
        entries.setIconSize(QSize(SIDE, SIDE))
        entries.setMinimumHeight(SIDE + 12)
        entries.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        entries.itemDoubleClicked.connect(lambda _: self._do("take"))
        return entries

    def _lay_out(self) -> None:
        layout = stage_layout(self)
        for widget in (self.hint, self.strategy, self.about, self.ask):
            layout.addWidget(widget)
        layout.addWidget(self.list, 1)
        layout.addWidget(row(self.take, self.later, self.skip))
        layout.addWidget(self.set_aside)
        layout.addStretch(0)

    def _listen(self) -> None:
        signals = self._desk.session.signals
        signals.project_changed.connect(self.pictures.clear)
        for signal in (signals.suggestions_changed, signals.project_changed, signals.items_changed):
            signal.connect(self.refresh)
        signals.item_changed.connect(self._item_changed)
        signals.current_changed.connect(self._say)
        signals.progressed.connect(self._progressed)

    # ------------------------------------------------------------- showing

    def refresh(self) -> None:
        """Show the queue, or how to fill it."""
        session = self._desk.session
        queue, project = session.suggestions, session.project
        ready = project is not None and bool(len(project.items))
        self.about.setText(self._choices[self.strategy.currentData()][1])
        self.strategy.setToolTip(self.about.text())
        self.ask.setEnabled(ready and not queue.asked)
        self.ask.setText("Looking at the images…" if queue.asked else "Suggest next")
        self._fill(queue)
        some = bool(queue.entries)
        for widget in (self.list, self.take, self.later, self.skip):
            widget.setVisible(some)
        self.about.setVisible(not some)  # the room is for the list; the tooltip says it too
        unwanted = len({*queue.skipped, *queue.taken})
        self.set_aside.setVisible(bool(unwanted) and not queue.asked)
        self.aside.setText(f"{count(unwanted, 'image')} set aside")
        self._say()

    def _fill(self, queue: SuggestionQueue) -> None:
        here = self.chosen()
        self.list.clear()
        for suggestion in queue.entries:
            where = ", a region" if suggestion.region is not None else ""
            put_off = "Put off. " if suggestion in queue.later else ""
            entry = QListWidgetItem(f"{suggestion.item}{where}\n{put_off}{suggestion.reason}")
            entry.setData(_ROLE.UserRole, suggestion)
            entry.setSizeHint(QSize(0, SIDE + 8))
            entry.setToolTip(f"{suggestion.reason}\nScore {suggestion.score:.3g}")
            self.list.addItem(entry)
        if queue.entries:
            self.list.setCurrentRow(queue.entries.index(here) if here in queue.entries else 0)
        self._picture_came()

    def _picture_came(self) -> None:
        for position in range(self.list.count()):
            entry = self.list.item(position)
            icon = self.pictures.icon(entry.data(_ROLE.UserRole))
            if icon is not None:
                entry.setIcon(icon)

    def _say(self) -> None:
        self.hint.setText(self._hint())

    def _hint(self) -> str:
        session = self._desk.session
        queue, current, project = session.suggestions, session.current, session.project
        if project is None or not len(project.items):
            return "Add images first."
        if queue.empty_handed and not queue.entries:
            return "Nothing is left to suggest: every image is annotated, accepted or set aside."
        if queue.here is not None and current is not None and queue.here.item == current.name:
            inside = "inside the frame" if queue.here.region is not None else "on this image"
            return f"Paint {inside}. {queue.here.reason}. Then press S for the next."
        if queue.entries:
            title = self._choices.get(queue.strategy, ("", ""))[0]
            chosen = f"Best first, by “{title}”. " if title else ""
            return f"{chosen}Take one, put it off, or skip it."
        return "Ask which image, and which part of it, is worth annotating next."

    def _item_changed(self, name: str) -> None:
        if any(s.item == name for s in self._desk.session.suggestions.entries):
            self._picture_came()

    def _progressed(self, event: Progressed) -> None:
        if event.task == "suggest" and self._desk.session.suggestions.asked:
            self.ask.setText(f"Looking at image {event.done} of {event.total}…")

    # --------------------------------------------------------------- doing

    def chosen(self) -> Suggestion | None:
        """The selected suggestion."""
        entry = self.list.currentItem()
        suggestion: Suggestion | None = entry.data(_ROLE.UserRole) if entry is not None else None
        return suggestion

    def take_next(self) -> None:
        """Take the selected suggestion, asking for some when there are none."""
        queue = self._desk.session.suggestions
        if queue.entries:
            self._do("take")
        elif not queue.asked:
            self._ask()

    def _ask(self) -> None:
        with reported():
            self._desk.actions.suggest(self.strategy.currentData(), COUNT)

    def _do(self, action: str) -> None:
        suggestion = self.chosen()
        if suggestion is None:
            return
        self.list.setCurrentRow(-1)  # so that the best of what stays is selected, not where this one goes
        with reported():
            getattr(self._desk.actions, action)(suggestion)
        if self.list.currentRow() < 0:
            self.list.setCurrentRow(0)

    def _bring_back(self) -> None:
        with reported():
            self._desk.actions.bring_back()
