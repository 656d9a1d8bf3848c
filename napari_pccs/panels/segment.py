"""Segment: predict all the rest in the background, then review, correct and accept."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QCheckBox, QProgressBar, QWidget

from napari_pccs.desk import Desk
from napari_pccs.ui import button, count, duration, line, reported, row, stage_layout, text
from pccs.events import Finished, Progressed


class SegmentStage(QWidget):
    """The fifth stage."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self._activity: Any = None
        self.hint = text("", "hint")
        self.start = button("Segment the rest", self._start, primary=True)
        self.through = QCheckBox("Volumes along three directions")
        self.through.setToolTip(
            "Look at the planes across the slices too, and average: slower, for slices that lie close"
        )
        self.bar = QProgressBar()
        self.bar.setTextVisible(True)
        self.stop = button("Cancel", desk.actions.stop_segment, tip="End here; what is done stays")
        self.left = text("", "quiet")
        self.queue = text("", "quiet")
        self.review = button(
            "Next to review  (R)", self.go_to_review, tip="The predicted image the model is least sure of"
        )
        self.accept = button("Accept  (A)", self._accept, tip="Paint on top of the prediction becomes final")
        layout = stage_layout(self)
        for widget in (
            self.hint,
            self.through,
            self.start,
            self.bar,
            self.stop,
            self.left,
            line(),
            self.queue,
            row(self.review, self.accept),
        ):
            layout.addWidget(widget)
        layout.addStretch(1)
        signals = desk.session.signals
        for signal in (
            signals.project_changed,
            signals.current_changed,
            signals.prediction_changed,
            signals.training_changed,
            signals.worker_changed,
        ):
            signal.connect(self.refresh)
        signals.progressed.connect(self._progressed)
        signals.finished.connect(self._finished)
        for signal in (signals.project_changed, signals.current_changed):
            signal.connect(self._count)
        for signal in (signals.project_changed, signals.items_changed):
            signal.connect(self._show_choices)
        self._show_choices()
        self.refresh()

    def refresh(self) -> None:
        """Show what can be done."""
        session = self._desk.session
        missing = self._desk.actions.why_not_segment()
        running = session.segmenting
        self.start.setEnabled(not missing and not running)
        self.through.setEnabled(not running)
        self.start.setToolTip(missing or "Every image without a complete annotation")
        for widget in (self.bar, self.stop, self.left):
            widget.setVisible(running)
        self.hint.setVisible(not missing)  # what is missing is said above, with a button
        self.hint.setText(
            missing
            or ("Segmenting in the background; you can go on working." if running else "")
            or "Predict every image you have not annotated completely."
        )
        accepted = session.project is not None and session.current is not None
        self.accept.setEnabled(accepted and session.prediction is not None)
        self.review.setEnabled(session.project is not None)

    def _show_choices(self) -> None:
        """Where there are no volumes, nothing is said of them; asked only when the images change."""
        self.through.setVisible(self._desk.actions.has_volumes())

    def _count(self) -> None:
        """How many wait for review; asked for only where somebody sees it, for it looks at every item."""
        if not self.isVisible():
            return
        project = self._desk.session.project
        waiting = len(self._desk.actions.review_queue()) if project is not None else 0
        self.queue.setText(
            f"Review: {count(waiting, 'image')} to go, the least sure first. Correct with the brush, accept."
            if waiting
            else "Review: no predicted image waits. Correct with the brush, then accept."
        )

    def showEvent(self, event: Any) -> None:  # noqa: N802 (Qt's name)
        """Count what waits when the stage is looked at."""
        super().showEvent(event)
        self._count()

    def go_to_review(self) -> None:
        """Go to the next predicted item, or say that there is none."""
        with reported():
            name = self._desk.actions.next_to_review()
            if name is None:
                self._desk.session.say("info", "No predicted image waits for review.")
            else:
                self._desk.session.go_to(name)

    def _start(self) -> None:
        with reported():
            self.bar.setRange(0, 0)
            self.left.setText("")
            self._desk.actions.segment(through=self.through.isChecked() and self._desk.actions.has_volumes())
        self.refresh()

    def _accept(self) -> None:
        with reported():
            self._desk.session.annotations.accept()

    def _progressed(self, event: Progressed) -> None:
        if event.task != "segment":
            return
        self.bar.setRange(0, event.total)
        self.bar.setValue(event.done)
        self.bar.setFormat(f"{event.done} of {event.total}")
        left = "" if event.seconds_left is None else f"{duration(event.seconds_left)} left"
        self.left.setText("  ·  ".join(part for part in (event.item or "", left) if part))
        if self._activity is None:
            from napari.utils import progress

            self._activity = progress(total=event.total, desc="PCCS segments")
        self._activity.update(event.done - self._activity.n)

    def _finished(self, event: Finished) -> None:
        if event.task == "segment":
            self.close_activity()
            self.refresh()
            self._count()

    def close_activity(self) -> None:
        """Take the bar out of napari's activity dock."""
        if self._activity is not None:
            self._activity.close()
            self._activity = None
