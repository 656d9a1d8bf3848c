"""Sentence and button of the next step, above a stage that cannot do its own work yet."""

from __future__ import annotations

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_pccs.desk import Desk
from napari_pccs.next_step import NextStep, next_step
from napari_pccs.ui import SPACE, button, reported, text


class NextBar(QWidget):
    """Shows itself when the stage below it needs something first, and hides what is of no use before.

    Parameters
    ----------
    desk
        What the stages work with.
    stage
        Name of the stage.
    content
        The stage; hidden while there are no images at all.
    """

    def __init__(self, desk: Desk, stage: str, content: QWidget) -> None:
        super().__init__()
        self._desk, self._stage, self._content = desk, stage, content
        self._step: NextStep | None = None
        self.sentence = text("", "hint")
        self.go = button("", self._go, primary=True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, SPACE, SPACE, 0)
        layout.setSpacing(SPACE)
        layout.addWidget(self.sentence)
        layout.addWidget(self.go)
        signals = desk.session.signals
        for signal in (
            signals.project_changed,
            signals.items_changed,
            signals.item_changed,
            signals.current_changed,
            signals.classes_changed,
            signals.training_changed,
        ):
            signal.connect(lambda *_: self.refresh(), check_nargs=False)
        layers = desk.viewer.layers.events
        for event in (layers.inserted, layers.removed):
            event.connect(self._layers_changed)
        self.refresh()

    def refresh(self) -> None:
        """Show what has to be done first, if anything has to."""
        desk = self._desk
        step = next_step(
            self._stage,
            desk.actions,
            open_layers=len(desk.foreign_layers()),
            paper=desk.link.annotation is not None,
        )
        if step != self._step or step is None:
            self._step = step
            self.setVisible(step is not None)
            if step is not None:
                self.sentence.setText(step.sentence)
                self.go.setText(step.words)
        project = desk.session.project
        self._content.setVisible(
            self._stage == "images" or (project is not None and bool(len(project.items)))
        )

    def _layers_changed(self, event: object = None) -> None:
        project = self._desk.session.project
        if project is None or not len(project.items):
            self.refresh()

    def _go(self) -> None:
        desk, step = self._desk, self._step
        if step is None:
            return
        with reported():
            match step.way:
                case "folder":
                    desk.open_folder()
                case "layers":
                    desk.use_layers()
                case "annotate":
                    desk.show_stage("annotate")
                case "train":
                    desk.show_stage("train")
                    desk.actions.train()
                case "bring-back":
                    desk.link.show_item()
        self.refresh()

    def cleanup(self) -> None:
        """Let go of the viewer."""
        layers = self._desk.viewer.layers.events
        for event in (layers.inserted, layers.removed):
            event.disconnect(self._layers_changed)
