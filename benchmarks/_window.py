"""A real napari window for benchmarks: a display if there is none, a heartbeat, a hand that paints."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import napari

    from napari_pccs.panel import PccsPanel

SIZE = (1280, 800)
BEAT_MS = 10
"""Milliseconds between two beats of the heart whose lateness is the delay of the event loop."""
HAND_MS = 16
"""Milliseconds between two positions of the mouse: a usual mouse at 60 Hz."""
_MOVES_ON = 3
"""Moves without a button after a stroke."""
PATIENCE = 300.0
"""Seconds until something that has to happen counts as broken."""


def need_display() -> None:
    """Go on under a virtual screen when this machine has none; settings of the user stay untouched."""
    os.environ.setdefault(
        "NAPARI_CONFIG", str(Path(tempfile.mkdtemp(prefix="pccs-bench-")) / "settings.yaml")
    )
    if not sys.platform.startswith("linux") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return
    program = shutil.which("xvfb-run")
    if program is None:
        raise SystemExit("there is no display, and xvfb-run is not installed")
    screen = f"-screen 0 {SIZE[0]}x{SIZE[1]}x24"
    module = sys.modules["__main__"].__spec__
    command = [program, "-a", "-s", screen, sys.executable, "-m", module.name if module else sys.argv[0]]
    os.execv(program, [*command, *sys.argv[1:]])


def wait(seconds: float, until: Callable[[], bool] | None = None) -> float:
    """Run the event loop for ``seconds``, or until something is true; the seconds it took."""
    from qtpy.QtCore import QEventLoop, QTimer

    began = time.perf_counter()
    loop, timer = QEventLoop(), QTimer()

    def look() -> None:
        if time.perf_counter() - began >= seconds or (until is not None and until()):
            loop.quit()

    timer.timeout.connect(look)
    timer.start(5)
    loop.exec()
    timer.stop()
    if until is not None and not until():
        raise SystemExit("what this benchmark waits for did not happen")
    return time.perf_counter() - began


class Heart:
    """Beats every :data:`BEAT_MS` on the Qt thread and notes how late each beat comes."""

    def __init__(self) -> None:
        from qtpy.QtCore import Qt, QTimer

        self.late: list[float] = []
        self._due = 0.0
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._beat)

    def start(self) -> None:
        """Begin a new series."""
        self.late = []
        self._wind()

    def stop(self) -> list[float]:
        """End the series; how late each beat was, in milliseconds."""
        self._timer.stop()
        return self.late

    def _wind(self) -> None:
        self._due = time.perf_counter() + BEAT_MS / 1000
        self._timer.start(BEAT_MS)

    def _beat(self) -> None:
        self.late.append(max(0.0, 1000 * (time.perf_counter() - self._due)))
        self._wind()


@dataclass
class Window:
    """A napari window with the panel in it."""

    viewer: napari.Viewer
    panel: PccsPanel
    frames: list[float] = field(default_factory=list)
    """When the canvas was drawn, in seconds of ``time.time``."""

    @classmethod
    def open(cls) -> Window:
        """Open napari and the panel, and wait until both are drawn."""
        import napari

        from napari_pccs.panel import open_panel

        viewer = napari.Viewer(show_welcome_screen=False)
        viewer.window.resize(*SIZE)
        window = cls(viewer, open_panel(viewer))
        window.canvas.frameSwapped.connect(lambda: window.frames.append(time.time()))
        wait(2.0)
        return window

    @property
    def canvas(self) -> Any:
        """The widget that the image is drawn on."""
        from qtpy.QtOpenGLWidgets import QOpenGLWidget

        return next(w for w in self.panel.window().findChildren(QOpenGLWidget) if w.isVisible())

    def close(self) -> None:
        """Close it, ending the worker."""
        self.viewer.close()
        wait(0.5)


class Hand:
    """Paints strokes with the mouse: real events to the canvas, as fast as a mouse sends them.

    Each stroke is a loop on the middle of the canvas of a second and a half, then a rest in which the mouse
    moves on without a button, as every hand does. vispy keeps the mouse events of a drag until then, each one
    the one before it: without these moves all events of all strokes would hang on the last.
    """

    STROKE, REST = 90, 45
    """Positions of the mouse while a stroke is painted, and ticks until the next one."""

    def __init__(self, window: Window, on_stroke: Callable[[bool], None] | None = None) -> None:
        from qtpy.QtCore import QTimer

        self._canvas, self._on_stroke = window.canvas, on_stroke or (lambda lifted: None)
        self._tick = 0
        self._rng = np.random.default_rng(0)
        self._centre, self._radius = (0.0, 0.0), 0.0
        self._timer = QTimer()
        self._timer.timeout.connect(self._move)

    def start(self) -> None:
        """Begin to paint."""
        self._tick = 0
        self._timer.start(HAND_MS)

    def stop(self) -> None:
        """Lift the brush and stop."""
        self._timer.stop()
        if 0 < self._tick % (self.STROKE + self.REST) <= self.STROKE:
            self._send("MouseButtonRelease", self._where(self.STROKE))
            self._on_stroke(True)

    def _move(self) -> None:
        position = self._tick % (self.STROKE + self.REST)
        self._tick += 1
        if position == 0:
            self._on_stroke(False)
            wide, high = self._canvas.width(), self._canvas.height()
            self._centre = (wide * self._rng.uniform(0.4, 0.6), high * self._rng.uniform(0.4, 0.6))
            self._radius = high * self._rng.uniform(0.05, 0.2)
            self._send("MouseButtonPress", self._where(0))
        elif position < self.STROKE:
            self._send("MouseMove", self._where(position))
        elif position == self.STROKE:
            self._send("MouseButtonRelease", self._where(position))
            self._on_stroke(True)
        elif position <= self.STROKE + _MOVES_ON:
            self.hover(position)

    def hover(self, position: int) -> None:
        """Move over the canvas with no button held."""
        self._send("MouseMove", self._where(position), held=False)

    def _where(self, position: int) -> tuple[float, float]:
        turn = 2 * np.pi * position / self.STROKE
        return self._centre[0] + self._radius * np.cos(turn), self._centre[1] + self._radius * np.sin(turn)

    def _send(self, kind: str, where: tuple[float, float], *, held: bool = True) -> None:
        from qtpy.QtCore import QEvent, QPointF, Qt
        from qtpy.QtGui import QMouseEvent
        from qtpy.QtWidgets import QApplication

        point = QPointF(*where)
        left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
        moved = kind == "MouseMove"
        buttons = none if kind == "MouseButtonRelease" or not held else left
        event = QMouseEvent(
            getattr(QEvent.Type, kind),
            point,
            QPointF(self._canvas.mapToGlobal(point.toPoint())),
            none if moved else left,
            buttons,
            Qt.KeyboardModifier.NoModifier,
        )
        QApplication.sendEvent(self._canvas, event)
