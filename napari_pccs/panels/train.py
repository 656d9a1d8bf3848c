"""Train: one button to start, three different ways to hold or end, and what is going on."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QComboBox, QWidget

from napari_pccs import dialogs
from napari_pccs.desk import Desk
from napari_pccs.panels.choices_box import ChoicesBox
from napari_pccs.panels.models_table import ModelsTable
from napari_pccs.panels.train_details import Details
from napari_pccs.plot import Plot
from napari_pccs.trouble import TIPS, WORDS, Trouble, trouble_of
from napari_pccs.ui import button, duration, reported, restyle, row, stage_layout, text
from napari_pccs.unforeseen import ABOUT_REPORT, copy_report
from pccs.config import PRESETS

ABOUT_PRESETS = {
    "pccs": "PCCS: the unlabelled images teach too. Recommended.",
    "supervised": "Supervised: from your labels only, for comparison.",
    "pccs-paper": "PCCS with the published settings.",
    "mean-teacher": "Mean teacher: consistency only.",
    "cutmix": "CutMix: pseudo-labels on mixed images.",
    "copy-paste": "Copy-paste: labelled and unlabelled images mixed both ways.",
}
ABOUT_START = (
    "Begin another run with a model that was exported (model.safetensors).\n"
    "Classes of the same name keep what it knows of them; others are learned from your labels."
)
ABOUT_QUALITY = (
    "Dice: 1 is perfect, 0 is nothing right.\n"
    "Strokes it has not seen: some of the places you annotated are never trained on. They lie in images "
    "the model knows, so on new images it usually does worse than there.\n"
    "Images it had never seen: measured before training first used their annotation.\n"
    "Images you corrected: the prediction against what you made of it.\n"
    "± is one standard error: how much the figure would change with other images."
)


def corrected_line(corrected: Sequence[tuple[str, float]]) -> str:
    """Mean corrective Dice and how many images it rests on; empty without any."""
    if not corrected:
        return ""
    mean = sum(dice for _, dice in corrected) / len(corrected)
    return f"{mean:.2f} on {len(corrected)} image{'s' * (len(corrected) > 1)} you corrected"


class TrainStage(QWidget):
    """The third stage."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self.banner = text("", "banner")
        self.again = button("", self._again, primary=True)
        self.report = button("Copy report", self._report, tip=ABOUT_REPORT)
        self.preset = QComboBox()
        for name in PRESETS:
            self.preset.addItem(name, name)
            self.preset.setItemData(
                self.preset.count() - 1, ABOUT_PRESETS.get(name, name), Qt.ItemDataRole.ToolTipRole
            )
        self.preset.setCurrentIndex(self.preset.findData("pccs"))
        self.preset.currentIndexChanged.connect(lambda _: self.refresh())
        self.about = text("", "quiet")
        self.fresh = QCheckBox("Begin anew")
        self.fresh.setToolTip(
            "Forget what was learned before. Without it, training goes on where it stopped."
        )
        self.start = button("Start from a model…", self._start_from, tip=ABOUT_START)
        self.train = button("Train", self._train, primary=True)
        self.pause = button("Pause", self._pause, tip="Hold training; nothing is lost or released")
        self.keep = button("Stop and keep", self._keep, tip="End training. What was learned is kept")
        self.discard = button(
            "Cancel and discard",
            self._discard,
            tip="End training. What was learned since Train is thrown away",
        )
        self.state = text("")
        self.outlook = text("")
        self.places = button(
            "Suggested places",
            lambda: desk.show_stage("suggest"),
            tip="Where a few strokes would teach the most",
        )
        self.quality = text("")
        self.quality.setToolTip(ABOUT_QUALITY)
        self.figures = text("", "quiet")
        self.plot = Plot(self._open_item)
        self.details = Details()
        self.models = ModelsTable(desk)
        self.choices = ChoicesBox(
            desk, more=(row(self.preset, self.fresh, stretch=0), self.about, self.start)
        )
        self._lay_out()
        signals = desk.session.signals
        for signal in (signals.training_changed, signals.worker_changed, signals.project_changed):
            signal.connect(self.refresh)
        signals.classes_changed.connect(self.refresh)
        for signal in (signals.models_changed, signals.project_changed):
            signal.connect(self._compare)
        signals.item_changed.connect(self._item_changed)
        self.refresh()

    def _lay_out(self) -> None:
        layout = stage_layout(self)
        for widget in (
            self.banner,
            row(self.again, self.report),
            self.choices,
            self.train,
            self.pause,
            row(self.keep, self.discard),
            self.state,
            self.outlook,
            self.places,
            self.quality,
            self.figures,
            self.plot,
            self.models,
            self.details,
        ):
            layout.addWidget(widget)
        layout.addStretch(1)

    # ------------------------------------------------------------- showing

    def refresh(self) -> None:
        """Show the state of training."""
        session = self._desk.session
        training = session.training
        active = training.active
        trouble = self._show_trouble()
        missing = self._desk.actions.why_not_train()
        self.train.setVisible(not active and trouble is None)
        self.train.setEnabled(not missing)
        self.start.setEnabled(not missing and trouble is None)
        self.start.setToolTip(missing or ABOUT_START)
        self.train.setText("Train" if training.step == 0 or self.fresh.isChecked() else "Go on training")
        self.train.setToolTip(missing or "Train in the background; go on painting meanwhile")
        self.choices.setVisible(not active)  # they wait for the next Train; what happens now needs the room
        for widget in (self.pause, self.keep, self.discard):
            widget.setVisible(active)
            widget.setEnabled(active and not training.ending)
        self.pause.setText("Go on" if training.state == "paused" else "Pause")
        self.pause.setEnabled(training.state in ("training", "paused") and not training.ending)
        self.about.setText(ABOUT_PRESETS.get(self.preset.currentData(), ""))
        self.state.setText(self.state_line())
        self.state.setVisible(bool(self.state.text()))
        self.outlook.setText(training.outlook)
        self.outlook.setVisible(bool(training.outlook))
        if bool(self.outlook.property("role")) != training.stalled:
            restyle(self.outlook, "hint" if training.stalled else "")
        self.places.setVisible(training.stalled)
        self.quality.setText(self.quality_lines())
        self.quality.setVisible(bool(self.quality.text()))
        self.figures.setText(self._figures())
        self.figures.setVisible(bool(self.figures.text()))
        self.details.show_figures(training.figures, training.per_class, training.validation_pixels)
        self.plot.show_training(training.loss, training.validation)
        self.plot.show_corrected(session.annotations.corrected())
        self.plot.setVisible(bool(training.loss.x or session.annotations.corrected()))

    def _show_trouble(self) -> Trouble | None:
        """The sentence and the button of what stands in the way."""
        trouble = trouble_of(self._desk.session)
        for widget in (self.banner, self.again):
            widget.setVisible(trouble is not None)
        self.report.setVisible(trouble is not None and trouble.report)
        if trouble is not None:
            self.banner.setText(trouble.sentence)
            self.again.setText(WORDS[trouble.way])
            self.again.setToolTip(TIPS[trouble.way])
        return trouble

    def state_line(self) -> str:
        """What the trainer does now, in one sentence."""
        training = self._desk.session.training
        if training.ending == "keep":
            return "Stopping; what was learned is being saved…"
        if training.ending == "discard":
            return "Cancelling; going back to where Train was pressed…"
        if training.detail:
            sentence = training.detail[0].upper() + training.detail[1:]
            return sentence if sentence[-1] in ".…!?" else f"{sentence}."
        return {
            "idle": f"Not training. {training.step} steps were learned." if training.step else "",
            "preparing": "Preparing…",
            "training": "Training.",
            "paused": "Paused.",
        }[training.state]

    def quality_lines(self) -> str:
        """How good the model is: measured by the program, and by what the user had to correct."""
        training = self._desk.session.training
        corrected = corrected_line(self._desk.session.annotations.corrected())
        return "\n".join(line for line in (training.quality, corrected, training.showing) if line)

    def _figures(self) -> str:
        training, worker = self._desk.session.training, self._desk.session.worker
        parts = []
        if training.step:
            parts.append(f"step {training.step}")
        if training.speed:
            parts.append(f"{training.speed:.1f} steps/s")
        if training.seconds:
            parts.append(f"{duration(training.seconds)} so far")
        if training.seconds_left is not None:
            parts.append(f"{duration(training.seconds_left)} left")
        if training.dice is not None:
            parts.append(f"validation Dice {training.dice:.2f}")
        if worker is not None and worker.device:
            parts.append(worker.device)
        if training.device_memory_mb:
            parts.append(f"{training.device_memory_mb / 1024:.1f} GB on the device")
        if training.memory_mb:
            parts.append(f"{training.memory_mb / 1024:.1f} GB memory")
        return "  ·  ".join(parts)

    def _compare(self) -> None:
        self.plot.show_others(self.models.other_runs())

    def _item_changed(self, name: str) -> None:
        if not self._desk.session.training.active:
            self.refresh()

    # -------------------------------------------------------------- acting

    def _train(self) -> None:
        with reported():
            self._desk.actions.train(self.preset.currentData(), fresh=self.fresh.isChecked())
            self.fresh.setChecked(False)

    def _start_from(self) -> None:
        path = dialogs.ask_model_file(self)
        if path is not None:
            with reported():
                self._desk.actions.train(self.preset.currentData(), start=path)

    def _again(self) -> None:
        with reported():
            trouble = trouble_of(self._desk.session)
            if trouble is not None:
                self._desk.actions.mend(trouble, self.preset.currentData())

    def _report(self) -> None:
        copy_report(project=self._desk.session.project)

    def _pause(self) -> None:
        with reported():
            if self._desk.session.training.state == "paused":
                self._desk.actions.resume()
            else:
                self._desk.actions.pause()

    def _keep(self) -> None:
        with reported():
            self._desk.actions.stop_and_keep()

    def _discard(self) -> None:
        with reported():
            self._desk.actions.cancel_and_discard()

    def _open_item(self, name: str) -> None:
        with reported():
            self._desk.session.go_to(name)
