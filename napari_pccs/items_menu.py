"""What can be done to the selected images: a line that shows when several are, and the table's menu."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QMenu, QToolButton, QWidget

from napari_pccs import dialogs
from napari_pccs.batch import Batch
from napari_pccs.desk import Desk
from napari_pccs.items_view import ItemsView
from napari_pccs.ui import count, reported, row, text


class ItemsMenu:
    """Puts the line and the menu on the table of images.

    Parameters
    ----------
    desk
        What the stages work with.
    view
        The table.
    """

    def __init__(self, desk: Desk, view: ItemsView) -> None:
        self._desk, self._view = desk, view
        self._batch = Batch(desk.session)
        self.menu = QMenu(view)
        self.actions = {
            title: self.menu.addAction(title, self._reported(do))
            for title, do in (
                ("Accept their predictions…", self.accept),
                ("Mark as complete…", self.complete),
                ("Mark as partial", self.partial),
                ("Segment them now", self.segment),
            )
        }
        self.words = text("", "quiet")
        self.more = QToolButton()
        self.more.setText("Do with all of them")
        self.more.setMenu(self.menu)
        self.more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.line: QWidget = row(self.words, self.more, stretch=0)
        view.put_above_table(self.line)
        view.table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        view.table.customContextMenuRequested.connect(self._pop_up)
        view.table.selectionModel().selectionChanged.connect(lambda *_: self.refresh())
        view.model.modelReset.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show the line when several images are selected."""
        number = len(self._view.selected())
        self.line.setVisible(number > 1)
        self.words.setText(f"{count(number, 'image')} selected")

    def _pop_up(self, place: QPoint) -> None:
        if self._view.selected():
            missing = self._desk.actions.why_not_segment()
            action = self.actions["Segment them now"]
            action.setEnabled(not missing)
            action.setToolTip(missing)
            self.menu.popup(self._view.table.viewport().mapToGlobal(place))

    @staticmethod
    def _reported(do: Callable[[], None]) -> Callable[[], None]:
        def guarded(checked: bool = False) -> None:
            with reported():
                do()

        return guarded

    # -------------------------------------------------------------- acting

    def accept(self) -> None:
        """Accept the predictions of the selected images, after a question that says what that is."""
        names = self._view.selected()
        question = (
            f"Make the predictions of {count(len(names), 'image')} final, below what you painted? "
            "Each counts as complete then, and teaches the model. Images without a prediction are left out."
        )
        if dialogs.ask_choice(self._view, question, ["Accept them"]) is not None:
            done = self._batch.accept(names, self._desk.run_aside("Accepting the predictions…"))
            self._desk.session.say("info", f"{count(len(done), 'image')} accepted.")

    def complete(self) -> None:
        """Mark the selected images as complete, after a question that says what that is."""
        names = self._view.selected()
        first = self._desk.session.need_project().classes[0].name
        question = (
            f"Mark {count(len(names), 'image')} as complete? Everything unpainted on them counts as "
            f"“{first}” then: an object nobody painted teaches that there is none."
        )
        if dialogs.ask_choice(self._view, question, ["Mark them as complete"]) is not None:
            self._batch.set_complete(names, True)

    def partial(self) -> None:
        """Mark the selected images as partial: what is unpainted is unknown."""
        self._batch.set_complete(self._view.selected(), False)

    def segment(self) -> None:
        """Predict the selected images in the background."""
        self._desk.actions.segment(tuple(self._view.selected()))
        self._desk.show_stage("segment")
