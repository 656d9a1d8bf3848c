"""What concerns other people, above the stages: who is here, who paints this image, where strokes differ."""

from __future__ import annotations

from functools import partial

from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_pccs.desk import Desk
from napari_pccs.others import Place
from napari_pccs.together import NOBODY
from napari_pccs.ui import SPACE, button, count, reported, row, text


class TogetherBox(QWidget):
    """Empty, and of no height, as long as nobody else has anything to do with the project."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self.who = text("", "quiet")
        self.claimed = text("", "banner")
        self.anyway = button(
            "Paint anyway", self._paint_anyway, tip="What both of you paint differently is shown for choice"
        )
        self.differ = text("", "hint")
        self.go = button("Next image", self._next_image, tip="The next image on which strokes differ")
        self.step = button("Next place", self._next_place, tip="The next place where strokes differ")
        self.pick = button(
            "Pick", self._pick, tip="Choose a place by a click; back with any other layer or a class key"
        )
        self.whole = QCheckBox("All places of this image")
        self.choices = QWidget()
        self._choices = QHBoxLayout(self.choices)
        self._choices.setContentsMargins(0, 0, 0, 0)
        self._choices.setSpacing(SPACE)
        self.buttons: dict[str, QPushButton] = {}
        self._moves = row(self.go, self.step, self.pick)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE)
        for widget in (
            self.who, self.claimed, self.anyway, self.differ, self._moves, self.choices, self.whole,
        ):  # fmt: skip
            layout.addWidget(widget)
        signals = desk.session.signals
        for signal in (signals.together_changed, signals.current_changed, signals.project_changed):
            signal.connect(self.refresh)
        self.whole.toggled.connect(lambda _: self.refresh())
        self.refresh()

    # ------------------------------------------------------------- showing

    def refresh(self) -> None:
        """Show what is known now."""
        together, project = self._desk.session.together, self._desk.session.project
        here = project is not None and (project.joined or bool(together.people))
        self.setVisible(here)
        if project is None or not here:
            return
        self.who.setText(self._who())
        claim, places = together.held_back, together.places
        for widget in (self.claimed, self.anyway):
            widget.setVisible(claim is not None)
        self.claimed.setText(claim.sentence() if claim is not None else "")
        number = len(together.conflicts)
        for widget in (self.differ, self._moves):
            widget.setVisible(bool(number or places))
        for widget in (self.step, self.pick, self.choices, self.whole):
            widget.setVisible(bool(places))
        self.go.setEnabled(bool({*together.conflicts} - {self._item()}))
        self.differ.setText(self._differ(number))
        self._offer()

    def _item(self) -> str:
        item = self._desk.session.current
        return item.name if item is not None else ""

    def _who(self) -> str:
        project, together = self._desk.session.need_project(), self._desk.session.together
        if project.joined:
            holder = project.holder or "somebody else"
            return f"You are {project.me}. {holder} holds this project, and takes in what you paint."
        return f"You are {project.me}. Also painting in this project: {', '.join(together.people)}."

    def _differ(self, number: int) -> str:
        together = self._desk.session.together
        place = self._place()
        if place is None:
            return f"Strokes differ on {count(number, 'image')}."
        names = {one.value: one.name for one in self._desk.session.need_project().classes}
        said = "; ".join(
            f"{who}: {' and '.join(names.get(value, str(value)) for value in values)}"
            for who, values in place.said.items()
        )
        return f"Strokes differ here, place {together.chosen + 1} of {len(together.places)}. {said}."

    def _place(self) -> Place | None:
        together = self._desk.session.together
        return together.places[together.chosen] if together.places else None

    def _offer(self) -> None:
        """A button for everybody whose strokes can be taken, and one to take nobody's."""
        session = self._desk.session
        place, project = self._place(), session.need_project()
        shown = session.together.places if self.whole.isChecked() else ([place] if place is not None else [])
        names = sorted({name for one in shown for name in one.said})
        if project.joined:  # who joined may give way, no more
            names = [name for name in names if name != project.me]
        if [*names, NOBODY] == list(self.buttons):
            return
        for old in self.buttons.values():
            self._choices.removeWidget(old)
            old.hide()  # deleted once Qt comes to it, and till then drawn where it was
            old.deleteLater()
        self.buttons = {}
        for name in [*names, NOBODY]:
            mine = name == project.me
            words = "Erase" if name == NOBODY else "Take mine" if mine else f"Take {name}'s"
            self.buttons[name] = button(words, partial(self._decide, name), tip="Nobody's own strokes change")
            self._choices.addWidget(self.buttons[name])

    # -------------------------------------------------------------- acting

    def _decide(self, name: str) -> None:
        with reported():
            place = None if self.whole.isChecked() else self._place()
            self._desk.session.together.decide(name, place)

    def _paint_anyway(self) -> None:
        self._desk.session.together.paint_anyway()

    def _next_image(self) -> None:
        with reported():
            self._desk.session.together.next_conflict()

    def _next_place(self) -> None:
        together = self._desk.session.together
        together.choose(together.chosen + 1)
        place = self._place()
        if place is not None:
            self._desk.link.go_to_region(place.region)

    def _pick(self) -> None:
        self._desk.link.others.pick()
