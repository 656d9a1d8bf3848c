"""What the panel knows of the running training: a small state machine fed by events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Literal

from napari_pccs.improvement import Improvement
from pccs.events import Finished, StateChanged, Stepped, Validated

State = Literal["idle", "preparing", "training", "paused"]
Ending = Literal["", "keep", "discard"]

MAX_POINTS = 4000
"""Points a curve may have; beyond it every second old one is dropped."""


@dataclass
class Curve:
    """A line of the plot: step against value."""

    x: list[float] = field(default_factory=list)
    y: list[float] = field(default_factory=list)

    def add(self, x: float, y: float) -> None:
        """Append a point; values that are not finite are left out, long curves are thinned."""
        if not isfinite(y):
            return
        self.x.append(x)
        self.y.append(y)
        if len(self.x) > MAX_POINTS:
            half = len(self.x) // 2
            self.x[:half] = self.x[:half:2]
            self.y[:half] = self.y[:half:2]

    def clear(self) -> None:
        """Forget every point."""
        self.x.clear()
        self.y.clear()

    def cut(self, step: float) -> None:
        """Forget the points after ``step``: training went back to an earlier state."""
        while self.x and self.x[-1] > step:
            self.x.pop()
            self.y.pop()


def label_loss(figures: Mapping[str, Any]) -> float | None:
    """The loss to draw: that on the labels, which does not jump when other terms come in."""
    value = figures.get("supervised", figures.get("loss"))
    return float(value) if isinstance(value, int | float) else None


class TrainingFacts:
    """State of training, and its curves.

    ``state`` follows the worker; ``ending`` is what the user has asked for and the worker has not
    yet confirmed.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything: another project, or none."""
        self.state: State = "idle"
        self.asked = False
        self.failed: Finished | None = None
        """The end of the last training, when it failed."""
        self.unforeseen = False
        """Whether something has failed since Train that nobody foresaw."""
        self.ending: Ending = ""
        self.run: str | None = None
        self.detail = ""
        self.step = 0
        self.seconds = 0.0
        self.speed = 0.0
        self.memory_mb = 0.0
        self.device_memory_mb = 0.0
        self.seconds_left: float | None = None
        self.figures: dict[str, float] = {}
        self.dice: float | None = None
        self.per_class: dict[str, float] = {}
        self.validation_pixels = 0
        self.quality = ""
        """How good the model is, in words."""
        self.showing = ""
        """That an earlier model is shown; empty when it is the newest."""
        self.loss = Curve()
        self.validation = Curve()
        self.improvement = Improvement()

    @property
    def active(self) -> bool:
        """Whether a training is under way, paused included."""
        return self.state != "idle"

    def ask(self) -> None:
        """Train was pressed: preparing until the worker says something else."""
        self.asked, self.state, self.detail = True, "preparing", "Starting the worker…"
        self.failed, self.unforeseen = None, False
        self.improvement.annotated(self.seconds)  # what came before Train is no waiting

    def changed(self, event: StateChanged) -> None:
        """The trainer's state is another one.

        A worker that was started ahead prepares and becomes idle by itself. Neither concerns
        the training: without Train it stays idle, after Train it stays preparing.
        """
        if event.state == "preparing" and not self.asked:
            return
        if event.state == "idle" and self.asked and self.state == "preparing":
            return
        self.state, self.detail = event.state, event.detail
        if event.run is not None:
            self._enter(event.run)
        if event.state in ("idle", "paused"):  # paused: what was to be ended is held instead
            self.ending = ""

    def stepped(self, event: Stepped) -> None:
        """Training has advanced."""
        self._enter(event.run)
        if event.step < self.step:
            self.loss.cut(event.step)
            self.validation.cut(event.step)
        self.step, self.seconds, self.speed = event.step, event.seconds, event.steps_per_second
        self.memory_mb, self.device_memory_mb = event.memory_mb, event.device_memory_mb
        self.seconds_left = event.seconds_left
        self.figures = dict(event.figures)
        loss = label_loss(event.figures)
        if loss is not None:
            self.loss.add(event.step, loss)

    def validated(self, event: Validated) -> None:
        """The teacher was measured."""
        self._enter(event.run)
        self.dice, self.per_class = event.dice, dict(event.per_class)
        self.validation_pixels = event.pixels
        self.quality, self.showing = event.summary, event.showing
        self.seconds = max(self.seconds, event.seconds)
        if event.dice is not None:
            self.validation.add(event.step, event.dice)
            self.improvement.measured(event.seconds, event.dice)

    def annotated(self) -> None:
        """The user has painted: there is something new to learn."""
        self.improvement.annotated(self.seconds)

    @property
    def outlook(self) -> str:
        """Whether training still improves the model, in words; empty while nobody can know."""
        return self.improvement.sentence(self.seconds) if self.state == "training" else ""

    @property
    def stalled(self) -> bool:
        """Whether training goes on without gain."""
        return self.state == "training" and self.improvement.stalled(self.seconds)

    def finished(self, event: Finished) -> None:
        """Training has ended."""
        self.state, self.ending, self.asked = "idle", "", False
        self.failed = event if event.outcome == "failed" else None
        self.detail = "" if self.failed else event.message
        self.speed = 0.0
        self.seconds_left = None
        self.memory_mb = self.device_memory_mb = 0.0

    def lost(self) -> None:
        """The worker is gone in the middle."""
        self.state, self.ending, self.detail, self.asked = "idle", "", "", False
        self.speed = self.memory_mb = self.device_memory_mb = 0.0
        self.seconds_left = None

    def load(self, run: str, metrics: Sequence[Mapping[str, Any]]) -> None:
        """Fill the curves from a run on disk (``Run.metrics()``)."""
        self._enter(run)
        for row in metrics:
            step = row.get("step")
            if not isinstance(step, int | float):
                continue
            self.step = max(self.step, int(step))
            self.seconds = max(self.seconds, float(row.get("seconds") or 0.0))
            loss = label_loss(row)
            if loss is not None:
                self.loss.add(float(step), loss)
                self.figures = {
                    name: float(value)
                    for name, value in row.items()
                    if isinstance(value, int | float) and name not in ("step", "seconds")
                }
            if "validation" in row:
                self.quality, self.showing = str(row.get("summary") or ""), str(row.get("showing") or "")
            dice = row.get("validation")
            if isinstance(dice, int | float):
                self.validation.add(float(step), float(dice))
                self.dice = float(dice)
                self.improvement.measured(float(row.get("seconds") or 0.0), self.dice)
                self.per_class = dict(row.get("per_class") or {})
                self.validation_pixels = int(row.get("pixels") or 0)

    def _enter(self, run: str) -> None:
        if run == self.run:
            return
        if self.run is not None:
            self.loss.clear()
            self.validation.clear()
            self.improvement.clear()
            self.seconds = 0.0
            self.dice, self.per_class, self.step, self.figures = None, {}, 0, {}
            self.quality = self.showing = ""
        self.run = run
