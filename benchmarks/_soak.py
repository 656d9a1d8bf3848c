"""The person of ``benchmarks.soak``: paints, changes images, trains, asks, segments, as fast as it goes."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import psutil

from benchmarks._meter import LIFE, memory
from benchmarks._window import PATIENCE, Hand, Window, wait
from pccs.project.annotations import KEEP
from pccs.project.models import FOLDER, folder_of

if TYPE_CHECKING:
    from napari_pccs.session import Session

MINUTES_A_ROUND = 5.0
"""Of a person's time that a round stands for: ten strokes on six images, a training that is paused, resumed
and stopped, a suggestion taken, all images segmented, two of them reviewed."""
STEPS = 12
"""Training steps that are waited for before a pause, and before a stop."""


BY_ITSELF, MODELS = "by-itself", 10
"""The mark of a model that nobody asked to keep, and how many of those a run keeps: as in
``pccs.worker.keeping``, which a window cannot import."""


LIVES = 20
"""Rounds after which the worker is let go, so that another one is started."""


class FastHand(Hand):
    """Strokes of a fifth of a second."""

    STROKE, REST = 12, 3

    def move_on(self) -> None:
        """Move without a button, as in the rest between two strokes."""
        for position in range(3):
            wait(0.02)
            self.hover(position)


class Person:
    """Works through rounds of the same kind with the window's own buttons.

    Parameters
    ----------
    window
        With a project open.
    """

    def __init__(self, window: Window) -> None:
        self.window, self.panel = window, window.panel
        self.session: Session = window.panel.session
        names = (LIFE, "worker_rss_mib", "worker_pss_mib", "worker_own_mib", "worker_rest_own_mib")
        self.worker = dict.fromkeys(names, 0.0)
        """What the worker took up in the round's training, and at rest at the round's end."""
        self._classes = itertools.cycle([c.value for c in self.session.need_project().classes])
        self._rng = np.random.default_rng(0)
        self._round = 0
        self._home = self.session.need_item().name

    def settle_in(self) -> None:
        """Begin with a project that holds as much as it ever keeps.

        What comes with an image that is painted for the first time (its revisions, its place in the table,
        in the worker its pixels), and with the first models kept, is no growth with the hours.
        """
        self._paint_all()
        self.round()
        self._fill_models()

    def _fill_models(self) -> None:
        """Ten models by themselves, as after a dozen trainings: copies of the first, under earlier steps."""
        run = self.session.need_project().current_run()
        assert run is not None
        (marker,) = (run.path / FOLDER).glob(f"*/{BY_ITSELF}")
        for k in range(1, MODELS):
            shutil.copytree(marker.parent, folder_of(run, int(marker.parent.name) - k))

    def _paint_all(self) -> None:
        project = self.session.need_project()
        for item in project.items:
            self.session.go_to(item.name)
            for _ in range(KEEP):
                array = self.session.annotations.current()
                row, col = (self._rng.integers(0, side - 12) for side in array.shape)
                array[row : row + 12, col : col + 12] = next(self._classes)
                self.session.annotations.touched(array)
                self.session.annotations.flush()
        self._go_home()

    def round(self) -> None:
        """What a person does in :data:`MINUTES_A_ROUND`."""
        self._round += 1
        self._paint_on(4)
        self._train()
        self._suggest()
        self._segment()
        self._review()
        self._look_around()
        self._weigh_resting_worker()
        if self._round % LIVES == 0 and self.session.worker is not None:
            self.session.worker.let_go()  # as it goes by itself when nobody needs it for a while
            self._until(lambda: not psutil.Process().children())
        self._go_home()

    def _go_home(self) -> None:
        """The same image and no proposed place on screen, so that rounds can be compared."""
        self.session.go_to(self._home)
        self.session.signals.region_changed.emit(None)
        wait(0.5)

    def _until(self, condition: Callable[[], bool]) -> None:
        wait(PATIENCE, condition)

    def _paint_on(self, images: int) -> None:
        self.panel.show_stage("annotate")
        for _ in range(images):
            (self.panel.annotate.next if self._rng.random() < 0.7 else self.panel.annotate.previous).click()
            self._paint()

    def _paint(self, strokes: float = 2) -> None:
        layer = self.panel.link.annotation
        assert layer is not None
        self.session.select_class(next(self._classes) if self._rng.random() < 0.85 else 0)
        layer.mode = "paint"
        hand = FastHand(self.window)
        hand.start()
        wait(strokes * 0.016 * (hand.STROKE + hand.REST))
        hand.stop()
        hand.move_on()
        if self._rng.random() < 0.3:
            layer.undo()

    def _train(self) -> None:
        self.panel.show_stage("train")
        train, training = self.panel.train, self.session.training
        train.train.click()
        self._until(lambda: training.state == "training")
        self._steps()
        self._paint()
        train.pause.click()
        self._until(lambda: training.state == "paused")
        train.pause.click()
        self._until(lambda: training.state == "training")
        self._paint_on(1)
        self._steps()
        self._weigh_worker()
        (train.keep if self._round % 6 else train.discard).click()
        self._until(lambda: not training.active)

    def _steps(self) -> None:
        goal = self.session.training.step + STEPS
        self._until(lambda: self.session.training.step >= goal)

    def _weigh_worker(self) -> None:
        if self.session.worker is not None and self.session.worker.pid is not None:
            found = memory(psutil.Process(self.session.worker.pid))
            self.worker |= {f"worker_{key}": value for key, value in found.items()}
            self.worker[LIFE] = float(self._round // LIVES)

    def _weigh_resting_worker(self) -> None:
        """What stays when nothing is trained: what training needs goes up and down with its tensors."""
        if self.session.worker is not None and self.session.worker.pid is not None:
            found = memory(psutil.Process(self.session.worker.pid))
            self.worker["worker_rest_own_mib"] = found["own_mib"]

    def _suggest(self) -> None:
        self.panel.show_stage("suggest")
        self.panel.suggest.ask.click()
        self._until(lambda: not self.session.suggestions.asked)
        if self.session.suggestions.entries:
            self.panel.suggest.take.click()
            self._paint()
        else:
            self.panel.suggest.back.click()

    def _segment(self) -> None:
        if self.session.need_project().current_run() is None:
            return
        self.panel.show_stage("segment")
        self.panel.segment.start.click()
        self._until(lambda: not self.session.segmenting)

    def _review(self) -> None:
        """Accept two, and take it back, so that there is something to review in every round."""
        for _ in range(2):
            self.panel.segment.go_to_review()
            if self.session.prediction is not None:
                self.session.annotations.toggle_accepted()
                wait(0.05)
                self.session.annotations.toggle_accepted()

    def _look_around(self) -> None:
        from napari_pccs.panel import STAGES
        from napari_pccs.viewer_link import PREDICTION, UNCERTAINTY

        for name in (*STAGES, "annotate"):
            self.panel.show_stage(name)
            wait(0.02)
        for overlay in (PREDICTION, UNCERTAINTY, PREDICTION, UNCERTAINTY):
            self.panel.link.toggle(overlay)
            wait(0.02)
