"""The line that always shows: what training does, and the one button for it."""

from __future__ import annotations

from qtpy.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QWidget

from napari_pccs.desk import Desk
from napari_pccs.trouble import trouble_of
from napari_pccs.ui import reported, restyle, text


class Footer(QWidget):
    """State of training in one line, with Train or Pause."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self.state = text("", "quiet")
        self.button = QPushButton("Train")
        self.button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.button.clicked.connect(lambda _=False: self._press())
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.state, 1)
        layout.addWidget(self.button)
        signals = desk.session.signals
        for signal in (
            signals.training_changed,
            signals.project_changed,
            signals.item_changed,
            signals.worker_changed,
            signals.classes_changed,
        ):
            signal.connect(lambda *_: self.refresh(), check_nargs=False)
        self.refresh()

    def refresh(self) -> None:
        """Show the state of training."""
        session = self._desk.session
        training = session.training
        missing = "" if training.active else self._desk.actions.why_not_train()
        self.button.setVisible(session.project is not None)
        self.button.setEnabled(not missing and not training.ending and training.state != "preparing")
        self.button.setToolTip(missing)
        label = {"idle": "Train", "preparing": "Pause", "training": "Pause", "paused": "Go on"}[
            training.state
        ]
        self.button.setText(label)
        role = "primary" if training.state in ("idle", "paused") else ""
        if self.button.property("role") != role:
            restyle(self.button, role)
        self.state.setText(self._line(missing))

    def _line(self, missing: str) -> str:
        session = self._desk.session
        training, worker, trouble = session.training, session.worker, trouble_of(session)
        if session.project is None or worker is None:
            return ""
        if trouble is not None:
            if worker.crash:
                return "The worker ended. See Train."
            hangs = trouble.way == "end"
            return f"{'The worker does not answer' if hangs else 'Training failed'}. See Train."
        if training.ending:
            return "Stopping…" if training.ending == "keep" else "Cancelling…"
        if training.state == "idle":
            return missing or (f"{training.step} steps learned." if training.step else "Ready to train.")
        parts = [{"preparing": "Preparing", "training": "Training", "paused": "Paused"}[training.state]]
        if training.step:
            parts.append(f"step {training.step}")
        if training.dice is not None:
            parts.append(f"Dice {training.dice:.2f}")
        if training.stalled:
            parts.append("no gain any more: see Train")
        return "  ·  ".join(parts)

    def _press(self) -> None:
        with reported():
            state = self._desk.session.training.state
            if state == "idle":
                self._desk.show_stage("train")
                trouble = trouble_of(self._desk.session)
                if trouble is not None:  # the same training would only fail again
                    self._desk.actions.mend(trouble)
                else:
                    self._desk.actions.train()
            elif state == "paused":
                self._desk.actions.resume()
            else:
                self._desk.actions.pause()
