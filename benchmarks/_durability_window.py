"""The window that is going to die: napari with the panel in it, a hand that paints, a worker that trains."""

from __future__ import annotations

import os
import random
import time
import traceback
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks._durability_script import Diary, digest, watch_saves
from benchmarks._faults import Control
from napari_pccs.ui import reported

if TYPE_CHECKING:
    from napari_pccs.panel import PccsPanel

TICK_MS = 30
"""Milliseconds between two moves of the hand."""


class Hand:
    """Paints through the layer, as napari's own brush does: some strokes are held for seconds."""

    def __init__(self, panel: PccsPanel, diary: Diary, rng: random.Random) -> None:
        self._panel, self._diary, self._rng = panel, diary, rng
        self._held = ExitStack()
        self._left = 0

    def lift(self) -> None:
        """Let the button go."""
        self._held.close()

    def move(self) -> None:
        """One tick: go on with a stroke, lift the brush, or do something else."""
        session = self._panel.session
        layer = self._panel.link.annotation
        if layer is None or session.current is None:
            return
        if self._left == 0:
            self._held.close()
            if self._rng.random() < 0.35:
                self._something_else()
                return
            self._left = self._rng.choice([1, 1, 2, 4, 8, 50])  # 50: over a second with the button held
            self._held.enter_context(layer.block_history())
        self._left -= 1
        height, width = layer.data.shape[-2:]
        where = (self._rng.randrange(height), self._rng.randrange(width))
        layer.brush_size = self._rng.randrange(3, 15)
        layer.paint(where, self._rng.choice([0, 1, 2, 2]))
        self._note()

    def _something_else(self) -> None:
        session, choice = self._panel.session, self._rng.random()
        if choice < 0.5:
            self._turn()
        elif choice < 0.75:
            self._panel.link.paper.undo()
            self._note()
        else:
            item = session.need_item()
            with reported():
                session.annotations.set_complete(not session.need_project().is_complete(item))

    def _turn(self) -> None:
        with reported():  # on a bad disk the image with unsaved strokes stays on screen
            self._panel.session.step_item(1)

    def _note(self) -> None:
        session, layer = self._panel.session, self._panel.link.annotation
        assert layer is not None
        state = digest(np.asarray(layer.data))
        self._diary.note("painted", item=session.need_item().name, state=state)


class Life:
    """What happens in the window until it is killed or closes."""

    def __init__(
        self, panel: PccsPanel, diary: Diary, control: Control, rng: random.Random, order: dict[str, Any]
    ) -> None:
        self._panel, self._diary, self._control, self._order = panel, diary, control, order
        self._hand = Hand(panel, diary, rng)
        self._worker: int | None = None
        self._steps = 0
        self._ended = False
        self._struck: float | None = None
        self._since = time.monotonic()
        panel.session.signals.said.connect(lambda level, text: diary.note(f"said {level}", sentence=text))

    def begin(self) -> None:
        """Open the project, and begin to paint."""
        from qtpy.QtCore import QTimer

        self._control["process"] = 1 if self._order["victim"] == "worker at a call" else os.getpid()
        watch_saves(self._diary, self._control)
        self._control.arm()
        self._diary.note("opening")
        self._panel.session.eager = False
        self._panel.session.open_project(Path(self._order["project"]))
        self._diary.note("opened", promise=True)
        if self._order["train"]:
            self._panel.train.train.click()
        self._timer = QTimer()
        self._timer.timeout.connect(self._tick)
        self._timer.start(TICK_MS)

    def _tick(self) -> None:
        session = self._panel.session
        lived = time.monotonic() - self._since
        if self._order["train"]:
            self._watch_training()
        if self._order["heals"]:
            lived = self._heal()
        if lived >= self._order["lives"] or self._ended:
            self._timer.stop()
            self._close()
            return
        if session.project is not None:
            self._hand.move()

    def _heal(self) -> float:
        """The disk fails for a while from the first hit on; seconds since then."""
        if not self._control["hits"]:
            return 0.0
        if self._struck is None:
            self._struck = time.monotonic()
        since = time.monotonic() - self._struck
        if since >= self._order["heals"]:
            self._control.lift()
        return since

    def _watch_training(self) -> None:
        session = self._panel.session
        pid = session.worker.pid if session.worker is not None else None
        if pid is not None and pid != self._worker:
            self._worker, self._since = pid, time.monotonic()
            self._diary.note("worker", pid=pid)
        if session.training.step > self._steps:
            if not self._steps:
                self._since = time.monotonic()
                self._diary.note("training")
                if self._order["victim"] == "worker at a call" and pid is not None:
                    self._control["process"] = pid  # from here on its calls count: it trains
            self._steps = session.training.step
        if session.worker is not None and session.worker.crash:
            self._ended = True

    def _close(self) -> None:
        from qtpy.QtWidgets import QApplication

        self._hand.lift()
        self._diary.note("closing")
        self._panel.bridge.stop()
        self._diary.note("closed", promise=True)
        QApplication.quit()


def by_the_window(
    path: Path, diary: Diary, control: Control, rng: random.Random, order: dict[str, Any]
) -> None:
    """Open a real window on a project, and live in it until the end."""
    import napari
    from qtpy.QtCore import QTimer

    from napari_pccs.panel import open_panel

    viewer = napari.Viewer(show_welcome_screen=False)
    life = Life(open_panel(viewer), diary, control, rng, order)

    def begin() -> None:
        try:
            life.begin()
        except Exception:  # Qt would go on without it, for ever
            traceback.print_exc()
            os._exit(1)

    QTimer.singleShot(100, begin)
    napari.run()
