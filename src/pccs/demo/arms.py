"""Train one preset on a project and measure it on truth that training never sees."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pccs.config import TrainSettings
from pccs.demo.score import Score, Truth, measure
from pccs.errors import MaskError
from pccs.images import files_by_stem, read_mask
from pccs.labels import from_mask
from pccs.predict import Predictor
from pccs.project import Project
from pccs.train import Trainer, fit

OVERLAY_STEP = 25
"""Step at which the first overlay is drawn: before it the teacher says little."""


@dataclass(frozen=True)
class Arm:
    """One training and what came of it."""

    name: str
    score: Score
    steps: int
    seconds: float
    """Time spent in training steps."""
    first_overlay_seconds: float
    """From the order to train until the prediction of the first watched item was there."""
    curve: tuple[tuple[float, float], ...]
    """``(seconds of training, Dice on the watched items)``."""


def load_truth(project: Project, folder: Path, items: Sequence[str]) -> dict[str, NDArray[np.uint8]]:
    """The truth of ``items`` from the masks of the same stems in ``folder`` (export values).

    Raises
    ------
    MaskError
        If an item has no truth.
    """
    files = files_by_stem(folder)
    table = {c.export: c.value for c in project.classes}
    truth = {}
    for name in items:
        item = project.item(name)
        if item.stem not in files:
            raise MaskError(f"there is no truth for {item.stem!r}", path=folder)
        planes = read_mask(files[item.stem][0], project.sources[item.stem].info)
        truth[name] = from_mask(planes[item.index], table)
    return truth


def train_arm(
    project: Project,
    settings: TrainSettings,
    *,
    steps: int,
    truth: Truth,
    watch: Sequence[str] = (),
    device: str = "auto",
    every: int = 40,
    on_step: Callable[[Trainer], None] = lambda trainer: None,
) -> tuple[Arm, Predictor]:
    """A fresh run of ``settings``, measured on ``truth`` at its end and on ``watch`` every ``every`` steps.

    The last moving average is what is measured, never the best of several. Time spent measuring is
    not counted as training.
    """
    began = time.perf_counter()
    first_overlay = math.nan
    curve: list[tuple[float, float]] = []
    watched = {name: truth[name] for name in watch}
    trainer = Trainer.start(project, settings, device=device)

    overlay_step = min(OVERLAY_STEP, steps)

    def look(trainer: Trainer, figures: dict[str, float] | None) -> None:
        nonlocal first_overlay
        if trainer.step_count == overlay_step and watched:
            trainer.predictor().predict_item(project, next(iter(watched)))
            first_overlay = time.perf_counter() - began
        if watched and (trainer.step_count % every == 0 or trainer.step_count in (overlay_step, steps)):
            curve.append((trainer.seconds, measure(project, trainer.predictor(), watched).dice))
        on_step(trainer)

    fit(trainer, steps=steps, on_step=look)
    predictor = trainer.predictor()
    score = measure(project, predictor, truth)
    arm = Arm(settings.preset, score, trainer.step_count, trainer.seconds, first_overlay, tuple(curve))
    return arm, predictor
