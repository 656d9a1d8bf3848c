"""Annotate: classes, how far an image is painted, taking the prediction over, moving between images."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QCheckBox, QWidget

from napari_pccs.coverage import Coverage, coverage
from napari_pccs.desk import Desk
from napari_pccs.panels.class_table import ClassTable
from napari_pccs.ui import button, reported, restyle, row, stage_layout, text

CALM_MS = 50
"""Milliseconds after a stroke or a new prediction until it is measured how far the image is painted: that
looks at every pixel, and the canvas is drawn first."""


class AnnotateStage(QWidget):
    """The second stage."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self.hint = text("", "hint")
        self.classes = ClassTable(desk)
        self.complete = QCheckBox("Complete: the rest is background  (D)")
        self.complete.setToolTip(
            "Partial (the default): pixels you have not painted are unknown, not background.\n"
            "Complete: you have painted every object, and everything else is background."
        )
        self.complete.clicked.connect(self._set_complete)
        self.explain = text("", "quiet")
        self.partial = button("Make it partial again", lambda: self._set_complete(False))
        self.here = button("Accept here  (T)", self._take_over)
        self.here.setCheckable(True)
        self.here.setToolTip(
            "Click an object of the prediction, or draw a line round a region: it becomes annotation\n"
            "where nothing is painted yet. Ctrl Z takes it back; a class key or T puts the tool down."
        )
        self.accept = button("Accept all  (A)", self._accept)
        self.accept.setToolTip("The whole prediction below your paint becomes annotation: image finished")
        self.previous = button("◀ Previous", lambda: self._step(-1), tip="Shift N")
        self.next = button("Next ▶", lambda: self._step(1), tip="N")
        self._calm = QTimer(self)
        self._calm.setSingleShot(True)
        self._calm.setInterval(CALM_MS)
        self._calm.timeout.connect(self._measure)
        self._lay_out()
        self._listen()

    def _lay_out(self) -> None:
        layout = stage_layout(self)
        for widget in (
            self.hint,
            self.classes,
            self.complete,
            self.explain,
            self.partial,
            row(self.here, self.accept),
            row(self.previous, self.next),
        ):
            layout.addWidget(widget)
        layout.addStretch(1)

    def _listen(self) -> None:
        signals = self._desk.session.signals
        for signal in (
            signals.project_changed,
            signals.classes_changed,
            signals.current_changed,
            signals.tool_changed,
        ):
            signal.connect(lambda *_: self.refresh(), check_nargs=False)
        for signal in (signals.prediction_changed, signals.item_changed):
            signal.connect(lambda *_: self._pixels_changed(), check_nargs=False)
        self.refresh()

    # ------------------------------------------------------------- showing

    def refresh(self) -> None:
        """Show the state of the image on screen."""
        self._show_state()
        self._measure()

    def _pixels_changed(self) -> None:
        """A stroke was saved, or a newer prediction has come."""
        self._show_state()
        self._calm.start()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 (Qt's name)
        """Measure what has changed while this stage was hidden."""
        super().showEvent(event)
        self._measure()

    def _show_state(self) -> None:
        session, link = self._desk.session, self._desk.link
        project, item = session.project, session.current
        here = project is not None and item is not None
        for widget in (self.classes, self.complete, self.explain, self.here, self.accept):
            widget.setVisible(project is not None)
        for widget in (self.previous, self.next):
            widget.setEnabled(here)
        held = project is not None and not project.joined
        self.complete.setEnabled(here and held)
        self.here.setChecked(link.take_over.on)
        self.here.setEnabled(session.prediction is not None and link.annotation is not None)
        if project is None or item is None:
            self.hint.setText("Add images first.")
            self.accept.setEnabled(False)
            self.partial.setVisible(False)
            return
        facts = project.item_facts(item)
        self.complete.setChecked(facts.complete)
        self.complete.setText(f"Complete: the rest is {project.classes[0].name}  (D)")
        self.hint.setText(self._next_thing(facts.state))
        self.accept.setEnabled(held and (session.prediction is not None or facts.complete))
        self.accept.setText("Take it back  (A)" if facts.accepted else "Accept all  (A)")

    def _measure(self) -> None:
        """Say how far the image is painted; of a hidden stage nobody reads it."""
        self._calm.stop()
        session = self._desk.session
        if session.project is None or session.current is None or not self.isVisibleTo(self.window()):
            return
        facts = session.project.item_facts(session.current)
        self._explain(self._coverage(), facts.complete, facts.accepted)

    def _coverage(self) -> Coverage:
        session, layer = self._desk.session, self._desk.link.annotation
        painted = np.asarray(layer.data) if layer is not None else session.annotations.current()
        prediction = session.prediction.labels if session.prediction is not None else None
        taken = session.annotations.taken_over(painted)
        return coverage(painted, prediction, session.need_project().classes, taken)

    def _explain(self, facts: Coverage, complete: bool, accepted: bool) -> None:
        doubted = complete and not accepted and facts.suspicious
        self.explain.setText(facts.complete_sentence() if complete else facts.partial_sentence())
        role = "banner" if doubted else "quiet"
        if self.explain.property("role") != role:
            restyle(self.explain, role)
        self.partial.setVisible(doubted)

    def _next_thing(self, state: str) -> str:
        link = self._desk.link
        if link.annotation is None:
            return "The Annotation layer was removed; what you painted is saved. Press Next to bring it back."
        if link.take_over.on:
            return "Click what the prediction has right, or draw a line round it. T puts the tool down."
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

    # -------------------------------------------------------------- acting

    def toggle_complete(self) -> None:
        """Say the opposite of what is said now, and what that means."""
        project, item = self._desk.session.need_project(), self._desk.session.need_item()
        self._set_complete(not project.is_complete(item))
        facts = self._coverage()
        if project.is_complete(item):
            self._desk.session.say("warning" if facts.suspicious else "info", facts.complete_sentence())

    def _set_complete(self, on: bool) -> None:
        with reported():
            self._desk.session.annotations.set_complete(on)
        self.refresh()

    def _take_over(self) -> None:
        with reported():
            self._desk.link.take_over.toggle()
        self.refresh()

    def _accept(self) -> None:
        with reported():
            self._desk.session.annotations.toggle_accepted()

    def _step(self, by: int) -> None:
        with reported():
            self._desk.session.step_item(by, self._desk.order())
